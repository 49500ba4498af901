"""Answers that work for a browser's request and for htmx's."""

from typing import Literal, TypeVar

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django_htmx.http import HttpResponseClientRedirect, trigger_client_event
from django_htmx.middleware import HtmxDetails

ToastKind = Literal["success", "info", "warning", "error"]
Response = TypeVar("Response", bound=HttpResponse)


class HtmxHttpRequest(HttpRequest):
    """What HtmxMiddleware makes of a request; an annotation, never instantiated."""

    htmx: HtmxDetails


def go(request: HtmxHttpRequest, url: str) -> HttpResponse:
    """Send the whole browser to `url`, also when htmx asked."""
    return HttpResponseClientRedirect(url) if request.htmx else HttpResponseRedirect(url)


def toast(response: Response, text: str, kind: ToastKind = "success") -> Response:
    """`response`, with a toast that shows when htmx receives it. For full pages use django.contrib.messages."""
    return trigger_client_event(response, "toast", {"text": text, "kind": kind})
