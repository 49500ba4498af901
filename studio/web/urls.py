"""URLs of the interface itself."""

from django.conf import settings
from django.urls import URLPattern, URLResolver, path

from studio.web import views

urlpatterns: list[URLPattern | URLResolver] = []

if settings.DEBUG:
    urlpatterns += [
        path("_components/", views.components, name="components"),
        path("_components/<slug:name>", views.component_dialog, name="component-dialog"),
    ]
