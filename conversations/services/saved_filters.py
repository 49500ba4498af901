"""Filters that people keep under a name."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import IntegrityError, transaction

from conversations.models import SavedFilter
from models_app.models import Assistant
from studio.access.models import User
from studio.errors import Conflict, Invalid

MOST = 100  # of one person, in one assistant


def save_filter(*, owner: User, assistant: Assistant, name: str, query: str, is_shared: bool) -> SavedFilter:
    """`query` is that of the list's address, without cursors."""
    if not query:
        raise Invalid("No filter is set: choose some first, then save them.")
    if SavedFilter.objects.filter(owner=owner, assistant=assistant).count() >= MOST:
        raise Conflict(f"You have {MOST} filters here. Delete one that you do not need any more.")
    with _named_once(name):
        return SavedFilter.objects.create(owner=owner, assistant=assistant, name=name, query=query, is_shared=is_shared)


def change_filter(saved: SavedFilter, *, name: str, is_shared: bool) -> None:
    saved.name, saved.is_shared = name, is_shared
    with _named_once(name):
        saved.save(update_fields=["name", "is_shared"])


def delete_filter(saved: SavedFilter) -> None:
    saved.delete()


@contextmanager
def _named_once(name: str) -> Iterator[None]:
    try:
        with transaction.atomic():
            yield
    except IntegrityError:
        raise Conflict(f"You have a filter called {name} already.", field="name") from None
