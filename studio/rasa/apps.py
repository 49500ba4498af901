from django.apps import AppConfig


class RasaConfig(AppConfig):
    name = "studio.rasa"
    label = "rasa"

    def ready(self) -> None:
        from studio.rasa import registrations

        registrations.register()
