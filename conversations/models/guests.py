"""Guests of share links, and what they thought of replies. chat/guests.py and services/ratings.py alone write these."""

from django.db import models
from django.db.models import Q

from conversations.models.conversations import Event, ShareLink, TalkSession

LONGEST_COMMENT = 500


class ShareGuest(models.Model):
    """One browser in which a link was opened. Nothing here says who or where: no name and no address."""

    class Device(models.TextChoices):
        COMPUTER = "computer", "computer"
        PHONE = "phone", "phone"
        TABLET = "tablet", "tablet"
        UNKNOWN = "", "unknown"

    link = models.ForeignKey(ShareLink, on_delete=models.CASCADE, related_name="guests", db_index=False)
    secret_digest = models.BinaryField(max_length=32, unique=True)  # of what proves that it is this browser
    # The chat that they are in; none before the first word, and after "Start over".
    session = models.ForeignKey(TalkSession, on_delete=models.SET_NULL, null=True, related_name="+")
    first_at = models.DateTimeField(auto_now_add=True)
    last_at = models.DateTimeField()
    visits_count = models.PositiveIntegerField(default=1)
    messages_count = models.PositiveIntegerField(default=0)
    is_in = models.BooleanField(default=False)  # wrote, and so is one of the link's visitors
    language = models.CharField(max_length=2, blank=True)
    device = models.CharField(max_length=8, choices=Device, blank=True)
    is_embedded = models.BooleanField(default=False)  # came by a page of another site

    class Meta:
        ordering = ["-last_at", "-id"]
        indexes = [
            models.Index(fields=["link", "-last_at", "-id"], name="guest_of_link"),
            models.Index(fields=["last_at"], condition=Q(is_in=False), name="guest_looked_only"),
        ]

    def __str__(self) -> str:
        return f"guest {self.pk}"


class Rating(models.Model):
    """What a guest thought of one reply: a turn of the assistant's. It goes with the session, whoever deletes that.

    The reply is known by `event`, its last message; until that has arrived by what was answered: `sent_digest` of the
    message and `answered_at` by our clock.
    """

    session = models.ForeignKey(TalkSession, on_delete=models.CASCADE, related_name="ratings", db_index=False)
    link = models.ForeignKey(ShareLink, on_delete=models.CASCADE, related_name="ratings", db_index=False)
    event = models.ForeignKey(
        Event, on_delete=models.DO_NOTHING, null=True, related_name="+", db_index=False, db_constraint=False
    )
    reply = models.CharField(max_length=32, blank=True)  # names an answer whose event had not come
    sent_digest = models.BinaryField(max_length=32, null=True)
    answered_at = models.FloatField(null=True)
    is_up = models.BooleanField()
    comment = models.CharField(max_length=LONGEST_COMMENT, blank=True)
    at = models.DateTimeField(auto_now=True)
    look_at = models.DateTimeField(null=True)  # when the event is looked for next; never again when it is tied or lost

    class Meta:
        ordering = ["-at", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["session", "event"], name="rating_of_event"),
            models.UniqueConstraint(fields=["session", "reply"], condition=~Q(reply=""), name="rating_of_reply"),
            models.CheckConstraint(condition=Q(event__isnull=False) | ~Q(reply=""), name="rating_of_something"),
        ]
        indexes = [
            models.Index(fields=["link", "is_up", "-at", "-id"], name="rating_of_link"),
            models.Index(fields=["look_at"], condition=Q(event=None), name="rating_waits"),
        ]

    def __str__(self) -> str:
        return "up" if self.is_up else "down"
