"""What this app adds to the house: periodic work, an examination, the settings entries of accounts and access."""

from studio import doctor
from studio.access import api_repeats
from studio.access.permissions import Permission
from studio.access.services import departures, renewal, sessions, sign_in
from studio.jobs import schedule
from studio.web import navigation


def register() -> None:
    doctor.register("single sign-on", "studio.access.oidc.examination.single_sign_on")
    schedule.every(3600, sign_in.forget_old, name="forget old sign-in failures and links")
    schedule.every(3600, sessions.forget_over, name="forget sessions that ran out")
    schedule.every(3600, api_repeats.forget_old, name="forget answers kept for requests that come again")
    schedule.every(renewal.EVERY_SECONDS, renewal.renew_due, name="renew sessions of single sign-on")
    schedule.every(departures.EVERY_SECONDS, departures.end_departed, name="end what departed people have in hand")
    _enter_navigation()


def _enter_navigation() -> None:
    _settings("tokens", "API tokens", "command-line", 100, "access:token", permission=None)
    people = ("access:person", "access:session", "access:grant-new", "access:grant-revoke", "access:who")
    _settings("people", "People", "users", 110, *people)
    _settings("grants", "Grants", "identification", 115, "access:grants", "access:grant-add", "access:grant-take")
    _settings("roles", "Roles", "key", 120, "access:role")
    _settings("services", "Service accounts", "cpu-chip", 130, "access:service")


def _settings(
    key: str, label: str, icon: str, order: int, *match: str, permission: Permission | None = Permission.PEOPLE_MODIFY
) -> None:
    """An entry that leads to the page `access:<key>`."""
    navigation.register(
        navigation.Entry(
            key=key,
            label=label,
            icon=icon,
            url_name=f"access:{key}",
            permission=permission,
            order=order,
            everywhere=True,
            group="settings",
            match=match,
        )
    )
