"""What polls say of the Rasa processes behind an environment: the only writer of Replica rows."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from environments.models import Environment, Replica
from environments.services.pointers import Poll
from models_app.models import Model

FIRST_INTERVAL = 20.0  # seconds, for a replica that polled only once
LATE_SECONDS = 5.0  # how far the rows may lag behind the polls
PULL_SECONDS = 300.0  # after which Rasa gives up a pull
# Rasa asks nothing while it loads. On a busy machine 8 kB were seen to take 52 s as a server's first model, with all
# that it then imports, and 25 MB 41 s later on.
LOAD_SECONDS = 90.0
LOAD_SECONDS_PER_MB = 4.0
FORGET_AFTER = timedelta(hours=24)
MEASURED_BYTES = 8 * 1024 * 1024  # smaller bodies vanish into buffers and say nothing about the line


def is_live(replica: Replica, now: datetime) -> bool:
    """It polled within three of its own intervals, or it is busy with the model it was given."""
    if replica.busy_until is not None and now < replica.busy_until:
        return True
    return now - replica.last_seen_at < patience_with(replica)


def patience_with(replica: Replica) -> timedelta:
    """How long it may be silent without being taken for gone."""
    return timedelta(seconds=3 * (replica.interval or FIRST_INTERVAL) + LATE_SECONDS)


def live_replicas(environment_id: int) -> list[Replica]:
    now = timezone.now()
    rows = Replica.objects.filter(environment_id=environment_id).select_related("model").defer("model__domain")
    return [replica for replica in rows if is_live(replica, now)]


@transaction.atomic
def note_poll(environment_id: int, poll: Poll, interval: float | None, *, answered: str | None) -> None:
    """Write one poll down. `answered` is the SHA-256 of the model it was answered with, None when there was no news.

    A poll that asks again for the model its sender took already counts towards a failed promotion.
    """
    environment = Environment.objects.select_related("tag").filter(pk=environment_id, removed_at=None).first()
    if environment is None:
        return
    at = poll.moment
    replica, _made = Replica.objects.select_for_update().get_or_create(
        environment=environment, key=poll.key, defaults={"named": poll.named, "last_seen_at": at}
    )
    if at < replica.last_seen_at:
        return  # a later poll was faster
    if replica.runs_etag != poll.runs or replica.runs_since is None:
        replica.runs_etag, replica.runs_since = poll.runs, at
        replica.model = model_of(environment, poll.runs)
    if answered is None:
        replica.polls_since_served = 0
    elif replica.served_etag == answered:
        replica.polls_since_served += 1
    replica.pulling_since = at if answered else None
    replica.busy_until = at + timedelta(seconds=PULL_SECONDS) if answered else None
    replica.named, replica.claims, replica.last_seen_at = poll.named, poll.claims, at
    replica.interval = interval or replica.interval
    replica.save()


def note_served(environment_id: int, poll: Poll, sha256: str, *, size: int, seconds: float) -> None:
    """The replica took this model to the last byte. The first time counts: Rasa pulls what it cannot load each time."""
    now = timezone.now()
    Replica.objects.filter(~Q(served_etag=sha256), environment_id=environment_id, key=poll.key).update(
        served_etag=sha256, served_at=now, polls_since_served=0
    )
    loads_for = timedelta(seconds=LOAD_SECONDS + LOAD_SECONDS_PER_MB * size / 1e6)
    _puller(environment_id, poll).update(busy_until=now + loads_for)
    if size >= MEASURED_BYTES and seconds > 0:
        Environment.objects.filter(pk=environment_id).update(pull_speed=size / seconds, pull_speed_at=now)


@transaction.atomic
def note_cut(environment_id: int, poll: Poll) -> None:
    """The pull that this poll began has ended short. Its sender asks again, or is gone."""
    replica = _puller(environment_id, poll).select_for_update().first()
    if replica is not None:
        replica.pulling_since, replica.busy_until = None, timezone.now() + patience_with(replica)
        replica.save(update_fields=["pulling_since", "busy_until"])


def _puller(environment_id: int, poll: Poll) -> QuerySet[Replica]:
    """The replica, unless it asked again meanwhile: Rasa gives up a pull that the network still holds."""
    return Replica.objects.filter(environment_id=environment_id, key=poll.key, pulling_since=poll.moment)


def forget_served(environment: Environment) -> None:
    """A new promotion begins: what was taken before it says nothing about it."""
    environment.replicas.exclude(served_etag="").update(served_etag="", served_at=None, polls_since_served=0)


def note_seen(seen: Iterable[tuple[Replica, datetime, float | None]]) -> None:
    """Replicas polled again and run what they ran before."""
    changed = []
    for replica, at, interval in seen:
        replica.last_seen_at, replica.interval = at, interval or replica.interval
        changed.append(replica)
    Replica.objects.bulk_update(changed, ["last_seen_at", "interval"], batch_size=500)


def note_version(environment: Environment, version: str) -> None:
    """What an environment's server says of itself is true of its one replica; of several, nobody knows who spoke."""
    replicas = live_replicas(environment.pk)
    if len(replicas) == 1:
        Replica.objects.filter(pk=replicas[0].pk).update(rasa_version=version)


def forget_silent() -> None:
    """Schedule: replicas that have not polled for a day are gone."""
    Replica.objects.filter(last_seen_at__lt=timezone.now() - FORGET_AFTER).delete()


def model_of(environment: Environment, sha256: str) -> Model | None:
    """Which of the assistant's models has these bytes. Two may: the one promoted here last goes first."""
    promoted = environment.promotions.select_related("to_model").filter(to_model__artifact_id=sha256).first()
    if promoted is not None:
        return promoted.to_model
    return Model.objects.filter(assistant_id=environment.assistant_id, artifact_id=sha256).first()
