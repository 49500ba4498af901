"""URLs of this app."""

from django.urls import path

from studio.rasa.views import status, versions

app_name = "rasa"
urlpatterns = [
    path("rasa/status", status.runtime_status, name="status"),
    path("rasa/install", status.install, name="install"),
    path("settings/rasa/", versions.version_list, name="versions"),
    path("settings/rasa/add", versions.add, name="add"),
    path("settings/rasa/<str:name>/install", versions.install, name="install-version"),
    path("settings/rasa/<str:name>/remove", versions.remove, name="remove"),
]
