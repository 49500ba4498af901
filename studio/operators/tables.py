"""How one table is shown: its rows newest first, a search, and every column but those that hold secrets."""

from collections.abc import Callable
from functools import cached_property
from typing import Any

from django.contrib.admin import ModelAdmin
from django.contrib.admin.utils import quote
from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Paginator
from django.db import models
from django.http import HttpRequest
from django.urls import URLPattern, path, reverse

from studio.access.models import User
from studio.access.permissions import Permission

MOST_COUNTED = 10_000  # a table of a hundred million rows is not counted for a page
SECRET = frozenset({"password", "session_key"})  # what signs somebody in; so do bytes, which are never shown


class CappedPaginator(Paginator):  # type: ignore[type-arg]
    """Counts no further than pages go."""

    @cached_property
    def count(self) -> int:
        rows = self.object_list
        assert isinstance(rows, models.QuerySet)
        return rows.order_by()[:MOST_COUNTED].count()


class Rows(ChangeList):
    def url_for_result(self, result: models.Model) -> str:
        return reverse(
            f"admin:{self.opts.app_label}_{self.opts.model_name}_change", args=[quote(str(_word(result.pk)))]
        )


def _word(key: object) -> object:
    """A key as an address can carry it: bytes as hexadecimal digits."""
    return bytes(key).hex() if isinstance(key, bytes | memoryview) else key


class ReadOnlyTable(ModelAdmin):  # type: ignore[type-arg]
    actions = None
    ordering = ("-pk",)
    sortable_by = ()  # only the key has an index everywhere
    show_full_result_count = False
    list_per_page = 100
    paginator = CappedPaginator
    search_help_text = "A number finds its row at once."

    def get_urls(self) -> list[URLPattern]:
        view, name = self.admin_site.admin_view, f"{self.opts.app_label}_{self.opts.model_name}"
        return [
            path("", view(self.changelist_view), name=f"{name}_changelist"),
            path("<path:object_id>/", view(self.change_view), name=f"{name}_change"),
        ]

    def key_word(self, row: models.Model) -> str:
        """The first column of a table whose key is bytes."""
        return str(_word(row.pk))

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return Rows

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> models.Model | None:
        if isinstance(self.opts.pk, models.BinaryField):
            return self.get_queryset(request).filter(pk=_bytes(object_id)).first()
        found: models.Model | None = super().get_object(request, object_id, from_field)
        return found

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """Rows are found by the search box alone: `?password__startswith=` would tell a secret letter by letter."""
        return False

    def get_fields(self, request: HttpRequest, obj: models.Model | None = None) -> list[Any]:
        return [_shown(field) for field in self.opts.concrete_fields if not is_secret(field)]

    def get_readonly_fields(self, request: HttpRequest, obj: models.Model | None = None) -> list[Any]:
        return self.get_fields(request, obj)

    def has_view_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return isinstance(request.user, User) and request.user.may(Permission.ADMIN_VIEW)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False


def is_secret(field: "models.Field[Any, Any]") -> bool:
    """Passwords, sessions, encrypted values, digests. A foreign key to a row that bytes identify is none."""
    return field.name in SECRET or isinstance(field, models.BinaryField)


def _shown(field: "models.Field[Any, Any]") -> "str | Callable[[models.Model], str]":
    if not isinstance(field, models.ForeignKey) or not isinstance(field.target_field, models.BinaryField):
        return field.name

    def word(row: models.Model) -> str:
        return str(_word(getattr(row, field.attname)))

    word.short_description = field.verbose_name  # type: ignore[attr-defined]
    return word


def _bytes(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        return b""  # no row's key
