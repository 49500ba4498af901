"""URLs of this app."""

from django.urls import path

from studio.rasa import versions_views, views

app_name = "rasa"
urlpatterns = [
    path("rasa/status", views.runtime_status, name="status"),
    path("rasa/install", views.install, name="install"),
    path("settings/rasa/", versions_views.version_list, name="versions"),
    path("settings/rasa/add", versions_views.add, name="add"),
    path("settings/rasa/<str:name>/install", versions_views.install, name="install-version"),
    path("settings/rasa/<str:name>/remove", versions_views.remove, name="remove"),
]
