"""/admin/: the database's tables for those who run Parley. Everything can be looked at, nothing can be changed.

Services are the only writers, so there is no form, no action and no history here, and each page runs in a transaction
that PostgreSQL itself holds to reading. It uses Parley's sign-in and asks a permission of its own.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import update_wrapper
from typing import Any

from django.contrib import admin
from django.contrib.admin import AdminSite
from django.db import OperationalError, connection, transaction
from django.db.models import Model
from django.http import HttpRequest, HttpResponseBase
from django.template.response import SimpleTemplateResponse, TemplateResponse
from django.urls import URLPattern, URLResolver, include, path
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from psycopg.errors import QueryCanceled

from studio import health
from studio.access.loaders import require, signed_in
from studio.access.models import User
from studio.access.permissions import Permission
from studio.operators.tables import ReadOnlyTable
from studio.web.errors import Problem, problem_page

SECONDS = 10
TOO_SLOW = Problem(
    503, "This took too long", f"The database worked on it for {SECONDS} seconds. Search for a number, or for less."
)


class OperatorsSite(AdminSite):
    site_title = site_header = "Parley’s database"
    index_title = "Tables"
    index_template = "operators/index.html"
    enable_nav_sidebar = False

    def register(self, model_or_iterable: Any, admin_class: Any = None, **options: Any) -> None:
        """Tables of ours alone: what packages register for theirs could be written to."""
        if admin_class is not None and issubclass(admin_class, ReadOnlyTable):
            super().register(model_or_iterable, admin_class, **options)

    def has_permission(self, request: HttpRequest) -> bool:
        return isinstance(request.user, User) and request.user.may(Permission.ADMIN_VIEW)

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        """No redirect to a sign-in page of the admin's own; nothing but GET."""

        @require_safe
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            require(signed_in(request), Permission.ADMIN_VIEW)
            return _looked_at(request, lambda: view(request, *args, **kwargs))

        return update_wrapper(guarded if cacheable else never_cache(guarded), view)

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        return super().index(request, {**(extra_context or {}), "schema_words": health.schema_in_words()})

    def get_urls(self) -> list[URLPattern | URLResolver]:
        """The few that only show: no sign-in, no password form, no history, no autocomplete."""
        tables: list[URLPattern | URLResolver] = [
            path(f"{model._meta.app_label}/{model._meta.model_name}/", include(table.urls))
            for model, table in self._registry.items()
        ]
        labels = sorted({model._meta.app_label for model in self._registry})
        groups = [path(f"{label}/", self._group(), {"app_label": label}, name="app_list") for label in labels]
        pages = [
            path("", self.admin_view(self.index), name="index"),
            path("jsi18n/", self.admin_view(self.i18n_javascript, cacheable=True), name="jsi18n"),
        ]
        return [*pages, *groups, *tables]

    def _group(self) -> Callable[..., HttpResponseBase]:
        view: Callable[..., HttpResponseBase] = self.admin_view(self.app_index)
        return view


def _looked_at(request: HttpRequest, view: Callable[[], HttpResponseBase]) -> HttpResponseBase:
    try:
        with _reading_only():
            response = view()
            if isinstance(response, SimpleTemplateResponse):
                response.render()  # its queries belong in here
            return response
    except OperationalError as error:
        if isinstance(error.__cause__, QueryCanceled):
            return problem_page(request, TOO_SLOW)
        raise


@contextmanager
def _reading_only() -> Iterator[None]:
    """PostgreSQL refuses to write until the end, and gives up on a statement that takes long."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(f"SET TRANSACTION READ ONLY; SET LOCAL statement_timeout = '{SECONDS}s'")
        yield
        transaction.set_rollback(True)  # nothing to keep; and within a larger transaction it takes both back


def show(model: type[Model], columns: Iterable[str], search: Iterable[str] = ("=pk",)) -> None:
    """Register a table: the columns of its list, and the fields that the search box looks through."""
    table = type(
        f"{model.__name__}Table", (ReadOnlyTable,), {"list_display": tuple(columns), "search_fields": tuple(search)}
    )
    admin.site.register(model, table)
