from django.apps import AppConfig


class EnvironmentsConfig(AppConfig):
    name = "environments"
    label = "environments"

    def ready(self) -> None:
        from environments import registrations

        registrations.register()
