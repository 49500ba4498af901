"""What people say of messages: which intent they have and which entities, and who is at which message now."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models

from conversations.models.conversations import Conversation, Event
from conversations.querysets import CorrectionQuerySet
from models_app.models import Assistant, Revision

PERSON = settings.AUTH_USER_MODEL


class Correction(models.Model):
    """What a person said last of one message; it waits until somebody takes it into the training data.

    Entities are lists of objects as Rasa writes them: start and end (characters of `text`), entity, value, role, group.
    """

    class Kind(models.TextChoices):
        CONFIRMED = "confirmed", "confirmed"
        CORRECTED = "corrected", "corrected"
        OUT_OF_SCOPE = "out_of_scope", "out of scope"
        IGNORED = "ignored", "no example"

    class State(models.TextChoices):
        PENDING = "pending", "waits"
        ACCEPTED = "accepted", "accepted"
        DISCARDED = "discarded", "discarded"

    assistant = models.ForeignKey(Assistant, on_delete=models.CASCADE, related_name="corrections")
    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="corrections")
    # Nothing deletes an event but the trigger of its conversation, which takes this row along.
    event = models.OneToOneField(Event, on_delete=models.DO_NOTHING, db_constraint=False, related_name="correction")
    # Others who said the same in the same way, word for word, which one look has settled as well.
    also = ArrayField(models.BigIntegerField(), default=list)
    text = models.TextField()
    said_intent = models.CharField(max_length=255, blank=True)  # by NLU
    said_confidence = models.FloatField(null=True)
    said_entities = models.JSONField(default=list)
    kind = models.CharField(max_length=16, choices=Kind)
    intent = models.CharField(max_length=255, blank=True)  # empty when the message is no example
    entities = models.JSONField(default=list)
    state = models.CharField(max_length=16, choices=State, default=State.PENDING)
    person = models.ForeignKey(PERSON, on_delete=models.SET_NULL, null=True, related_name="+")
    person_label = models.CharField(max_length=200)
    at = models.DateTimeField()
    # What was said of the message before, as services.corrections.Former has it: undoing returns to it.
    former = models.JSONField(null=True)
    settled_at = models.DateTimeField(null=True)  # accepted or discarded
    settled_by = models.ForeignKey(PERSON, on_delete=models.SET_NULL, null=True, related_name="+")
    revision = models.ForeignKey(Revision, on_delete=models.SET_NULL, null=True, related_name="+")

    objects = CorrectionQuerySet.as_manager()

    class Meta:
        ordering = ["intent", "pk"]
        indexes = [
            models.Index(fields=["assistant", "state", "intent", "id"], name="correction_waiting"),
            models.Index(fields=["assistant", "-at"]),
            GinIndex(fields=["also"], name="correction_also"),
        ]

    def __str__(self) -> str:
        return f"{self.intent or self.kind}: {self.text[:40]}"

    @property
    def said_times(self) -> int:
        return 1 + len(self.also)


class MessageLease(models.Model):
    """Who has a message of the inbox in front of them, so that nobody else is given it. It ends by itself."""

    event = models.OneToOneField(Event, on_delete=models.DO_NOTHING, db_constraint=False, related_name="lease")
    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="+")
    assistant = models.ForeignKey(Assistant, on_delete=models.CASCADE, related_name="+")
    person = models.ForeignKey(PERSON, on_delete=models.CASCADE, related_name="+")
    until = models.DateTimeField()

    class Meta:
        ordering = ["pk"]
        indexes = [models.Index(fields=["assistant", "until"])]

    def __str__(self) -> str:
        return f"{self.person_id} at {self.event_id}"
