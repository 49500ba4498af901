"""The product's URLs with the component page, which is otherwise for developers only."""

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import path

from studio import urls
from studio.web.urls import gallery


def forbidden(request: HttpRequest) -> HttpResponse:
    raise PermissionDenied("Your roles do not include “Modify environments” here.")


def broken(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("on purpose")


urlpatterns = [*gallery, path("_forbidden", forbidden), path("_broken", broken), *urls.urlpatterns]
handler400, handler403, handler404, handler500 = urls.handler400, urls.handler403, urls.handler404, urls.handler500
