"""Forms of talking and sharing, and of comparing events."""

import time
from typing import Any

from django import forms

from conversations.models import ShareLink
from environments.models import Environment
from environments.querysets import EnvironmentQuerySet
from studio.errors import DomainError

LONGEST_MESSAGE = 4000


def refuse(form: forms.Form, error: DomainError) -> None:
    """Say what a service refused, beside the field that it names."""
    field = error.details.get("field")
    form.add_error(field if isinstance(field, str) else None, error.message)


class MessageForm(forms.Form):
    """What somebody says. `nonce` is new for each message, so that one sent twice is known."""

    text = forms.CharField(
        max_length=LONGEST_MESSAGE,
        error_messages={
            "required": "Write something first.",
            "max_length": f"That is too long: a message holds up to {LONGEST_MESSAGE:,} characters.",
        },
    )
    nonce = forms.CharField(max_length=64, required=False)
    conversation = forms.CharField(max_length=255, required=False)

    @property
    def problem(self) -> str:
        """The first error as a sentence."""
        return next((str(error) for errors in self.errors.values() for error in errors), "")


class LinkForm(forms.Form):
    """What people set on a share link."""

    name = forms.CharField(
        max_length=120, help_text="For your team, such as “Friends of the house”. Guests do not see it."
    )
    greeting = forms.CharField(
        max_length=1000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="What guests read before the first word.",
    )
    expires_at = forms.DateTimeField(
        required=False,
        label="Ends (UTC)",
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        help_text="Afterwards guests see a friendly page instead of the chat.",
    )

    environment = forms.ModelChoiceField(
        Environment.objects.none(),
        empty_label=None,
        help_text="Guests talk to the model that is live there, also after later promotions.",
    )
    field_order = ("is_on", "environment", "name", "greeting", "expires_at")

    def __init__(self, data: Any, *, environments: EnvironmentQuerySet, initial: dict[str, Any] | None = None) -> None:
        super().__init__(data, initial=initial)
        field = self.fields["environment"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = environments


class ChangeLinkForm(LinkForm):
    is_on = forms.BooleanField(required=False, label="On", help_text="Off, guests are told to come back later.")

    @classmethod
    def of(cls, link: ShareLink, data: Any, environments: EnvironmentQuerySet) -> "ChangeLinkForm":
        names = ("environment", "name", "greeting", "expires_at", "is_on")
        return cls(data, environments=environments, initial={name: getattr(link, name) for name in names})


class DiscardForm(forms.Form):
    """Why letters are discarded: whoever finds them missing reads it."""

    reason = forms.CharField(
        max_length=500,
        label="Why",
        widget=forms.Textarea(attrs={"rows": 2, "placeholder": "Test messages of the load test"}),
        help_text="Kept with the letters, and in the audit log.",
    )


class RecordForm(forms.Form):
    """The record of a dead letter as a text."""

    text = forms.CharField(
        strip=False,
        label="Record",
        widget=forms.Textarea(
            attrs={"rows": 18, "spellcheck": "false", "autocapitalize": "off", "autocomplete": "off", "dir": "ltr"}
        ),
        help_text="What cannot be seen is written as JSON escapes it, such as <code>\\u200b</code>; it means the same. "
        "The record as it came is kept beside this one.",
        error_messages={"required": "The record is empty. Discard the letter instead."},
    )

    @property
    def record(self) -> bytes:
        """Browsers send every end of a line as CR and LF."""
        text: str = self.cleaned_data["text"]
        return text.replace("\r\n", "\n").encode()


class CheckForm(forms.Form):
    """What is compared with the Rasa server."""

    PERIODS = (("1", "The last day"), ("7", "The last 7 days"), ("30", "The last 30 days"), ("all", "All time"))

    days = forms.ChoiceField(label="Period", choices=PERIODS, initial="7")
    conversations = forms.ChoiceField(
        choices=(("300", "A sample of 300"), ("3000", "A sample of 3,000"), ("all", "All of them")),
        initial="300",
        help_text="One request to the Rasa server for each. It is asked slowly, and more slowly while it is busy.",
    )

    def since(self) -> float | None:
        """Rasa's time at which the period begins; None is the beginning of all."""
        days = self.cleaned_data["days"]
        return None if days == "all" else time.time() - int(days) * 86400

    def sample(self) -> int | None:
        number = self.cleaned_data["conversations"]
        return None if number == "all" else int(number)


class SavedFilterForm(forms.Form):
    """A name for the filters of a list, and whether others see it."""

    name = forms.CharField(max_length=80, help_text="Such as “Unsure this week”.")
    is_shared = forms.BooleanField(
        required=False,
        label="Share with the team",
        help_text="Everybody who may view conversations here sees it; each finds with it what they may see themselves.",
    )
