"""Forms of correcting messages and of taking examples into the training data."""

import json
from datetime import UTC, datetime
from typing import Any

from django import forms
from django.http import QueryDict

from conversations.services.corrections import OUT_OF_SCOPE_INTENT, Verdict
from models_app.data.examples import ENTITY_NAME, NAME, Annotation, Unwritable, write

MOST_ENTITIES = 50


def moment_in(data: QueryDict, name: str) -> datetime:
    """What somebody had seen when they asked; long ago when that did not arrive, so that nothing unseen is meant."""
    try:
        moment = datetime.fromisoformat(data.get(name, ""))
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


class CorrectionForm(forms.Form):
    """What somebody says of a message. `entities` is JSON as static/js/correction.js keeps it."""

    act = forms.ChoiceField(
        choices=[("save", "save"), ("ignore", "ignore"), ("out_of_scope", "out of scope")], required=False
    )
    choice = forms.CharField(max_length=255, required=False)  # an intent's own button, which counts before the field
    intent = forms.CharField(max_length=255, required=False)
    entities = forms.CharField(max_length=50_000, required=False, strip=False)

    def __init__(self, data: Any, *, text: str) -> None:
        super().__init__(data)
        self._text = text

    def clean_intent(self) -> str:
        name: str = (self.cleaned_data.get("choice") or self.cleaned_data["intent"]).strip()
        if name and not NAME.fullmatch(name):
            raise forms.ValidationError(f"“{name}” cannot be an intent: use letters, digits, dashes and underscores.")
        return name

    def clean_entities(self) -> list[Annotation]:
        try:
            facts = json.loads(self.cleaned_data["entities"] or "[]")
            found = [_annotation(one, self._text) for one in facts]
        except (ValueError, TypeError, KeyError, RecursionError):
            raise forms.ValidationError("The entities did not arrive as the page writes them. Load it again.") from None
        self._refuse_unusable(found)
        return found

    def _refuse_unusable(self, found: list[Annotation]) -> None:
        if len(found) > MOST_ENTITIES:
            raise forms.ValidationError(f"A message may have at most {MOST_ENTITIES} entities.")
        for one in found:
            for what in (one.entity, *filter(None, (one.role, one.group))):
                if not ENTITY_NAME.fullmatch(what):
                    raise forms.ValidationError(
                        f"“{what}” cannot be a name: use letters, digits, dashes and underscores."
                    )
            words = self._text[one.start : one.end]
            if not words or words != words.strip():
                raise forms.ValidationError("An entity begins and ends with a letter, not with a space.")

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if data.get("act") == "ignore" or self.errors:
            return data
        if data.get("act") == "out_of_scope":
            data["intent"] = OUT_OF_SCOPE_INTENT
        if not data.get("intent"):
            self.add_error("intent", "Choose an intent, or say that it is no example.")
            return data
        try:
            write(self._text, data.get("entities") or ())
        except Unwritable as error:
            self.add_error("entities", f"This cannot be an example. {error} Say that it is none.")
        return data

    @property
    def verdict(self) -> Verdict:
        """Of a valid form."""
        if self.cleaned_data["act"] == "ignore":
            return Verdict("")
        return Verdict(self.cleaned_data["intent"], self.cleaned_data["entities"])

    @property
    def problem(self) -> str:
        """The first error as a sentence."""
        return next((str(error) for errors in self.errors.values() for error in errors), "")


def _annotation(facts: Any, text: str) -> Annotation:
    start, end = facts["start"], facts["end"]
    names = [facts.get(key) or "" for key in ("entity", "value", "role", "group")]
    if type(start) is not int or type(end) is not int or not 0 <= start < end:
        raise ValueError("no place")
    if not all(isinstance(one, str) and len(one) <= 1000 and "\x00" not in one for one in names):
        raise ValueError("no text")
    entity, value, role, group = (one.strip() for one in names)
    return Annotation(start, end, entity, "" if value == text[start:end] else value, role, group)
