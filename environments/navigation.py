"""The environments' entry in the navigation."""

from studio.access.permissions import Permission
from studio.web import navigation

# Pages of environments, by the beginnings of their URLs' names.
PAGES = (
    "environments:list",
    "environments:add",
    "environments:detail",
    "environments:edit",
    "environments:connect",
    "environments:remove",
    "environments:run",
    "environments:log",
    "environments:promote",
    "environments:return",
    "environments:withdraw",
)


def register() -> None:
    navigation.register(
        navigation.Entry(
            key="slots",
            label="Slots",
            icon="play-circle",
            url_name="environments:slots",
            permission=Permission.ENVIRONMENTS_MODIFY,
            order=145,
            group="settings",
            match=("environments:slot",),
        )
    )
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
            match=(*PAGES, "conversations:intake", "conversations:completeness"),
        )
    )
