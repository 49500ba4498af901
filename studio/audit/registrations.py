"""What this app adds to the house: periodic work, and its entry of the settings."""

from studio.access.permissions import Permission
from studio.audit.services import refusals
from studio.jobs import schedule
from studio.web import navigation


def register() -> None:
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
