from django.apps import AppConfig


class EnvironmentsConfig(AppConfig):
    name = "environments"
    label = "environments"

    def ready(self) -> None:
        from environments import health, jobs, navigation
        from environments.services import transitions
        from models_app.services import models

        jobs.register()
        health.register()
        navigation.register()
        models.guard(transitions.reasons_to_keep)
