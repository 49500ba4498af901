"""URLs of this app."""

from django.urls import URLPattern, URLResolver

app_name = "environments"
urlpatterns: list[URLPattern | URLResolver] = []
