"""The filters of the conversations list. They live in the URL: every value here is a query parameter."""

from collections.abc import Callable
from datetime import datetime, time
from functools import cached_property
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from django import forms
from django.db.models import DateTimeField, F, Func, Q, QuerySet, TimeField, Value
from django.db.models.functions import Cast
from django.forms import BoundField
from django.utils import timezone

from conversations.happening import Happened, Happening
from conversations.models import Conversation, DeadLetter, IntakeSource, ShareLink, Term
from conversations.paging import NEWEST, ORDERS, FoundBy, Listing, Order
from conversations.querysets import ConversationQuerySet
from conversations.search import terms
from conversations.search.text import Search
from conversations.services.marks import tag_name, tag_names
from environments.models import Environment
from environments.querysets import EnvironmentQuerySet
from models_app.models import Assistant, Model
from studio.access.models import User
from studio.access.permissions import Permission, Scope
from studio.errors import DomainError
from studio.web.filters import DayRangeFilter

MODELS_OFFERED = 50
NAMES_OFFERED = 2000
NO_ENVIRONMENT = "-"  # conversations that came under a name nobody knows; no environment can be called so
_LINK = "link:"


def _with_conversations(viewer: User) -> EnvironmentQuerySet:
    """Where the viewer can have conversations to see: everybody's, or their own."""
    everything = Environment.objects.heard_by(viewer, Permission.CONVERSATIONS_VIEW)
    return everything | Environment.objects.heard_by(viewer, Permission.TALK)


class Offered(NamedTuple):
    """A model or share link that one can choose; the newest have the highest keys."""

    is_model: bool
    pk: int
    name: str


def _as_offered(rows: QuerySet[Any], *, is_model: bool) -> QuerySet[Any, Any]:
    return rows.values_list(Value(is_model), "pk", "name")


_TIME = forms.TimeInput(attrs={"type": "time"})
_MOMENT = forms.DateTimeInput(attrs={"type": "datetime-local"})


class ConversationFilter(DayRangeFilter):
    """Only what the viewer may see is offered; a value that is not offered is an error beside its field.

    Entities and slots are named `city`, or with their value `city=Paris`. With "what happened" besides, a model,
    channel, intent or action is that of what happened.
    """

    q = forms.CharField(required=False, max_length=200, label="Text")
    environment = forms.ChoiceField(required=False)
    model = forms.CharField(required=False, max_length=200)
    origin = forms.ChoiceField(required=False)
    channel = forms.CharField(required=False, max_length=255)
    intent = forms.CharField(required=False, max_length=255)
    not_intent = forms.CharField(required=False, max_length=255, label="Not the intent")
    entity = forms.CharField(required=False, max_length=255)
    slot = forms.CharField(required=False, max_length=255)
    action = forms.CharField(required=False, max_length=255)
    policy = forms.CharField(required=False, max_length=255)
    below = forms.FloatField(required=False, min_value=0, max_value=1, step_size=0.01, label="Confidence below")
    at_least = forms.IntegerField(required=False, min_value=0, max_value=1_000_000, label="Messages, at least")
    at_most = forms.IntegerField(required=False, min_value=0, max_value=1_000_000, label="Messages, at most")
    begun_from = forms.TimeField(required=False, label="Begun from", widget=_TIME)
    begun_until = forms.TimeField(required=False, label="Begun until", widget=_TIME)
    happened = forms.ChoiceField(required=False, label="What happened", choices=[("", "anything"), *Happening.choices])
    happened_from = forms.DateTimeField(required=False, label="Happened from", widget=_MOMENT)
    happened_until = forms.DateTimeField(required=False, label="Happened before", widget=_MOMENT)
    fallback = forms.BooleanField(required=False, label="Not understood")
    rejected = forms.BooleanField(required=False, label="Action rejected")
    handover = forms.BooleanField(required=False, label="Handed over to a human")
    review = forms.ChoiceField(
        required=False,
        choices=[("", "any"), ("new", "Not reviewed"), ("reviewed", "Reviewed"), ("saved", "Saved for later")],
    )
    rated = forms.ChoiceField(
        required=False,
        label="Rated by guests",
        choices=[("", "any"), ("up", "Up"), ("down", "Down"), ("commented", "With a comment")],
    )
    tag = forms.CharField(required=False, max_length=60)
    flagged = forms.BooleanField(required=False)
    unread = forms.BooleanField(required=False, label="Unread by me")
    sort = forms.ChoiceField(required=False, choices=[("", ""), *((one.name, one.label) for one in ORDERS.values())])

    narrowing_nothing = DayRangeFilter.narrowing_nothing | {"sort"}

    def __init__(self, data: Any, *, assistant: Assistant, viewer: User) -> None:
        super().__init__(data)
        self.assistant, self.viewer = assistant, viewer
        self.sees_everything = viewer.may(Permission.CONVERSATIONS_VIEW, Scope(assistant.pk))
        self._offer("environment", self._environment_choices)
        self._offer("origin", self._origin_choices)

    def _offer(self, name: str, choices: Callable[[], list[tuple[str, str]]]) -> None:
        """Choices that are read when they are shown or chosen from; a page beside the list does neither."""
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        field.choices = choices

    @cached_property
    def environments(self) -> list[Environment]:
        return list(_with_conversations(self.viewer).filter(assistant=self.assistant))

    @property
    def models(self) -> list[Offered]:
        return [one for one in self._offered if one.is_model]

    @property
    def links(self) -> list[Offered]:
        return [one for one in self._offered if not one.is_model]

    @cached_property
    def _offered(self) -> list[Offered]:
        """Read together, because the bar shows both."""
        models = Model.objects.visible_to(self.viewer).filter(assistant=self.assistant)[:MODELS_OFFERED]
        readable = Environment.objects.heard_by(self.viewer, Permission.CONVERSATIONS_VIEW)
        links = ShareLink.objects.filter(environment__in=readable.filter(assistant=self.assistant))
        found = _as_offered(models, is_model=True).union(_as_offered(links, is_model=False), all=True)
        return sorted((Offered(*one) for one in found), reverse=True)

    def _environment_choices(self) -> list[tuple[str, str]]:
        named = [(one.name, one.name) for one in self.environments]
        return [("", "any"), *named, (NO_ENVIRONMENT, "unknown")]

    def _origin_choices(self) -> list[tuple[str, str]]:
        origins = [("", "any"), ("real", "Real people"), ("talk", "Our own"), ("share", "Any share link")]
        return origins + [(f"{_LINK}{one.pk}", f"Link: {one.name}") for one in self.links]

    def clean_tag(self) -> str:
        typed: str = self.cleaned_data["tag"]
        try:
            return tag_name(typed) if typed else ""
        except DomainError as error:
            raise forms.ValidationError(error.message) from None

    def clean(self) -> dict[str, Any]:
        data = super().clean()
        since, until = (self._moment(name) for name in ("happened_from", "happened_until"))
        if since is not None and until is not None and since >= until:
            self.add_error("happened_until", "It has to be later than where it begins.")
        return data

    def _moment(self, name: str) -> float | None:
        """In seconds since 1970, of what was written as a clock in the chosen zone shows it."""
        value: datetime | None = self.cleaned_data.get(name)
        if value is None:
            return None
        has_offset = value.tzinfo is not timezone.get_current_timezone()
        zone = ZoneInfo(self.cleaned_data.get("tz") or "UTC")
        return (value if has_offset else value.replace(tzinfo=zone)).timestamp()

    @property
    def has_other_model(self) -> bool:
        """Whether the list is narrowed to a model that is too old, or deleted, to be offered."""
        chosen = self.data.get("model")
        return bool(chosen) and all(one.name != chosen for one in self.models)

    @property
    def more(self) -> list[BoundField]:
        """The fields that stand behind "More filters"."""
        return [self[name] for name in self.fields if name in _MORE]

    @property
    def more_used(self) -> list[BoundField]:
        return [field for field in self.more if field.data]

    @property
    def named_fields(self) -> list[str]:
        """The fields that take a name."""
        return [*_NAMES, *_WITH_VALUES, "tag"]

    @cached_property
    def names(self) -> dict[str, list[str]]:
        """What can be written into each of these: what occurs in the conversations."""
        kinds = {kind: name for name, kind in _NAMES.items()} | {kinds[0]: name for name, kinds in _WITH_VALUES.items()}
        found: dict[str, list[str]] = {name: [] for name in self.named_fields}
        found["tag"] = tag_names(self.assistant.pk) if self.sees_everything else []
        if self.sees_everything:
            known = Term.objects.filter(assistant=self.assistant, kind__in=kinds).order_by("kind", "value")
            for kind, value in known.values_list("kind", "value")[:NAMES_OFFERED]:
                found[kinds[kind]].append(value)
        return found

    @property
    def found_by(self) -> FoundBy:
        used = {name for name in self.fields if self.data.get(name)} - self.narrowing_nothing
        if used & _FOUND_BY_TERMS:
            return FoundBy.TERMS
        return FoundBy.ORDER if used <= _IN_NO_INDEX else FoundBy.COLUMNS

    @property
    def order(self) -> Order:
        """Also of a form that is not valid: the list is empty then."""
        return ORDERS.get(self.data.get("sort") or "", NEWEST)

    def apply(self, conversations: ConversationQuerySet, *, by_looking: bool = False) -> ConversationQuerySet:
        """What matches; with an invalid value nothing does, and the page says why. `by_looking`: search/text.py."""
        if not self.is_valid():
            return conversations.none()
        conversations = self._by_place(conversations)
        conversations = self._by_time(conversations)
        conversations = self._by_terms(conversations)
        conversations = self._by_facts(conversations)
        conversations = self._by_what_people_noted(conversations)
        return self._search.narrow(conversations, by_looking=by_looking) if self._search else conversations

    def listing(self) -> Listing:
        """The list that the filters describe, of what the viewer may see."""
        visible = Conversation.objects.visible_to(self.viewer).filter(assistant=self.assistant)
        everything = visible.select_related("environment", "share_link", "talker", "reviewed_by")
        if not self.is_used:
            return Listing(everything, everything, everything, self.order)
        matching, looked_at = self.apply(everything), self.apply(everything, by_looking=True)
        return Listing(everything, matching, looked_at, self.order, self.found_by)

    @property
    def text(self) -> str:
        """What is searched for."""
        return self.cleaned_data["q"] if self.is_valid() else ""

    @cached_property
    def _search(self) -> Search | None:
        return Search(self.assistant.pk, self.text) if self.text else None

    def _by_place(self, conversations: ConversationQuerySet) -> ConversationQuerySet:
        environment, origin = self.cleaned_data["environment"], self.cleaned_data["origin"]
        if environment == NO_ENVIRONMENT:
            conversations = conversations.filter(environment=None)
        elif environment:
            named = [one for one in self.environments if one.name == environment]
            conversations = conversations.filter(environment__in=named)
        if origin.startswith(_LINK):
            return conversations.filter(share_link_id=int(origin.removeprefix(_LINK)))
        return conversations.filter(origin=Conversation.Origin(origin)) if origin else conversations

    def _by_time(self, conversations: ConversationQuerySet) -> ConversationQuerySet:
        since, until = self.bounds()
        if since:
            conversations = conversations.filter(last_event_at__gte=since.timestamp())
        if until:
            conversations = conversations.filter(first_event_at__lt=until.timestamp())
        return self._by_what_happened(self._by_time_of_day(conversations))

    def _by_what_happened(self, conversations: ConversationQuerySet) -> ConversationQuerySet:
        what, channel = self.cleaned_data["happened"], self.cleaned_data["channel"]
        since, until = (self._moment(name) for name in ("happened_from", "happened_until"))
        if not what and since is None and until is None:
            return conversations
        models = self._rasa_models if self.cleaned_data["model"] else None
        names = {name: self.cleaned_data[name] for name in ("intent", "action")}
        return Happened(what, since, until, channel, models, **names).narrow(conversations)

    def _by_time_of_day(self, conversations: ConversationQuerySet) -> ConversationQuerySet:
        first, last = self.cleaned_data["begun_from"], self.cleaned_data["begun_until"]
        if first is None and last is None:
            return conversations
        conversations = conversations.annotate(begun=time_of_day("first_event_at", self.cleaned_data["tz"] or "UTC"))
        since, until = Q(begun__gte=first or time.min), Q(begun__lt=last or time.max)
        over_midnight = bool(first and last and first > last)
        return conversations.filter(since | until if over_midnight else since & until)

    def _by_terms(self, conversations: ConversationQuerySet) -> ConversationQuerySet:
        """By what the search index knows."""
        data, assistant = self.cleaned_data, self.assistant.pk
        wanted = [kind + data[name] for name, kind in _NAMES.items() if data[name]]
        wanted += [_named(kinds, data[name]) for name, kinds in _WITH_VALUES.items() if data[name]]
        if data["fallback"]:
            wanted.append(terms.INTENT + FALLBACK)
        if wanted:
            conversations = conversations.filter(entry__terms__contains=terms.numbers(assistant, wanted))
        if data["not_intent"]:
            unwanted = terms.numbers(assistant, [terms.INTENT + data["not_intent"]])
            conversations = conversations.exclude(entry__terms__contains=unwanted)
        if data["model"]:
            ids = [terms.MODEL + one for one in self._rasa_models]
            conversations = conversations.filter(entry__terms__overlap=terms.numbers(assistant, ids))
        return conversations

    @cached_property
    def _rasa_models(self) -> list[str]:
        """What Rasa calls the models of the chosen name."""
        named = Model.objects.filter(assistant=self.assistant, name=self.cleaned_data["model"])
        return list(named.exclude(rasa_model_id="").values_list("rasa_model_id", flat=True))

    def _by_facts(self, conversations: ConversationQuerySet) -> ConversationQuerySet:
        data = self.cleaned_data
        for name, lookup in _NUMBERS.items():
            if data[name] is not None:
                conversations = conversations.filter(**{lookup: data[name]})
        if data["rejected"]:
            conversations = conversations.filter(rejected_count__gt=0)
        if data["rated"]:
            conversations = conversations.filter(**{_RATED[data["rated"]]: 0})
        return conversations.filter(handover_at__isnull=False) if data["handover"] else conversations

    def _by_what_people_noted(self, conversations: ConversationQuerySet) -> ConversationQuerySet:
        data = self.cleaned_data
        if data["review"]:
            conversations = conversations.in_review("" if data["review"] == "new" else data["review"])
        if data["tag"]:
            conversations = conversations.tagged(data["tag"])
        if data["flagged"]:
            conversations = conversations.flagged()
        return conversations.unread_by(self.viewer) if data["unread"] else conversations


FALLBACK = "nlu_fallback"  # the intent of messages that NLU gave up on
_NAMES = {"channel": terms.CHANNEL, "intent": terms.INTENT, "action": terms.ACTION, "policy": terms.POLICY}
_WITH_VALUES = {"entity": (terms.ENTITY, terms.ENTITY_VALUE), "slot": (terms.SLOT, terms.SLOT_VALUE)}
_MORE = {*_NAMES, *_WITH_VALUES, "not_intent", "below", "at_least", "at_most", "begun_from", "begun_until"}
_MORE |= {"happened", "happened_from", "happened_until"}
_MORE |= {"fallback", "rejected", "handover", "rated", "review", "tag", "flagged", "unread"}
_FOUND_BY_TERMS = {*_NAMES, *_WITH_VALUES, "q", "model", "fallback"}
_IN_NO_INDEX = {"begun_from", "begun_until", "not_intent", "unread"}
_RATED = {"up": "rated_up__gt", "down": "rated_down__gt", "commented": "rated_comments__gt"}
_NUMBERS = {"below": "min_confidence__lt", "at_least": "user_count__gte", "at_most": "user_count__lte"}


def _named(kinds: tuple[str, str], text: str) -> str:
    """The term of `city`, or of `city=Paris`."""
    name, _, value = text.partition("=")
    name = name.strip()
    found = terms.named_value(name, value.strip())
    return kinds[1] + found if found else kinds[0] + name


def time_of_day(column: str, zone: str) -> Cast:
    """The time that a clock in `zone` shows, of a column in seconds since 1970."""
    moment = Func(F(column), function="to_timestamp", output_field=DateTimeField())
    return Cast(Func(Value(zone), moment, function="timezone", output_field=DateTimeField()), TimeField())


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
