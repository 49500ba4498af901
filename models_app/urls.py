"""URLs of this app."""

from django.urls import URLPattern, URLResolver

app_name = "models"
urlpatterns: list[URLPattern | URLResolver] = []
