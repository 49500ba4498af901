"""The environments' entry in the navigation."""

from studio.access.permissions import Permission
from studio.web import navigation


def register() -> None:
    navigation.register(
        navigation.Entry(
            key="environments",
            label="Environments",
            icon="server-stack",
            url_name="environments:list",
            permission=Permission.ENVIRONMENTS_VIEW,
            order=50,
            per_assistant=True,
            shortcut="e",
            match=("environments:", "conversations:intake", "conversations:completeness"),
        )
    )
