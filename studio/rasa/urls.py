"""URLs of this app."""

from django.urls import URLPattern, URLResolver

app_name = "rasa"
urlpatterns: list[URLPattern | URLResolver] = []
