from django.apps import AppConfig


class EnvironmentsConfig(AppConfig):
    name = "environments"
    label = "environments"

    def ready(self) -> None:
        from environments import health, jobs, metrics, navigation, places, rivals
        from environments.services import pointers, rasa, slots, transitions
        from models_app.services import models, tags, training
        from models_app.testing.rivals import register as register_rivals
        from studio.access import scopes
        from studio.rasa import uses

        jobs.register()
        health.register()
        metrics.register()
        navigation.register()
        scopes.register("environments", places.places)
        uses.register("environments", rasa.uses_by_servers)
        uses.register("slots", rasa.uses_by_slots)
        models.guard(transitions.reasons_to_keep)
        register_rivals(rivals.live)
        tags.watch(pointers.refresh)
        training.when_trained(slots.after_training)
