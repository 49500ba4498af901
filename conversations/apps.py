from django.apps import AppConfig


class ConversationsConfig(AppConfig):
    name = "conversations"
    label = "conversations"

    def ready(self) -> None:
        from conversations import registrations

        registrations.register()
