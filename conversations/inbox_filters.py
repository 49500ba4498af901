"""Which messages the inbox shows. It lives in the address."""

from collections.abc import Sequence
from datetime import timedelta
from functools import cached_property
from typing import Any

from django import forms
from django.utils import timezone

from conversations.models.conversations import SURE_FROM
from conversations.presentation.items import FALLBACK_INTENT
from conversations.services.inbox import Wanted, places_of
from models_app.data.vocabulary import Vocabulary
from models_app.models import Assistant, Model
from models_app.vocabulary import vocabulary_of
from studio.access.models import User
from studio.web.filters import DayRangeFilter

MODELS_OFFERED = 50
LONGEST = timedelta(days=366)  # each day of the window is looked up
USUAL_DAYS = 30
DAYS = (
    ("1", "last 24 hours"),
    ("7", "last 7 days"),
    ("", "last 30 days"),
    ("90", "last 90 days"),
    ("365", "last 365 days"),
)
BELOW = (("", f"below {SURE_FROM:.2f}"), ("0.6", "below 0.60"), ("0.4", "below 0.40"), ("0.2", "below 0.20"))
NOT_UNDERSTOOD = FALLBACK_INTENT


class InboxFilter(DayRangeFilter):
    """Days of one's own come before `days`, which counts back from now."""

    environment = forms.ChoiceField(required=False)
    model = forms.CharField(required=False, max_length=200)
    intent = forms.CharField(required=False, max_length=255)
    below = forms.ChoiceField(required=False, choices=BELOW, label="Confidence")
    days = forms.ChoiceField(required=False, choices=DAYS)
    own = forms.ChoiceField(required=False, choices=[("", "real people"), ("1", "also our own")], label="From")

    def __init__(self, data: Any, *, assistant: Assistant, viewer: User) -> None:
        super().__init__(data)
        self.assistant, self.viewer = assistant, viewer
        self.environments = places_of(viewer, assistant)
        field = self.fields["environment"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [("", "any"), *((one.name, one.name) for one in self.environments)]

    @cached_property
    def models(self) -> list[Model]:
        """Those that are offered; others may stand in the address."""
        return list(Model.objects.visible_to(self.viewer).filter(assistant=self.assistant)[:MODELS_OFFERED])

    @cached_property
    def vocabulary(self) -> Vocabulary:
        return vocabulary_of(self.assistant)

    @property
    def intents(self) -> list[str]:
        """Those that are offered; others may stand in the address."""
        chosen = self.data.get("intent") or ""
        names = {NOT_UNDERSTOOD, *self.vocabulary.intents, *([chosen] if chosen else [])}
        return sorted(names - {NOT_UNDERSTOOD})

    @property
    def has_other_model(self) -> bool:
        chosen = self.data.get("model")
        return bool(chosen) and all(one.name != chosen for one in self.models)

    def clean(self) -> dict[str, Any]:
        data = super().clean()
        if data.get("since") and data.get("until") and data["until"] - data["since"] >= LONGEST:
            self.add_error("since", f"A window may be {LONGEST.days} days long.")
        return data

    def wanted(self) -> Wanted:
        """Of a valid form."""
        data = self.cleaned_data
        since, until = self.bounds()
        last = until or timezone.now()
        if since is None or last - since > LONGEST:
            since = last - timedelta(days=int(data["days"] or USUAL_DAYS)) if since is None else since
            last = min(last, since + LONGEST)
        return Wanted(
            environments=[one.pk for one in self.environments if data["environment"] in ("", one.name)],
            since=since,
            until=last,
            below=float(data["below"] or SURE_FROM),
            intent=data["intent"] or None,
            models=self._model_ids(data["model"]),
            own_too=bool(data["own"]),
        )

    def _model_ids(self, name: str) -> Sequence[str] | None:
        if not name:
            return None
        named = Model.objects.filter(assistant=self.assistant, name=name).exclude(rasa_model_id="")
        return list(named.values_list("rasa_model_id", flat=True))
