from django.apps import AppConfig


class WebConfig(AppConfig):
    name = "studio.web"
    label = "web"

    def ready(self) -> None:
        from studio import checks, examinations

        checks.register()
        examinations.register()
