"""URLs of this app."""

from django.urls import URLPattern, URLResolver, path

from environments.rasa_studio import views as rasa_studio
from environments.views import assistants, connection, environments, promotions, rasa_change, settings, slots

app_name = "environments"
ENVIRONMENT = "a/<str:slug>/environments/<str:name>"
# Pages that are no environment's end in a slash: an environment may be called `new` or `running`.
urlpatterns: list[URLPattern | URLResolver] = [
    path("api/graphql/", rasa_studio.graphql, name="rasa-studio"),
    path("assistants/", assistants.assistant_list, name="assistants"),
    path("assistants/new", assistants.assistant_new, name="assistant-new"),
    path("settings/slots/", slots.slot_list, name="slots"),
    path("settings/slots/<int:pk>", slots.slot_detail, name="slot"),
    path("settings/slots/<int:pk>/stop", slots.slot_stop, name="slot-stop"),
    path("a/<str:slug>/settings/trying", slots.trying_settings, name="trying-settings"),
    path("a/<str:slug>/delete", assistants.assistant_delete, name="assistant-delete"),
    path("a/<str:slug>/environments/", environments.environment_list, name="list"),
    path("a/<str:slug>/environments/new/", settings.add, name="add"),
    path("a/<str:slug>/environments/running/", promotions.running, name="running"),
    path("a/<str:slug>/environments/rasa/", rasa_change.rasa_change, name="rasa-change"),
    path(ENVIRONMENT, environments.environment_detail, name="detail"),
    path(f"{ENVIRONMENT}/edit", settings.edit, name="edit"),
    path(f"{ENVIRONMENT}/connect", settings.connect, name="connect"),
    path(f"{ENVIRONMENT}/remove", settings.remove, name="remove"),
    path(f"{ENVIRONMENT}/run-here", settings.run_here, name="run-here"),
    path(f"{ENVIRONMENT}/server/<str:action>", settings.steer, name="steer"),
    path(f"{ENVIRONMENT}/log", environments.server_log, name="log"),
    path(f"{ENVIRONMENT}/log/file", environments.server_log_file, name="log-file"),
    path(f"{ENVIRONMENT}/connection", connection.connection, name="connection"),
    path(f"{ENVIRONMENT}/connection/checks", connection.checks, name="checks"),
    path(f"{ENVIRONMENT}/connection/events", connection.prepare_events, name="prepare-events"),
    path(f"{ENVIRONMENT}/promote", promotions.promote_here, name="promote-here"),
    path(f"{ENVIRONMENT}/return", promotions.return_to_last, name="return"),
    path(f"{ENVIRONMENT}/withdraw", promotions.withdraw, name="withdraw"),
    path("a/<str:slug>/models/<str:name>/promote", promotions.promote_model, name="promote"),
    path("a/<str:slug>/models/<str:name>/promotions", promotions.model_promotions, name="model-promotions"),
]
