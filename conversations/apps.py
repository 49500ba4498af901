from django.apps import AppConfig


class ConversationsConfig(AppConfig):
    name = "conversations"
    label = "conversations"

    def ready(self) -> None:
        from conversations.services import arrivals, intake_health, rebuild
        from environments.services.arrivals import provide
        from studio import health
        from studio.jobs import schedule
        from studio.web import navigation

        navigation.register(
            navigation.Entry(
                key="home",
                label="Home",
                icon="home",
                url_name="conversations:home",
                order=10,
                per_assistant=True,
                shortcut="h",
                match=("conversations:home",),
            )
        )
        navigation.register(
            navigation.Entry(
                key="conversations",
                label="Conversations",
                icon="chat-bubble-left",
                url_name="conversations:list",
                order=60,
                per_assistant=True,
                shortcut="c",
                match=("conversations:list", "conversations:detail"),
            )
        )
        provide(arrivals.arrivals)
        health.register("ingest", intake_health.ingest_part)
        schedule.every(60, rebuild.mark_own_conversations, name="mark our own conversations")
