from django.apps import AppConfig


class JobsConfig(AppConfig):
    name = "studio.jobs"
    label = "jobs"

    def ready(self) -> None:
        from studio.jobs import heartbeat, schedule

        schedule.every(600, heartbeat.forget_silent, name="forget silent processes")
