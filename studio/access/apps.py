from django.apps import AppConfig


class AccessConfig(AppConfig):
    name = "studio.access"
    label = "access"

    def ready(self) -> None:
        from studio.access import registrations

        registrations.register()
