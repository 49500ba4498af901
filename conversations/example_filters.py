"""Which examples a list shows, and its pages. Both live in the address."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from django import forms
from django.db.models import Q, QuerySet

from conversations.models import Correction
from environments.models import Environment
from models_app.models import Assistant
from studio.access.models import User
from studio.access.permissions import Permission

PAGE = 100
IGNORED = Correction.Kind.IGNORED.value
FORWARD, BACKWARD = ("intent", "pk"), ("-intent", "-pk")
MOST_OFFERED = 500  # intents and people of a choice


class ExampleFilter(forms.Form):
    state = forms.ChoiceField(
        required=False,
        choices=[("", "waiting"), ("accepted", "accepted"), ("discarded", "discarded"), (IGNORED, "no example")],
    )
    intent = forms.ChoiceField(required=False)
    person = forms.ChoiceField(required=False)
    environment = forms.ChoiceField(required=False)

    def __init__(self, data: Any, *, assistant: Assistant, viewer: User) -> None:
        super().__init__(data)
        self.rows = self._of_state(Correction.objects.visible_to(viewer).filter(assistant=assistant))
        unordered = self.rows.order_by()
        intents = unordered.exclude(intent="").values_list("intent", flat=True).distinct()[:MOST_OFFERED]
        people = unordered.values_list("person_label", flat=True).distinct()[:MOST_OFFERED]
        places = Environment.objects.heard_by(viewer, Permission.CONVERSATIONS_VIEW).filter(assistant=assistant)
        self._offer("intent", sorted(intents))
        self._offer("person", sorted(people))
        self._offer("environment", [one.name for one in places])

    def _of_state(self, rows: QuerySet[Correction]) -> QuerySet[Correction]:
        if self.chosen_state == IGNORED:
            return rows.filter(state=Correction.State.DISCARDED, intent="")
        return rows.filter(state=self.chosen_state).exclude(intent="")

    def _offer(self, name: str, values: Sequence[str]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        chosen = self.data.get(name) or ""  # stays offered when the last of it is gone
        values = [*values, *([chosen] if chosen and chosen not in values else [])]
        field.choices = [("", "any"), *((one, one) for one in values)]

    @property
    def chosen_state(self) -> str:
        """A state of corrections, or IGNORED: what people set aside as no example."""
        asked = self.data.get("state")
        return asked if asked in ("accepted", "discarded", IGNORED) else Correction.State.PENDING

    @property
    def is_waiting(self) -> bool:
        return self.chosen_state == Correction.State.PENDING

    @property
    def is_ignored(self) -> bool:
        return self.chosen_state == IGNORED

    @property
    def is_used(self) -> bool:
        return any(self.data.get(name) for name in ("intent", "person", "environment"))

    def apply(self) -> QuerySet[Correction]:
        """Nothing with an invalid value; the page says why."""
        if not self.is_valid():
            return self.rows.none()
        data = self.cleaned_data
        rows = self.rows
        if data["intent"]:
            rows = rows.filter(intent=data["intent"])
        if data["person"]:
            rows = rows.filter(person_label=data["person"])
        if data["environment"]:
            rows = rows.filter(conversation__environment__name=data["environment"])
        return rows


@dataclass(frozen=True, slots=True)
class Place:
    """Of a row in the list, which is in the order of intents. As text: `42-book_table`."""

    pk: int
    intent: str

    @classmethod
    def parse(cls, text: str) -> Self | None:
        pk, dash, intent = text.replace("\0", "").partition("-")
        return cls(int(pk), intent) if dash and pk.isascii() and pk.isdigit() and len(pk) <= 18 else None

    def __str__(self) -> str:
        return f"{self.pk}-{self.intent}"


@dataclass(frozen=True, slots=True)
class Page:
    rows: Sequence[Correction]
    earlier: Place | None
    later: Place | None


def page_of(
    rows: QuerySet[Correction], *, before: Place | None, after: Place | None, is_newest_first: bool = False
) -> Page:
    on, back = (BACKWARD, FORWARD) if is_newest_first else (FORWARD, BACKWARD)
    if before is not None:
        found = list(_beyond(rows, before, back)[: PAGE + 1])
        return _page(found[:PAGE][::-1], has_earlier=len(found) > PAGE, has_later=True)
    rows = rows.order_by(*on) if after is None else _beyond(rows, after, on)
    found = list(rows[: PAGE + 1])
    return _page(found[:PAGE], has_earlier=after is not None, has_later=len(found) > PAGE)


def _beyond(rows: QuerySet[Correction], place: Place, order: Sequence[str]) -> QuerySet[Correction]:
    side = "gt" if order is FORWARD else "lt"
    beside = Q(**{f"pk__{side}": place.pk}, intent=place.intent)
    return rows.filter(Q(**{f"intent__{side}": place.intent}) | beside).order_by(*order)


def _page(rows: Sequence[Correction], *, has_earlier: bool, has_later: bool) -> Page:
    def place(row: Correction) -> Place:
        return Place(row.pk, row.intent)

    return Page(
        rows,
        earlier=place(rows[0]) if rows and has_earlier else None,
        later=place(rows[-1]) if rows and has_later else None,
    )
