"""The filters of the conversations list. They live in the URL: every value here is a query parameter."""

from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator

from conversations.models import Conversation, ShareLink
from conversations.querysets import ConversationQuerySet
from environments.models import Environment
from models_app.models import Assistant, Model
from studio.access.models import User

MODELS_OFFERED = 50
NO_ENVIRONMENT = "-"  # conversations that came under a name nobody knows; no environment can be called so
_LINK = "link:"
_POSSIBLE = [MinValueValidator(date(1970, 1, 1)), MaxValueValidator(date(9990, 1, 1))]


class ConversationFilter(forms.Form):
    """Only what the viewer may see is offered; a value that is not offered is an error beside its field."""

    q = forms.CharField(required=False, max_length=200, label="Text")
    environment = forms.ChoiceField(required=False)
    model = forms.CharField(required=False, max_length=200)
    origin = forms.ChoiceField(required=False)
    since = forms.DateField(required=False, label="From", validators=_POSSIBLE)
    until = forms.DateField(required=False, label="Until", validators=_POSSIBLE)
    tz = forms.CharField(required=False, max_length=64, label="Time zone")

    def __init__(self, data: Any, *, assistant: Assistant, viewer: User) -> None:
        super().__init__(data)
        self.assistant = assistant
        self.environments = list(Environment.objects.visible_to(viewer).filter(assistant=assistant))
        self.models = list(Model.objects.visible_to(viewer).filter(assistant=assistant)[:MODELS_OFFERED])
        self.links = list(ShareLink.objects.filter(environment__in=self.environments))
        self._offer("environment", [(one.name, one.name) for one in self.environments] + [(NO_ENVIRONMENT, "unknown")])
        origins = [("real", "Real people"), ("talk", "Our own"), ("share", "Any share link")]
        self._offer("origin", origins + [(f"{_LINK}{one.pk}", f"Link: {one.name}") for one in self.links])

    def _offer(self, name: str, choices: list[tuple[str, str]]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [("", "any"), *choices]

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

    @property
    def has_other_model(self) -> bool:
        """Whether the list is narrowed to a model that is too old, or deleted, to be offered."""
        chosen = self.data.get("model")
        return bool(chosen) and all(one.name != chosen for one in self.models)

    def apply(self, conversations: ConversationQuerySet) -> ConversationQuerySet:
        """What matches; with an invalid value nothing does, and the page says why."""
        if not self.is_valid():
            return conversations.none()
        data = self.cleaned_data
        conversations = self._by_place(conversations, data["environment"], data["model"])
        conversations = self._by_origin(conversations, data["origin"])
        zone = ZoneInfo(data["tz"] or "UTC")
        if data["since"]:
            conversations = conversations.filter(last_event_at__gte=_midnight(data["since"], zone))
        if data["until"]:
            conversations = conversations.filter(first_event_at__lt=_midnight(data["until"] + timedelta(days=1), zone))
        return conversations.saying(data["q"]) if data["q"] else conversations

    def _by_place(self, conversations: ConversationQuerySet, environment: str, model: str) -> ConversationQuerySet:
        if environment == NO_ENVIRONMENT:
            conversations = conversations.filter(environment=None)
        elif environment:
            conversations = conversations.filter(
                environment__in=[e for e in self.environments if e.name == environment]
            )
        if model:
            named = Model.objects.filter(assistant=self.assistant, name=model).exclude(rasa_model_id="")
            ids = list(named.values_list("rasa_model_id", flat=True))
            conversations = conversations.filter(model_ids__overlap=ids) if ids else conversations.none()
        return conversations

    def _by_origin(self, conversations: ConversationQuerySet, origin: str) -> ConversationQuerySet:
        if origin.startswith(_LINK):
            return conversations.filter(share_link_id=int(origin.removeprefix(_LINK)))
        return conversations.filter(origin=Conversation.Origin(origin)) if origin else conversations


def _midnight(day: date, zone: ZoneInfo) -> float:
    """Seconds since 1970 at which `day` begins there."""
    return datetime.combine(day, time(), zone).timestamp()
