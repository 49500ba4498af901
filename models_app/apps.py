from django.apps import AppConfig


class ModelsAppConfig(AppConfig):
    name = "models_app"
    label = "models_app"

    def ready(self) -> None:
        from models_app import registrations

        registrations.register()
