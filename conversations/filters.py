"""The filters of the conversations list. They live in the URL: every value here is a query parameter."""

from typing import Any

from django import forms

from conversations.models import Conversation, DeadLetter, IntakeSource, ShareLink
from conversations.querysets import ConversationQuerySet
from environments.models import Environment
from environments.querysets import EnvironmentQuerySet
from models_app.models import Assistant, Model
from studio.access.models import User
from studio.access.permissions import Permission
from studio.web.filters import DayRangeFilter

MODELS_OFFERED = 50
NO_ENVIRONMENT = "-"  # conversations that came under a name nobody knows; no environment can be called so
_LINK = "link:"


def _with_conversations(viewer: User) -> EnvironmentQuerySet:
    """Where the viewer can have conversations to see: everybody's, or their own."""
    everything = Environment.objects.with_permission(viewer, Permission.CONVERSATIONS_VIEW)
    return everything | Environment.objects.with_permission(viewer, Permission.TALK)


class ConversationFilter(DayRangeFilter):
    """Only what the viewer may see is offered; a value that is not offered is an error beside its field."""

    q = forms.CharField(required=False, max_length=200, label="Text")
    environment = forms.ChoiceField(required=False)
    model = forms.CharField(required=False, max_length=200)
    origin = forms.ChoiceField(required=False)

    def __init__(self, data: Any, *, assistant: Assistant, viewer: User) -> None:
        super().__init__(data)
        self.assistant = assistant
        self.environments = list(_with_conversations(viewer).filter(assistant=assistant))
        self.models = list(Model.objects.visible_to(viewer).filter(assistant=assistant)[:MODELS_OFFERED])
        readable = Environment.objects.with_permission(viewer, Permission.CONVERSATIONS_VIEW).filter(
            assistant=assistant
        )
        self.links = list(ShareLink.objects.filter(environment__in=readable))
        self._offer("environment", [(one.name, one.name) for one in self.environments] + [(NO_ENVIRONMENT, "unknown")])
        origins = [("real", "Real people"), ("talk", "Our own"), ("share", "Any share link")]
        self._offer("origin", origins + [(f"{_LINK}{one.pk}", f"Link: {one.name}") for one in self.links])

    def _offer(self, name: str, choices: list[tuple[str, str]]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [("", "any"), *choices]

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
        since, until = self.bounds()
        if since:
            conversations = conversations.filter(last_event_at__gte=since.timestamp())
        if until:
            conversations = conversations.filter(first_event_at__lt=until.timestamp())
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


class DeadLetterFilter(forms.Form):
    """State and source, as the address has them. `sources` are those that the viewer sees letters of."""

    state = forms.ChoiceField(required=False, choices=DeadLetter.State.choices)
    source = forms.ChoiceField(required=False)

    def __init__(self, data: Any) -> None:
        super().__init__(data)
        self.sources: list[IntakeSource] = []

    def offer(self, sources: list[IntakeSource]) -> None:
        self.sources = sources
        field = self.fields["source"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [("", "Source: any"), *((str(one.pk), one.name) for one in sources)]

    @property
    def chosen_state(self) -> str:
        """Known before the form is complete, because it decides which sources there are."""
        asked = self.data.get("state") or DeadLetter.State.WAITING
        return asked if asked in DeadLetter.State.values else DeadLetter.State.WAITING

    @property
    def chosen_source(self) -> IntakeSource | None:
        """Of a valid form."""
        return next((one for one in self.sources if str(one.pk) == self.cleaned_data["source"]), None)

    @property
    def query(self) -> dict[str, str]:
        """What links from the list must carry on."""
        return {name: self.data[name] for name in self.fields if self.data.get(name)}
