"""A promotion as people read it: four timed steps, and a word for how it went."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import F, OuterRef, QuerySet, Subquery

from environments.models import Promotion, PromotionTransition
from environments.services.overview import Overview
from environments.services.transitions import failed_replicas, state_of
from studio.web import formats

State = PromotionTransition.State


@dataclass(frozen=True, slots=True)
class Step:
    """For components/steps.html; `state` is done, now, failed or todo."""

    title: str
    state: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a history. `status` is a kind of the `{% status %}` tag, `text` its word."""

    promotion: Promotion
    status: str
    text: str
    times: str

    @property
    def pk(self) -> int:
        return self.promotion.pk


def for_history(promotions: QuerySet[Promotion]) -> QuerySet[Promotion]:
    """With all that `entries` reads; `left_at` is when the next promotion of the same environment began."""
    following = Promotion.objects.filter(environment=OuterRef("environment"), number=OuterRef("number") + 1)
    return (
        promotions.select_related("environment", "from_model", "to_model")
        .defer("from_model__domain", "to_model__domain")
        .prefetch_related("transitions")
        .annotate(left_at=Subquery(following.values("requested_at")[:1]), environment_name=F("environment__name"))
    )


def entries(promotions: Iterable[Promotion], overviews: Iterable[Overview]) -> list[Entry]:
    """Lines for promotions of `for_history`; the last one of an environment says what its overview says."""
    current = {row.promotion.pk: row for row in overviews if row.promotion is not None}
    return [_entry(promotion, current.get(promotion.pk)) for promotion in promotions]


def _entry(promotion: Promotion, overview: Overview | None) -> Entry:
    status, text = _outcome(promotion, overview)
    return Entry(promotion, status, text, _times(promotion))


def _outcome(promotion: Promotion, overview: Overview | None) -> tuple[str, str]:
    reached = {transition.state: transition for transition in promotion.transitions.all()}
    state = state_of(promotion)
    if state == State.FAILED:
        return "failed", f"Did not load on {len(failed_replicas(promotion))}"
    if promotion.to_model is None:
        return "silent", "Out of service"
    if state == State.SUPERSEDED:
        return "silent", "Replaced before all ran it" if State.FIRST_RUNNING in reached else "Replaced before it ran"
    if overview is not None:
        return overview.status, overview.text
    if state == State.RUNNING:
        return "running", f"Ran {_span(reached[State.RUNNING].at, left_at(promotion))}"
    return "busy", "Rolling out"


def left_at(promotion: Promotion) -> datetime | None:
    """When the tag moved on, of a promotion read by `for_history`."""
    moment: datetime | None = getattr(promotion, "left_at", None)
    return moment


def _span(start: datetime, end: datetime | None) -> str:
    """The larger unit alone: a history is read at a glance."""
    if end is None:
        return ""
    words = formats.duration(max((end - start).total_seconds(), 0)).split(" ")
    return " ".join(words[:2])


def _times(promotion: Promotion) -> str:
    """`switched +0.02 s · first replica +6.1 s · all +12 s`, counted from the request."""
    words = {State.SWITCHED: "switched", State.FIRST_RUNNING: "first replica", State.RUNNING: "all"}
    reached = {transition.state: transition.at for transition in promotion.transitions.all()}
    if promotion.to_model is None:
        return ""
    return " · ".join(
        f"{word} {_after(promotion, reached[state])}" for state, word in words.items() if state in reached
    )


def steps(overview: Overview) -> list[Step]:
    """Requested, switched, first replica, all running: how far the environment's last promotion is."""
    promotion = overview.promotion
    if promotion is None or promotion.to_model is None:
        return []
    reached = {transition.state: transition.at for transition in promotion.transitions.all()}
    return [
        Step("Requested", "done", f"{promotion.requested_at:%H:%M:%S} UTC"),
        _timed("Switched", promotion, reached.get(State.SWITCHED)),
        _first(promotion, reached, overview),
        _all(promotion, reached, overview),
    ]


def _timed(title: str, promotion: Promotion, at: datetime | None) -> Step:
    return Step(title, "done", _after(promotion, at)) if at else Step(title, "now")


def _first(promotion: Promotion, reached: dict[str, datetime], overview: Overview) -> Step:
    title = "First replica"
    if State.FIRST_RUNNING in reached:
        return _timed(title, promotion, reached[State.FIRST_RUNNING])
    if State.FAILED in reached:
        return Step(title, "failed", "did not load")
    return Step(title, "now", "pulls and loads" if overview.live else "no server polls")


def _all(promotion: Promotion, reached: dict[str, datetime], overview: Overview) -> Step:
    title, count = "All running", f"{overview.running} of {overview.live}"
    if State.RUNNING in reached:
        return _timed(title, promotion, reached[State.RUNNING])
    if State.FAILED in reached:
        return Step(title, "failed", count)
    return Step(title, "now" if State.FIRST_RUNNING in reached else "todo", count if overview.live else "")


def _after(promotion: Promotion, at: datetime) -> str:
    return f"+{formats.duration(max((at - promotion.requested_at).total_seconds(), 0))}"
