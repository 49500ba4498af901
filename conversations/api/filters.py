"""The filters of the conversations list as programs give them: those of the page, and those of Rasa Enterprise."""

import math
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict

from conversations.filters import ConversationFilter
from conversations.querysets import ConversationQuerySet
from studio.errors import Invalid

CALLED = {  # Rasa Enterprise's name: ours
    "text": "q",
    "minimumUserMessages": "at_least",
    "maximumConfidence": "up_to",
    "is_flagged": "flagged",
    "review_status": "review",
}
REVIEW = {"": "unread", "reviewed": "reviewed", "saved": "saved_for_later"}  # ours: Rasa Enterprise's
_REVIEW = {"unread": "new", "saved_for_later": "saved"}
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_YES, _NO = {"1", "true", "yes", "on"}, {"0", "false", "no", "off"}


class MomentField(forms.CharField):
    """Seconds since 1970, or a time as ISO 8601 writes it; seconds since 1970 come out, or None."""

    def clean(self, value: Any) -> float | None:
        text = super().clean(value)
        if not text:
            return None
        try:
            seconds = _seconds(text)
        except (ValueError, OverflowError, OSError):
            raise ValidationError("Give seconds since 1970, or a time such as 2026-11-28T09:30:00Z.") from None
        return seconds


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        moment = datetime.fromisoformat(text)
        seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    if not math.isfinite(seconds):
        raise ValueError("no time")
    return seconds


class ApiFilter(ConversationFilter):
    """Besides, `start` and `before` are moments: something was said between them."""

    start = MomentField(required=False, max_length=64, label="Something was said at or after: seconds since 1970")
    before = MomentField(required=False, max_length=64, label="Something was said before: seconds since 1970")
    up_to = forms.FloatField(required=False, min_value=0, max_value=1, label="Confidence of some message at most")

    def _by_time(self, conversations: ConversationQuerySet) -> ConversationQuerySet:
        start, before = self.cleaned_data["start"], self.cleaned_data["before"]
        if start is not None:
            conversations = conversations.filter(last_event_at__gte=start)
        if before is not None:
            conversations = conversations.filter(first_event_at__lt=before)
        return super()._by_time(conversations)

    def _by_facts(self, conversations: ConversationQuerySet) -> ConversationQuerySet:
        up_to = self.cleaned_data["up_to"]
        found = super()._by_facts(conversations)
        return found if up_to is None else found.filter(min_confidence__lte=up_to)


def asked(query: QueryDict) -> QueryDict:
    """The parameters of an address under the names of ApiFilter's fields, without those that ask for nothing."""
    found = QueryDict(mutable=True)
    for name, value in query.items():
        field = _name_of(name, str(value))
        if field in ApiFilter.base_fields and value:
            found[field] = str(value)
    if "review" in found:
        review = str(found["review"])
        found["review"] = _REVIEW.get(review, review)
    for name, kind in ApiFilter.base_fields.items():
        if isinstance(kind, forms.BooleanField) and name in found and not _is_wanted(name, str(found[name]), query):
            del found[name]
    return found


def _is_wanted(name: str, word: str, query: QueryDict) -> bool:
    if word.lower() not in _YES | _NO:
        where = next((theirs for theirs, ours in CALLED.items() if ours == name and theirs in query), name)
        raise Invalid(f"{where} is true or false.", errors=[{"where": where, "message": "true or false"}])
    return word.lower() in _YES


def _name_of(name: str, value: str) -> str:
    if name == "until" and value and not _DAY.fullmatch(value):
        return "before"  # a moment and no day
    return CALLED.get(name, name)


def asked_of_page(query: QueryDict, besides: Iterable[str] = ()) -> str:
    """The same for work that keeps the filters as the page has them: as an address. Raises Invalid for a name that is
    no filter: a mistyped one must not choose everything."""
    unknown = sorted(set(query) - {*ConversationFilter.base_fields, *CALLED, *besides, "api_token"})
    if unknown:
        raise Invalid(f"There is no filter called {', '.join(unknown)[:200]}.", code="unknown-filter")
    found = asked(query)
    odd = sorted(set(found) - set(ConversationFilter.base_fields))
    if odd:
        raise Invalid(f"Here time is given in days, as since and until, and confidence as below: not {', '.join(odd)}.")
    return found.urlencode()
