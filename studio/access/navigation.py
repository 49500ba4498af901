"""The settings entries of accounts and access."""

from studio.access.permissions import Permission
from studio.web import navigation


def register() -> None:
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
