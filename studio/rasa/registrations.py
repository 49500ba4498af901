"""What this app adds to the house: the settings entry of the Rasa versions."""

from studio.access.permissions import Permission
from studio.web import navigation


def register() -> None:
    navigation.register(
        navigation.Entry(
            key="rasa",
            label="Rasa versions",
            icon="square-3-stack-3d",
            url_name="rasa:versions",
            permission=Permission.ASSISTANTS_MODIFY,
            order=140,
            everywhere=True,
            group="settings",
        )
    )
