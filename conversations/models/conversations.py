"""What people and assistants said: conversations, their events, and links to talk by."""

from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import Case, F, Func, Q, Value, When
from django.db.models.functions import Floor

from conversations.querysets import ConversationQuerySet
from environments.models import Environment
from models_app.models import Assistant, Model
from studio.fields import EncryptedField

PERSON = settings.AUTH_USER_MODEL
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# Messages that NLU was less sure of than this wait in the inbox until somebody looks at them. Queries have to say the
# same as these, word for word, to be served by the indexes: services/inbox.py.
SURE_FROM = 0.8
IN_INBOX = (
    Q(kind="user", is_looked_at=False)
    & ~Q(text="")
    & ~Q(text__startswith="/")
    & (Q(confidence__lt=SURE_FROM) | Q(name="nlu_fallback"))
)
UNCERTAINTY = Case(When(name="nlu_fallback", then=Value(0.0)), default=F("confidence"))
DAY = Floor(F("timestamp") / 86400.0)
HASH_OF_TEXT = Func(F("text"), function="hashtext", output_field=models.IntegerField())


class ShareLink(models.Model):
    """A link by which guests talk to an environment's assistant without an account."""

    class Look(models.TextChoices):
        SYSTEM = "", "As the guest’s device"
        LIGHT = "light", "Light"
        DARK = "dark", "Dark"

    environment = models.ForeignKey(Environment, on_delete=models.CASCADE, related_name="share_links")
    model = models.ForeignKey(Model, on_delete=models.CASCADE, null=True, related_name="+")  # that a slot serves for it
    name = models.CharField(max_length=120)
    greeting = models.TextField(blank=True)
    code_encrypted = EncryptedField()  # 128 random bits, shown again to whoever may share
    code_digest = models.BinaryField(max_length=32, unique=True)
    is_on = models.BooleanField(default=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    created_by = models.ForeignKey(PERSON, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    look = models.CharField(max_length=5, choices=Look, blank=True, default=Look.SYSTEM, db_default="")
    accent = models.CharField(max_length=7, blank=True, default="", db_default="")  # `#0b6e75`; ours when empty
    language = models.CharField(max_length=2, blank=True, default="", db_default="")  # as the guest's browser if empty
    password = models.CharField(max_length=256, blank=True, default="", db_default="")  # hashed
    visitors_limit = models.PositiveIntegerField(default=0, db_default=0)  # who write; 0 is none, here and below
    messages_limit = models.PositiveIntegerField(default=0, db_default=0)  # of one visitor
    # Of pages that may embed the chat, such as `https://www.example.org`.
    origins = ArrayField(models.CharField(max_length=255), default=list, db_default=[], blank=True)
    takes_ratings = models.BooleanField(default=True, db_default=True)
    # Browsers that opened it, wrote, and came back later: each once, kept when its row goes.
    opened_count = models.PositiveIntegerField(default=0, db_default=0)
    wrote_count = models.PositiveIntegerField(default=0, db_default=0)
    returned_count = models.PositiveIntegerField(default=0, db_default=0)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return self.name


_RATED = ("rated_up", "rated_down", "rated_comments")
_RARE = {
    "conversation_not_real": ~models.Q(origin="real"),
    "conversation_handed_over": models.Q(handover_at__isnull=False),
    "conversation_rejected": models.Q(rejected_count__gt=0),
}


def _names() -> "ArrayField[list[str], list[str]]":
    return ArrayField(models.CharField(max_length=255), default=list)


class Conversation(models.Model):
    """All events of one sender_id of one assistant.

    Everything between the origin and the review is a function of the events stored, whatever order they arrived in:
    ingestion keeps it from the rows it inserts, and `manage.py rebuild_conversations` makes the same from all of them.
    A row exists only together with its first event. The environment is that of the earliest event.
    """

    class Origin(models.TextChoices):
        REAL = "real", "real"
        TALK = "talk", "ours"
        SHARE = "share", "share link"

    class Review(models.TextChoices):
        REVIEWED = "reviewed", "reviewed"
        SAVED = "saved", "saved for later"

    assistant = models.ForeignKey(Assistant, on_delete=models.CASCADE, related_name="conversations", db_index=False)
    environment = models.ForeignKey(
        Environment, on_delete=models.SET_NULL, null=True, related_name="conversations", db_index=False
    )
    environment_name = models.CharField(max_length=255, blank=True)  # as the earliest event claimed it
    sender_key = models.BinaryField(max_length=32)  # HMAC of sender_id: unique, and all that a tombstone needs
    sender_id = models.TextField()
    origin = models.CharField(max_length=8, choices=Origin, default=Origin.REAL)
    share_link = models.ForeignKey(
        ShareLink, on_delete=models.SET_NULL, null=True, related_name="conversations", db_index=False
    )
    talker = models.ForeignKey(PERSON, on_delete=models.SET_NULL, null=True, related_name="talks")
    first_event_at = models.FloatField()  # seconds since 1970, as Rasa writes them
    last_event_at = models.FloatField()
    events_count = models.PositiveIntegerField(default=0)
    user_count = models.PositiveIntegerField(default=0)
    bot_count = models.PositiveIntegerField(default=0)
    action_count = models.PositiveIntegerField(default=0)
    session_count = models.PositiveIntegerField(default=0)
    fallback_count = models.PositiveIntegerField(default=0)  # messages that NLU gave up on (intent nlu_fallback)
    restart_count = models.PositiveIntegerField(default=0)
    rejected_count = models.PositiveIntegerField(default=0)  # executions of actions that were rejected
    reply_count = models.PositiveIntegerField(default=0)  # user messages that were followed by the assistant's
    reply_ms = models.BigIntegerField(default=0)  # how long these replies took together
    handover_at = models.FloatField(null=True)  # when first handed over to a human; ingest/facts.py says what that is
    min_confidence = models.FloatField(null=True)  # of NLU in any message
    channel = models.CharField(max_length=255, blank=True)  # of the latest user message
    last_model_id = models.CharField(max_length=200, blank=True)  # Rasa's model_id of the latest event that has one
    model_ids = ArrayField(models.CharField(max_length=200), default=list)  # every model_id of its events, sorted
    first_text = models.TextField(blank=True)  # the earliest user message, shortened, for lists
    first_channel = models.CharField(max_length=255, blank=True, db_default="")  # of the earliest user message
    first_model_id = models.CharField(max_length=200, blank=True, db_default="")  # Rasa's, of the earliest event
    # Every one that its events name, sorted; at most facts.MOST_NAMES.
    intents = _names()
    entities = _names()
    actions = _names()
    policies = _names()
    slots = _names()
    channels = _names()
    environment_names = _names()  # as the events claimed them
    # What the team made of it, written by services/review.py and services/marks.py; ingestion never touches it.
    review_state = models.CharField(max_length=8, choices=Review, blank=True, default="", db_default="")
    reviewed_by = models.ForeignKey(PERSON, on_delete=models.SET_NULL, null=True, related_name="+", db_index=False)
    reviewed_at = models.DateTimeField(null=True)
    reviewed_events = models.PositiveIntegerField(default=0, db_default=0)  # how many events there were then
    is_flagged = models.BooleanField(default=False, db_default=False)  # itself, or one of its events
    tags = ArrayField(models.CharField(max_length=40), default=list, db_default=[])  # likewise, sorted
    # How many of its replies guests rated so, and said why: services/ratings.py sums them up.
    rated_up = models.PositiveIntegerField(default=0, db_default=0)
    rated_down = models.PositiveIntegerField(default=0, db_default=0)
    rated_comments = models.PositiveIntegerField(default=0, db_default=0)
    # Whether it is in the tallies: those that were stored before there were any wait until periodic work counts them.
    is_counted = models.BooleanField(db_default=False)

    objects = ConversationQuerySet.as_manager()

    class Meta:
        ordering = ["-last_event_at", "-id"]
        constraints = [models.UniqueConstraint(fields=["assistant", "sender_key"], name="conversation_sender_unique")]
        indexes = [
            # One for each way to sort; and for few among many, which a walk along the first would be long in finding.
            models.Index(fields=["assistant", "-last_event_at", "-id"]),
            models.Index(fields=["assistant", "-user_count", "-id"], name="conversation_longest"),
            models.Index(fields=["assistant", "min_confidence", "id"], name="conversation_least_certain"),
            models.Index(fields=["environment", "-last_event_at", "-id"], name="conversation_of_environment"),
            *(
                models.Index(fields=["assistant", "-last_event_at", "-id"], condition=condition, name=name)
                for name, condition in _RARE.items()
            ),
            # Days long ago: conversations stand on the disk in about the order in which they went on.
            BrinIndex(
                fields=["first_event_at", "last_event_at"],
                name="conversation_times",
                pages_per_range=32,
                autosummarize=True,
            ),
            # Those of no environment: they are counted on pages, and moved once somebody adopts their name.
            models.Index(
                fields=["assistant", "environment_name", "id"],
                condition=models.Q(environment=None),
                name="conversation_homeless",
            ),
            # All states, for of a team that reviews everything the few are those that it has not looked at.
            models.Index(fields=["assistant", "review_state", "-last_event_at", "-id"], name="conversation_in_review"),
            # What else the team noted is in few conversations, and ingestion pays for the indexes of these alone.
            models.Index(
                fields=["assistant", "-last_event_at", "-id"],
                condition=models.Q(is_flagged=True),
                name="conversation_flagged",
            ),
            models.Index(
                fields=["assistant", "-last_event_at", "-id"],
                condition=~models.Q(tags=[]),
                name="conversation_tagged",
            ),
            models.Index(
                fields=["share_link", "-last_event_at", "-id"],
                condition=models.Q(share_link__isnull=False),
                name="conversation_of_link",
            ),
            *(
                models.Index(
                    fields=["assistant", "-last_event_at", "-id"],
                    condition=models.Q(**{f"{rated}__gt": 0}),
                    name=f"conversation_{rated}",
                )
                for rated in _RATED
            ),
            models.Index(
                fields=["reviewed_by"], condition=models.Q(reviewed_by__isnull=False), name="conversation_reviewer"
            ),
            models.Index(
                fields=["assistant", "id"], condition=models.Q(is_counted=False), name="conversation_uncounted"
            ),
        ]

    def __str__(self) -> str:
        return self.sender_id

    @property
    def short_sender(self) -> str:
        """Enough of the sender's id to tell it from others: `7f3c…d291`."""
        return self.sender_id if len(self.sender_id) <= 12 else f"{self.sender_id[:4]}…{self.sender_id[-4:]}"

    @property
    def last_at(self) -> datetime:
        return _EPOCH + timedelta(seconds=self.last_event_at)


class Event(models.Model):
    """One Rasa tracker event. Ordered by (timestamp, rank, digest), never by arrival; known by its digest."""

    # Its own index would repeat the beginning of the one below, and a foreign key's check costs nearly as much as the
    # event does: instead ingestion holds the conversation's row, and a trigger deletes the events of a deleted one.
    conversation = models.ForeignKey(
        Conversation, on_delete=models.CASCADE, related_name="events", db_index=False, db_constraint=False
    )
    # Where it came from, and as its sender claimed it. A name of NULL: stored before events kept it, not yet rebuilt.
    environment = models.ForeignKey(
        Environment, on_delete=models.DO_NOTHING, null=True, related_name="+", db_index=False, db_constraint=False
    )
    environment_name = models.CharField(max_length=255, null=True)  # noqa: DJ001 - told apart from no name
    digest = models.BinaryField(max_length=32)  # of timestamp, kind and canonical payload, without sender_id
    timestamp = models.FloatField()
    rank = models.SmallIntegerField(default=0)  # order of kinds within one timestamp
    kind = models.CharField(max_length=63)
    payload = models.TextField()  # Rasa's whole event as canonical JSON; text, because jsonb refuses what Rasa sends
    text = models.TextField(blank=True)
    name = models.CharField(max_length=255, blank=True)  # of the intent, action, slot, form
    policy = models.CharField(max_length=255, blank=True)
    confidence = models.FloatField(null=True)
    model_id = models.CharField(max_length=200, blank=True)
    channel = models.CharField(max_length=255, blank=True)  # of a user message
    # Names of those that were found. NULL for kinds that have none, and for events that are not yet rebuilt.
    entities = ArrayField(models.CharField(max_length=255), null=True)
    received_at = models.DateTimeField(auto_now_add=True)
    # Whether a person has looked at what NLU made of the message. Theirs to say, not the event's: ingestion leaves it.
    is_looked_at = models.BooleanField(default=False, db_default=False)

    class Meta:
        ordering = ["timestamp", "rank", "digest"]
        # The digest alone tells events apart, and the time follows from it: so one index serves reading in order too.
        constraints = [models.UniqueConstraint(fields=["conversation", "timestamp", "digest"], name="event_known_once")]
        indexes = [
            BrinIndex(fields=["received_at"]),
            # What the inbox lists, and nothing else. The last two columns order nothing: they are looked at in passing,
            # which spares ingestion two more indexes.
            models.Index(
                F("environment"),
                DAY,
                UNCERTAINTY,
                F("id").desc(),
                F("name"),
                F("model_id"),
                condition=IN_INBOX,
                name="inbox_by_day",
            ),
            models.Index(F("environment"), HASH_OF_TEXT, condition=IN_INBOX, name="inbox_same_words"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.name or self.text[:40]}"


class TalkSession(models.Model):
    """A conversation that one of us, or one guest, holds through Parley; it exists before its first event arrives."""

    environment = models.ForeignKey(Environment, on_delete=models.CASCADE, related_name="talks")
    model = models.ForeignKey(Model, on_delete=models.CASCADE, null=True, related_name="+")  # that a slot serves for it
    sender_id = models.CharField(max_length=255, unique=True)
    person = models.ForeignKey(PERSON, on_delete=models.CASCADE, null=True, related_name="talk_sessions")
    share_link = models.ForeignKey(ShareLink, on_delete=models.CASCADE, null=True, related_name="sessions")
    guest = models.ForeignKey("conversations.ShareGuest", on_delete=models.SET_NULL, null=True, related_name="sessions")
    # What was live in the environment when it began: a guest is told when that has changed.
    began_with = models.ForeignKey(Model, on_delete=models.SET_NULL, null=True, related_name="+", db_index=False)
    first_text = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    last_at = models.DateTimeField(auto_now=True)  # when something was said last
    answered_at = models.DateTimeField(null=True)  # when an answer came last; never after `last_at`

    class Meta:
        ordering = ["-last_at"]
        indexes = [
            models.Index(fields=["person", "environment", "-last_at"]),
            models.Index(fields=["environment", "last_at"], name="talk_by_age"),
        ]

    def __str__(self) -> str:
        return self.sender_id
