"""What the analytics page adds up: counts of each hour, and the entries that are still to be added to them.

Ingestion only ever inserts entries, so that two processes never wait for each other; one periodic job adds them to the
sums and deletes them in the same transaction. A number is therefore sums plus entries, and exact at any moment.
conversations/ingest/tally.py says what is counted; docs/decisions/0009-counts-of-hours.md why it is counted so.
"""

from django.db import models

from conversations.models.conversations import Conversation
from environments.models import Environment
from models_app.models import Assistant


class _Place(models.Model):
    """What an hour's counts are told apart by. Environment, origin and channel are where the conversation began, but
    a message of a person is of its own channel; the model is the event's."""

    assistant = models.ForeignKey(
        Assistant, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False
    )
    hour = models.IntegerField()  # hours since 1970, UTC
    environment = models.ForeignKey(
        Environment, on_delete=models.DO_NOTHING, null=True, related_name="+", db_index=False, db_constraint=False
    )
    origin = models.CharField(max_length=8, choices=Conversation.Origin)
    model_id = models.CharField(max_length=200)  # Rasa's
    channel = models.CharField(max_length=255)

    class Meta:
        abstract = True


_KEY = ["environment", "origin", "model_id", "channel"]


class _Counts(_Place):
    """Every number but those of names. An entry takes away as well as adds."""

    conversations = models.IntegerField()  # that began
    handovers = models.IntegerField()  # of conversations, when first handed over to a human
    user_messages = models.IntegerField()
    bot_messages = models.IntegerField()
    sessions = models.IntegerField()
    fallbacks = models.IntegerField()  # user messages that NLU gave up on
    rejected = models.IntegerField()  # executions of actions
    # User messages by the confidence of their intent: below 0.1, below 0.2, …; the sum in millionths.
    confidence_sum = models.BigIntegerField()
    confidence_0 = models.IntegerField()
    confidence_1 = models.IntegerField()
    confidence_2 = models.IntegerField()
    confidence_3 = models.IntegerField()
    confidence_4 = models.IntegerField()
    confidence_5 = models.IntegerField()
    confidence_6 = models.IntegerField()
    confidence_7 = models.IntegerField()
    confidence_8 = models.IntegerField()
    confidence_9 = models.IntegerField()
    # User messages that were replied to, by how long that took (tally.REPLY_BOUNDS); the sum in milliseconds.
    reply_ms = models.BigIntegerField()
    reply_0 = models.IntegerField()
    reply_1 = models.IntegerField()
    reply_2 = models.IntegerField()
    reply_3 = models.IntegerField()
    reply_4 = models.IntegerField()
    reply_5 = models.IntegerField()
    reply_6 = models.IntegerField()
    reply_7 = models.IntegerField()
    reply_8 = models.IntegerField()
    reply_9 = models.IntegerField()

    class Meta:
        abstract = True


class Tally(_Counts):
    """The sums of an hour."""

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["assistant", "hour", *_KEY], name="tally_unique", nulls_distinct=False)
        ]
        # One walk from value to value offers the channels to filter by.
        indexes = [models.Index(fields=["assistant", "channel", "environment"], name="tally_channel")]

    def __str__(self) -> str:
        return f"{self.assistant_id} {self.hour}"


class TallyEntry(_Counts):
    """What a transaction adds to an hour."""

    def __str__(self) -> str:
        return f"{self.assistant_id} {self.hour}"


class _Names(_Place):
    class Kind(models.TextChoices):
        INTENT = "intent", "Intents"
        ACTION = "action", "Actions"

    kind = models.CharField(max_length=8, choices=Kind)
    name = models.CharField(max_length=255)
    count = models.IntegerField()

    class Meta:
        abstract = True


class NameTally(_Names):
    """How often an intent or action was in an hour, and once more in a day: nobody adds up the hours of 90 days."""

    span = models.SmallIntegerField()  # hours: 1, or 24 for a day of UTC that begins with `hour`

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["assistant", "span", "hour", "kind", *_KEY, "name"],
                name="name_tally_unique",
                nulls_distinct=False,
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.name} {self.hour}"


class NameEntry(_Names):
    """What a transaction adds to an hour's count of a name."""

    def __str__(self) -> str:
        return f"{self.kind} {self.name} {self.hour}"
