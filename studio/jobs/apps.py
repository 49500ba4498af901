from django.apps import AppConfig


class JobsConfig(AppConfig):
    name = "studio.jobs"
    label = "jobs"

    def ready(self) -> None:
        from studio.jobs import heartbeat, schedule
        from studio.metrics import jobs

        schedule.every(600, heartbeat.forget_silent, name="forget silent processes")
        jobs.start()
