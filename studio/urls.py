"""The root of all URLs. Only this module and studio/api.py look up to the product's apps."""

from django.contrib import admin
from django.urls import include, path, re_path

from conversations.views import home
from studio import api, health
from studio.metrics import door

urlpatterns = [
    path("", home.root, name="home"),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", door.metrics, name="metrics"),
    path("admin/", admin.site.urls),
    path("api/", include((api.urls(), "api"))),
    path("", include("studio.access.urls")),
    path("", include("studio.audit.urls")),
    path("", include("studio.rasa.urls")),
    path("", include("studio.web.urls")),
    path("", include("models_app.urls")),
    path("", include("environments.urls")),
    path("", include("conversations.urls")),
    re_path(r"^api(?:/.*)?\Z", api.unknown),
]
handler400 = "studio.web.errors.bad_request"
handler403 = "studio.web.errors.permission_denied"
handler404 = "studio.web.errors.not_found"
handler500 = "studio.web.errors.server_error"
