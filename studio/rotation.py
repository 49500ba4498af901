"""Encrypting every stored secret anew with the first of PARLEY_ENCRYPTION_KEYS, so that older keys can be dropped."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.db.models import Model

from studio.crypto import decrypt, encrypt, is_current, is_readable
from studio.fields import EncryptedField

BATCH = 500


@dataclass(slots=True)
class Count:
    """What became of one column: `lost` are secrets that no key of ours opens."""

    column: str
    current: int = 0
    rotated: int = 0
    lost: int = 0


def columns() -> Iterator[tuple[type[Model], str]]:
    """Every column of the product that holds encrypted secrets."""
    for model in apps.get_models():
        for field in model._meta.concrete_fields:
            if isinstance(field, EncryptedField):
                yield model, field.name


def rotate() -> Iterator[Count]:
    """One column after the other. Each secret is replaced by itself: what was interrupted goes on where it stopped."""
    for model, name in columns():
        count = Count(f"{model._meta.label_lower}.{name}")
        for pk, token in _stored(model, name):
            _rotate_one(model, name, pk, token, count)
        yield count


def old_ones() -> int:
    """How many secrets the first key does not open."""
    return sum(not is_current(token) for model, name in columns() for _, token in _stored(model, name))


def lost_ones() -> int:
    """How many secrets no key of ours opens."""
    return sum(not is_readable(token) for model, name in columns() for _, token in _stored(model, name))


def _stored(model: type[Model], name: str) -> Iterator[tuple[object, bytes]]:
    """Key and token of each row that has one, in batches by key: no cursor stays open while we write."""
    rows = model._base_manager.exclude(**{name: b""}).order_by("pk").values_list("pk", name)
    batch = list(rows[:BATCH])
    while batch:
        for pk, token in batch:
            yield pk, bytes(token)
        batch = list(rows.filter(pk__gt=batch[-1][0])[:BATCH])


def _rotate_one(model: type[Model], name: str, pk: object, token: bytes, count: Count) -> None:
    if is_current(token):
        count.current += 1
        return
    try:
        again = encrypt(decrypt(token))
    except ImproperlyConfigured:
        count.lost += 1
        return
    # Only over what was read: a new secret that somebody set meanwhile stays.
    count.rotated += model._base_manager.filter(pk=pk, **{name: token}).update(**{name: again})
