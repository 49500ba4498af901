"""URLs of this app."""

from django.urls import URLPattern, URLResolver, path

from environments import model_server
from environments.views import assistants

app_name = "environments"
urlpatterns: list[URLPattern | URLResolver] = [
    path("assistants/new", assistants.assistant_new, name="assistant-new"),
    path("a/<str:slug>/delete", assistants.assistant_delete, name="assistant-delete"),
    path("api/projects/<str:slug>/models/tags/<str:tag>", model_server.model_by_tag, name="model-by-tag"),
    path("api/models/tags/<str:tag>", model_server.model_by_tag, name="model-by-tag-default"),
]
