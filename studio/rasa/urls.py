"""URLs of this app."""

from django.urls import path

from studio.rasa import views

app_name = "rasa"
urlpatterns = [
    path("rasa/status", views.runtime_status, name="status"),
    path("rasa/install", views.install, name="install"),
]
