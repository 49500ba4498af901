from django.apps import AppConfig


class EnvironmentsConfig(AppConfig):
    name = "environments"
    label = "environments"

    def ready(self) -> None:
        from environments import health, jobs, navigation, places
        from environments.services import pointers, transitions
        from models_app.services import models, tags
        from studio.access import scopes

        jobs.register()
        health.register()
        navigation.register()
        scopes.register("environments", places.places)
        models.guard(transitions.reasons_to_keep)
        tags.watch(pointers.refresh)
