"""URLs of this app."""

from django.urls import URLPattern, URLResolver, path

from studio.audit import views

app_name = "audit"
urlpatterns: list[URLPattern | URLResolver] = [
    path("settings/audit/", views.event_list, name="list"),
    path("settings/audit/export.csv", views.export, {"kind": "csv"}, name="export-csv"),
    path("settings/audit/export.jsonl", views.export, {"kind": "jsonl"}, name="export-jsonl"),
    path("settings/audit/<int:pk>", views.event_detail, name="event"),
]
