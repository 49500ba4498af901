"""The filters of the audit page. They live in the URL: every value here is a query parameter."""

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.db.models import Q, TextField
from django.db.models.functions import Cast

from studio.access.scopes import Place
from studio.audit.actions import Action
from studio.audit.querysets import AuditEventQuerySet
from studio.web.filters import DayRangeFilter


class AuditFilter(DayRangeFilter):
    """`kind` and `target` together are one row's history (other pages link here so); `q` searches words."""

    q = forms.CharField(required=False, max_length=200, label="Text")
    who = forms.CharField(required=False, max_length=200, label="Who")
    action = forms.ChoiceField(required=False, label="Action")
    outcome = forms.ChoiceField(required=False, label="Outcome")
    assistant = forms.ChoiceField(required=False, label="Assistant")
    kind = forms.CharField(required=False, max_length=63, label="Kind of target")
    target = forms.CharField(required=False, max_length=200, label="Target")

    def __init__(self, data: Mapping[str, Any], *, places: Sequence[Place]) -> None:
        super().__init__(data)
        assistants = [place for place in places if place.scope.environment_id is None]
        self._offer("action", [(one.value, one.label) for one in Action])
        self._offer("outcome", [("done", "Done"), ("refused", "Refused")])
        self._offer("assistant", [(str(one.scope.assistant_id), one.label) for one in assistants])

    def _offer(self, name: str, choices: list[tuple[str, str]]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [("", f"{field.label}: any"), *choices]

    def apply(self, events: AuditEventQuerySet) -> AuditEventQuerySet:
        """What matches; with an invalid value nothing does, and the page says why."""
        if not self.is_valid():
            return events.none()
        data = self.cleaned_data
        since, until = self.bounds()
        conditions = {
            "actor_label__icontains": data["who"],
            "action": data["action"],
            "assistant_id": data["assistant"],
            "target_kind": data["kind"],
            "target_id" if data["kind"] else "target_label__icontains": data["target"],
            "at__gte": since,
            "at__lt": until,
        }
        events = events.filter(**{name: value for name, value in conditions.items() if value})
        if data["outcome"]:
            refused = Q(action__in=[one for one in Action if one.is_refusal])
            events = events.filter(refused if data["outcome"] == "refused" else ~refused)
        return _saying(events, data["q"]) if data["q"] else events


def _saying(events: AuditEventQuerySet, text: str) -> AuditEventQuerySet:
    """Events with `text` in their target, reason, or in what was before and after."""
    written = events.alias(old=Cast("before", TextField()), new=Cast("after", TextField()))
    found = Q(target_label__icontains=text) | Q(reason__icontains=text)
    return written.filter(found | Q(old__icontains=text) | Q(new__icontains=text))
