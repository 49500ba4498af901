"""URLs of this app."""

from django.urls import URLPattern, URLResolver, path

from environments.views import assistants

app_name = "environments"
urlpatterns: list[URLPattern | URLResolver] = [
    path("assistants/new", assistants.assistant_new, name="assistant-new"),
    path("a/<str:slug>/delete", assistants.assistant_delete, name="assistant-delete"),
]
