from django.apps import AppConfig


class JobsConfig(AppConfig):
    name = "studio.jobs"
    label = "jobs"

    def ready(self) -> None:
        from studio import health as parts
        from studio.jobs import health, heartbeat, schedule
        from studio.metrics import jobs

        schedule.every(600, heartbeat.forget_silent, name="forget silent processes")
        parts.register("schedule", health.schedule)
        parts.register("background worker", health.background_worker)
        jobs.start()
