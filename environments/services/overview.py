"""What is live where, as lists and the home page show it: a constant number of queries for any number of rows."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Prefetch, QuerySet
from django.utils import timezone

from environments.models import Environment, ManagedServer, Promotion, Replica
from environments.querysets import EnvironmentQuerySet
from environments.services.polls import bring_up_to_date
from environments.services.replicas import is_live
from environments.services.transitions import State, failed_replicas, has_failed, state_of
from models_app.models import Assistant, Model
from studio.access.models import User

_SERVER_STATES = {
    ManagedServer.State.STOPPED: ("silent", "Stopped"),
    ManagedServer.State.WAITING: ("busy", "Waiting"),
    ManagedServer.State.STARTING: ("busy", "Starting"),
    ManagedServer.State.STOPPING: ("busy", "Stopping"),
}


MISSED_FOR = timedelta(hours=1)  # what is silent for longer has been taken away
OVERLAP = timedelta(minutes=10)  # in a rolling update both the old server and the new one poll, while that loads


@dataclass(frozen=True, slots=True)
class Overview:
    """One environment now. `status` is a kind of the `{% status %}` tag, `text` its word."""

    environment: Environment
    model: Model | None
    promotion: Promotion | None  # the last one, its transitions prefetched
    status: str
    text: str
    live: int  # replicas that poll
    running: int  # of these, how many run the model
    missing: int  # replicas that fell silent lately, and no new one took their place
    failed_on: tuple[str, ...] = ()  # names of the replicas on which the model did not load

    @property
    def words(self) -> str:
        """The state's text within a sentence."""
        return self.text[:1].lower() + self.text[1:]

    @property
    def did_not_load(self) -> bool:
        """The model is the trouble, and not that nobody polls."""
        return self.status == "failed" and bool(self.failed_on)

    @property
    def may_be_tried_again(self) -> bool:
        """What is live may be promoted once more, unless all run it by now."""
        failed = self.promotion is not None and state_of(self.promotion) == State.FAILED
        return failed and not (self.live and self.running == self.live)

    @property
    def is_moving(self) -> bool:
        return self.status == "busy"


def overviews(assistant: Assistant, user: User) -> list[Overview]:
    """Every environment of the assistant that the person may see, protected ones first."""
    return overviews_of(Environment.objects.visible_to(user).filter(assistant=assistant))


def overviews_of(rows: EnvironmentQuerySet) -> list[Overview]:
    """Those of any environments, in their order."""
    environments = list(rows.select_related("assistant", "tag__model", "server").defer("tag__model__domain"))
    promotions = _last_promotions(environments)
    replicas, now = replicas_among(environments), timezone.now()
    return [judge(row, promotions.get(row.pk), replicas[row.pk], now) for row in environments]


def overview(environment: Environment) -> Overview:
    return overview_among(environment, replicas_of(environment))


def overview_among(environment: Environment, replicas: Iterable[Replica], last: Promotion | None = None) -> Overview:
    """For whoever has all the environment's replicas, and perhaps its last promotion of `for_history`, already."""
    promotion = last or _last_promotions([environment]).get(environment.pk)
    return judge(environment, promotion, replicas, timezone.now())


def replicas_of(environment: Environment) -> list[Replica]:
    """All of them, silent ones too."""
    return _replicas(Replica.objects.filter(environment=environment))


def judge(
    environment: Environment, promotion: Promotion | None, replicas: Iterable[Replica], now: datetime
) -> Overview:
    """Put the facts about one environment into one state. `replicas` are all of it, silent ones too."""
    known = list(replicas)
    live = [row for row in known if is_live(row, now)]
    model = environment.tag.model if environment.tag is not None else None
    running = sum(1 for replica in live if model is not None and replica.runs_etag == model.artifact_id)
    missing = _missing(known, now)
    failed_on = _failed_on(promotion, model, live, running)
    was_heard = bool(known) or _has_run(promotion)
    status, text = _status(environment, live, running, len(failed_on), was_heard=was_heard)
    if status == "running" and missing:
        status, text = "warning", f"{text} · {missing} silent"
    return Overview(environment, model, promotion, status, text, len(live), running, missing, failed_on)


def _missing(known: list[Replica], now: datetime) -> int:
    """How many fell silent within the last hour, without those in whose place another began to poll and went on when
    they had ended, also one that was replaced in its turn."""
    silent = [row for row in known if not is_live(row, now) and now - row.last_seen_at < MISSED_FOR]
    if not silent:
        return 0
    ended = min(row.last_seen_at for row in silent)
    took = [row for row in known if row.first_seen_at > ended - OVERLAP and row.last_seen_at > ended]
    return max(0, len(silent) - len(took))


def _failed_on(promotion: Promotion | None, model: Model | None, live: list[Replica], running: int) -> tuple[str, ...]:
    """Also those that fell silent since, as long as not all run the model."""
    failed = tuple(row.key for row in live if model is not None and has_failed(row, model))
    if failed or promotion is None or running >= len(live) or state_of(promotion) != State.FAILED:
        return failed
    return tuple(failed_replicas(promotion))


def _has_run(promotion: Promotion | None) -> bool:
    """Silent replicas are forgotten after a day, what they ran is not."""
    return promotion is not None and any(one.state == State.FIRST_RUNNING for one in promotion.transitions.all())


def _status(
    environment: Environment, live: list[Replica], running: int, failed: int, *, was_heard: bool
) -> tuple[str, str]:
    model = environment.tag.model if environment.tag is not None else None
    if environment.kind == Environment.Kind.UNSET and not live:
        return "silent", "Not set up"
    if model is None:
        return "silent", "No model"
    server = getattr(environment, "server", None) if environment.kind == Environment.Kind.MANAGED else None
    if server is not None and server.state != ManagedServer.State.RUNNING:
        return (
            ("failed", "Not running") if server.ended_by_itself else _SERVER_STATES[ManagedServer.State(server.state)]
        )
    if not live:
        return "failed" if was_heard else "warning", "No server polls"
    if failed:
        return "failed", f"Did not load on {min(failed, len(live))} of {len(live)}"
    if running == len(live):
        return "running", f"Running {running} of {len(live)}"
    return "busy", f"Rolling out {running} of {len(live)}"


def _last_promotions(environments: Iterable[Environment]) -> dict[int, Promotion]:
    last = (
        Promotion.objects.filter(environment__in=environments)
        .order_by("environment_id", "-number")
        .distinct("environment_id")
        .select_related("to_model", "from_model")
        .defer("to_model__domain", "from_model__domain")
        .prefetch_related(Prefetch("transitions"))
    )
    return {promotion.environment_id: promotion for promotion in last}


def replicas_among(environments: Iterable[Environment]) -> dict[int, list[Replica]]:
    """By environment; silent ones too."""
    found: dict[int, list[Replica]] = defaultdict(list)
    for replica in _replicas(Replica.objects.filter(environment__in=environments)):
        found[replica.environment_id].append(replica)
    return found


def _replicas(rows: QuerySet[Replica]) -> list[Replica]:
    found = list(rows.select_related("model").defer("model__domain"))
    bring_up_to_date(found)
    return found
