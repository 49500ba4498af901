"""URLs of the interface itself."""

from django.conf import settings
from django.urls import URLPattern, URLResolver, path

from studio.web import documentation, views

gallery = [
    path("_components/", views.components, name="components"),
    path("_components/<slug:name>", views.component_dialog, name="component-dialog"),
]

urlpatterns: list[URLPattern | URLResolver] = [
    path("docs/", views.documentation, {"name": documentation.INDEX}, name="documentation-index"),
    path("docs/<path:name>", views.documentation, name="documentation"),
    *(gallery if settings.DEBUG else []),
]
