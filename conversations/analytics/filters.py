"""What the analytics page is asked: a range and what to narrow the numbers to. All of it lives in the URL."""

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django import forms
from django.db import connection
from django.http import QueryDict
from django.utils import timezone

from conversations.analytics import period
from conversations.analytics.numbers import DIMENSIONS, Narrowed
from conversations.filters import MODELS_OFFERED, NO_ENVIRONMENT
from environments.models import Environment
from models_app.models import Assistant, Model
from studio.access.models import User
from studio.access.permissions import Permission, Scope
from studio.web.filters import DayRangeFilter

CHANNELS_OFFERED = 50
MOST_DAYS = 731
OWN = "own"
RANGES = {"24h": "Last 24 hours", "7d": "Last 7 days", "30d": "Last 30 days", "90d": "Last 90 days", OWN: "Own dates"}
_DEFAULT = "7d"
_OWN_DAYS = 30
_DAYS = {"7d": 7, "30d": 30, "90d": 90}


class AnalyticsFilter(DayRangeFilter):
    """Only what the viewer may see numbers of is offered; a value that is not offered is an error beside its field."""

    range = forms.ChoiceField(required=False, choices=list(RANGES.items()))
    environment = forms.ChoiceField(required=False)
    model = forms.CharField(required=False, max_length=200)
    channel = forms.CharField(required=False, max_length=255)
    origin = forms.ChoiceField(required=False)
    by = forms.ChoiceField(required=False, choices=[(one, one) for one in DIMENSIONS])

    def __init__(self, data: QueryDict, *, assistant: Assistant, viewer: User) -> None:
        super().__init__(_with_dates(data))
        self.assistant = assistant
        self.sees_all = viewer.may(Permission.ANALYTICS_VIEW, Scope(assistant.pk))
        seen = Environment.objects.heard_by(viewer, Permission.ANALYTICS_VIEW).filter(assistant=assistant)
        self.environments = list(seen)
        self.models = list(Model.objects.visible_to(viewer).filter(assistant=assistant)[:MODELS_OFFERED])
        unknown = [(NO_ENVIRONMENT, "unknown")] if self.sees_all else []
        self._offer("environment", [(one.name, one.name) for one in self.environments] + unknown)
        self._offer("origin", [("real", "Real people"), ("talk", "Our own"), ("share", "Any share link")])
        self.channels = channels(assistant, self._seen())

    def _offer(self, name: str, choices: list[tuple[str, str]]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [("", "any"), *choices]

    def clean(self) -> dict[str, Any]:
        data = super().clean()
        since, until = data.get("since"), data.get("until")
        if data.get("range") != OWN:
            return data
        if not since and not self.errors:
            self.add_error("since", "Choose the first day.")
        if since and until and (until - since).days >= MOST_DAYS:
            self.add_error("until", "At most two years can be shown at once.")
        return data

    @property
    def chosen_range(self) -> str:
        asked = self.data.get("range") or _DEFAULT
        return asked if asked in RANGES else _DEFAULT

    @property
    def is_own(self) -> bool:
        return self.chosen_range == OWN

    @property
    def has_other_model(self) -> bool:
        """Whether the numbers are narrowed to a model that is too old, or deleted, to be offered."""
        chosen = self.data.get("model")
        return bool(chosen) and all(one.name != chosen for one in self.models)

    @property
    def has_other_channel(self) -> bool:
        chosen = self.data.get("channel")
        return bool(chosen) and chosen not in self.channels

    @property
    def is_narrowed(self) -> bool:
        return any(self.data.get(name) for name in ("environment", "model", "channel", "origin"))

    @property
    def chosen_by(self) -> str:
        """What the numbers are told apart by."""
        return self.cleaned_data.get("by") or "model"

    def period(self, now: datetime) -> period.Period:
        """Of a valid form."""
        data = self.cleaned_data
        zone = ZoneInfo(data["tz"] or "UTC")
        if self.chosen_range == "24h":
            return period.last_hours(24, now=now, zone=zone)
        if self.is_own:
            today = now.astimezone(zone).date()
            last = data["until"] or min(max(today, data["since"]), data["since"] + timedelta(days=MOST_DAYS - 1))
            return period.days(data["since"], last, now=now, zone=zone)
        return period.last_days(_DAYS[self.chosen_range], now=now, zone=zone)

    def narrowed(self) -> Narrowed:
        """Of a valid form."""
        data = self.cleaned_data
        return Narrowed(
            self.assistant.pk,
            self._chosen_environments(data["environment"]),
            self._model_ids(data["model"]) if data["model"] else None,
            data["channel"],
            data["origin"],
        )

    def list_query(self) -> dict[str, str]:
        """What the conversations list is asked to show the conversations that are counted; days come besides."""
        names = ("environment", "model", "channel", "origin", "tz")
        return {name: self.cleaned_data[name] for name in names if self.cleaned_data.get(name)}

    @property
    def query(self) -> str:
        """This page's own, for links that only change one thing of it."""
        return urlencode({name: self.data[name] for name in self.fields if self.data.get(name)})

    def _seen(self) -> list[int | None] | None:
        return None if self.sees_all else [one.pk for one in self.environments]

    def _chosen_environments(self, name: str) -> list[int | None] | None:
        if name == NO_ENVIRONMENT:
            return [None]
        return [one.pk for one in self.environments if one.name == name] if name else self._seen()

    def _model_ids(self, name: str) -> list[str]:
        named = Model.objects.filter(assistant=self.assistant, name=name).exclude(rasa_model_id="")
        return list(named.values_list("rasa_model_id", flat=True))


def _with_dates(data: QueryDict) -> QueryDict:
    """Who asks for own dates and names none begins with those of the last month."""
    if data.get("range") != OWN or data.get("since") or data.get("until"):
        return data
    data = data.copy()
    today = timezone.localdate()
    data["since"], data["until"] = (today - timedelta(days=_OWN_DAYS - 1)).isoformat(), today.isoformat()
    return data


# From each channel to the next one of the index, however many rows have it.
_CHANNELS = """
WITH RECURSIVE channel (name) AS (
    SELECT (SELECT min(channel) FROM conversations_tally WHERE assistant_id = %(assistant)s)
    UNION ALL
    SELECT (SELECT min(channel) FROM conversations_tally WHERE assistant_id = %(assistant)s AND channel > before.name)
    FROM channel AS before WHERE before.name IS NOT NULL
)
SELECT name FROM channel WHERE name <> '' AND (%(all)s OR EXISTS (
    SELECT FROM conversations_tally WHERE assistant_id = %(assistant)s AND channel = name
        AND environment_id = ANY(%(environments)s::bigint[])))
LIMIT %(most)s
"""


def channels(assistant: Assistant, environments: list[int | None] | None) -> list[str]:
    """Those that have been counted, in these environments or in any, up to a moment ago."""
    asked: dict[str, Any] = {"assistant": assistant.pk, "all": environments is None, "environments": environments or []}
    with connection.cursor() as cursor:
        cursor.execute(_CHANNELS, asked | {"most": CHANNELS_OFFERED})
        return [name for (name,) in cursor.fetchall()]
