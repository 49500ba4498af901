from django.apps import AppConfig


class AuditConfig(AppConfig):
    name = "studio.audit"
    label = "audit"

    def ready(self) -> None:
        from studio.access.permissions import Permission
        from studio.audit.services import refusals
        from studio.jobs import schedule
        from studio.web import navigation

        schedule.every(60, refusals.write_repeated, name="write down how often refusals were repeated")

        navigation.register(
            navigation.Entry(
                key="audit",
                label="Audit log",
                icon="clipboard-document-list",
                url_name="audit:list",
                permission=Permission.AUDIT_VIEW,
                order=190,
                group="settings",
            )
        )
