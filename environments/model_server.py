"""The model server: what Rasa servers poll."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase


class ModelServerMiddleware:
    """Outermost middleware: answers polls before sessions, cookies and sign-in are looked at."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)
