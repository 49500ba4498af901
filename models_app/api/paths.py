"""Paths that are there twice: of an assistant by its name, and without a project, which means the first one."""

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest

from models_app.services.assistants import DEFAULT_SLUG

Operation = Callable[..., Any]


def of_each(method: Callable[..., Any], path: str, *, url_name: str, **facts: Any) -> Callable[[Operation], Operation]:
    """`@of_each(router.get, "/conversations", …)` answers at `/projects/{slug}/conversations` and `/conversations`.

    The second is of `default`, as in Rasa Enterprise; its URL name begins with `default-`.
    """

    def register(operation: Operation) -> Operation:
        method(f"/projects/{{slug}}{path}", url_name=url_name, **facts)(operation)
        method(path, url_name=f"default-{url_name}", **facts)(_of_default(operation))
        return operation

    return register


def _of_default(operation: Operation) -> Operation:
    @wraps(operation)
    def asked(request: HttpRequest, **given: Any) -> Any:
        return operation(request, slug=DEFAULT_SLUG, **given)

    signature = inspect.signature(operation)
    asked.__name__ = f"{operation.__name__}_of_default"
    kept = [one for name, one in signature.parameters.items() if name != "slug"]
    asked.__signature__ = signature.replace(parameters=kept)  # type: ignore[attr-defined]
    return asked
