"""The filters of the audit page. They live in the URL: every value here is a query parameter."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db.models import Q, TextField
from django.db.models.functions import Cast

from studio.access.scopes import Place
from studio.audit.actions import Action
from studio.audit.querysets import AuditEventQuerySet

_POSSIBLE = [MinValueValidator(date(1970, 1, 1)), MaxValueValidator(date(9990, 1, 1))]


class AuditFilter(forms.Form):
    """`kind` and `target` together are one row's history (other pages link here so); `q` searches words."""

    q = forms.CharField(required=False, max_length=200, label="Text")
    who = forms.CharField(required=False, max_length=200, label="Who")
    action = forms.ChoiceField(required=False, label="Action")
    assistant = forms.ChoiceField(required=False, label="Assistant")
    kind = forms.CharField(required=False, max_length=63, label="Kind of target")
    target = forms.CharField(required=False, max_length=200, label="Target")
    since = forms.DateField(required=False, label="From", validators=_POSSIBLE)
    until = forms.DateField(required=False, label="Until", validators=_POSSIBLE)
    tz = forms.CharField(required=False, max_length=64, label="Time zone")

    def __init__(self, data: Mapping[str, Any], *, places: Sequence[Place]) -> None:
        super().__init__(data)
        assistants = [place for place in places if place.scope.environment_id is None]
        self._offer("action", [(one.value, one.label) for one in Action])
        self._offer("assistant", [(str(one.scope.assistant_id), one.label) for one in assistants])

    def _offer(self, name: str, choices: list[tuple[str, str]]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [("", f"{field.label}: any"), *choices]

    def clean_tz(self) -> str:
        name: str = self.cleaned_data["tz"]
        try:
            ZoneInfo(name or "UTC")
        except (KeyError, ValueError, OSError):
            raise ValidationError(f"There is no time zone called {name}.") from None
        return name

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if data.get("since") and data.get("until") and data["since"] > data["until"]:
            self.add_error("until", "The last day lies before the first.")
        return data

    @property
    def is_used(self) -> bool:
        """Whether the list shows less than everything; a time zone alone narrows nothing."""
        return any(self.data.get(name) for name in self.fields if name != "tz")

    @property
    def zones(self) -> list[tuple[str, str]]:
        """UTC and the zone in use; the browser adds its own."""
        chosen = self.data.get("tz") or ""
        return [("", "UTC")] + ([(chosen, chosen)] if chosen else [])

    def apply(self, events: AuditEventQuerySet) -> AuditEventQuerySet:
        """What matches; with an invalid value nothing does, and the page says why."""
        if not self.is_valid():
            return events.none()
        data = self.cleaned_data
        conditions = {
            "actor_label__icontains": data["who"],
            "action": data["action"],
            "assistant_id": data["assistant"],
            "target_kind": data["kind"],
            "target_id" if data["kind"] else "target_label__icontains": data["target"],
            **self._days(data["since"], data["until"], ZoneInfo(data["tz"] or "UTC")),
        }
        events = events.filter(**{name: value for name, value in conditions.items() if value})
        return _saying(events, data["q"]) if data["q"] else events

    def _days(self, since: date | None, until: date | None, zone: ZoneInfo) -> dict[str, datetime | None]:
        """Both days included, as they begin and end in that zone."""
        return {
            "at__gte": datetime.combine(since, time(), zone) if since else None,
            "at__lt": datetime.combine(until + timedelta(days=1), time(), zone) if until else None,
        }


def _saying(events: AuditEventQuerySet, text: str) -> AuditEventQuerySet:
    """Events with `text` in their target, reason, or in what was before and after."""
    written = events.alias(old=Cast("before", TextField()), new=Cast("after", TextField()))
    found = Q(target_label__icontains=text) | Q(reason__icontains=text)
    return written.filter(found | Q(old__icontains=text) | Q(new__icontains=text))
