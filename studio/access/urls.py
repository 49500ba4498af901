"""URLs of signing in and of people and roles."""

from django.urls import URLPattern, URLResolver, path

from studio.access import views

app_name = "access"
urlpatterns: list[URLPattern | URLResolver] = [
    path("sign-in", views.sign_in, name="sign-in"),
    path("sign-in/<str:secret>", views.sign_in_link, name="sign-in-link"),
    path("sign-out", views.sign_out, name="sign-out"),
]
