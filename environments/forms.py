"""Forms of environments."""

from collections.abc import Mapping
from typing import Any

from django import forms

from environments.models import Environment
from environments.services.environments import checked_action_server, checked_url
from environments.services.promotion import REASON_LENGTH
from environments.services.trying import MOST_MINUTES
from models_app.models import valid_name
from studio.errors import Invalid

_PLAIN = {"autocomplete": "off", "autocapitalize": "off", "spellcheck": "false"}


class AddressField(forms.CharField):
    """An address of a server, without the slash at its end. Whether anything answers there is not asked."""

    def __init__(self, *, label: str, required: bool, placeholder: str, help_text: str = "") -> None:
        widget = forms.TextInput(attrs={**_PLAIN, "inputmode": "url", "placeholder": placeholder})
        super().__init__(max_length=500, label=label, required=required, widget=widget, help_text=help_text)

    def clean(self, value: object) -> str:
        try:
            return checked_url(str(super().clean(value)), "url")
        except Invalid as error:
            raise forms.ValidationError(error.message) from None


class ActionServerField(AddressField):
    """Where Rasa calls the team's own actions: never a private address that is not allowed."""

    def clean(self, value: object) -> str:
        try:
            return checked_action_server(super().clean(value), resolve=True)
        except Invalid as error:
            raise forms.ValidationError(error.message) from None


def _name() -> forms.CharField:
    return forms.CharField(
        max_length=63,
        label="Name",
        validators=[valid_name],
        widget=forms.TextInput(attrs={**_PLAIN, "placeholder": "staging"}),
        help_text="Its tag has the same name. Small letters, digits, dots, dashes and underscores.",
    )


def _address(*, required: bool = True) -> AddressField:
    return AddressField(
        label="Address of the Rasa server",
        required=required,
        placeholder="https://rasa.example.org:5005",
        help_text="It is saved whether or not the server can be reached now.",
    )


def _token(help_text: str) -> forms.CharField:
    widget = forms.PasswordInput(attrs={**_PLAIN, "autocomplete": "new-password"})
    return forms.CharField(max_length=500, label="Server token", required=False, widget=widget, help_text=help_text)


GIVEN = "What Rasa was started with: --auth-token."
KEPT = "What Rasa was started with: --auth-token. Leave it blank to keep the one that is saved."


class AddForm(forms.Form):
    name = _name()
    kind = forms.ChoiceField(
        label="Rasa server",
        choices=[
            (Environment.Kind.CONNECTED, "Our team runs it"),
            (Environment.Kind.MANAGED, "Run one here"),
            (Environment.Kind.UNSET, "Decide later"),
        ],
        initial=Environment.Kind.CONNECTED,
        widget=forms.RadioSelect,
    )
    url = _address()
    server_token = _token(GIVEN)
    use_required_attribute = False  # the address is hidden where no server of one's own is chosen

    def __init__(self, data: Mapping[str, Any] | None = None) -> None:
        super().__init__(data)
        self.fields["url"].error_messages["required"] = "Give the address, or decide later."

    def clean(self) -> dict[str, object]:
        data = super().clean() or self.cleaned_data
        if data.get("kind") != Environment.Kind.CONNECTED:
            self.errors.pop("url", None)
            data["url"] = data["server_token"] = ""
        return data


class NameForm(forms.Form):
    name = _name()


class ConnectForm(forms.Form):
    url = _address()
    server_token = _token(GIVEN)


class ConnectedForm(forms.Form):
    name = _name()
    url = _address()
    server_token = _token(KEPT)


class ManagedForm(forms.Form):
    name = _name()
    action_server_url = ActionServerField(
        label="Address of the action server",
        required=False,
        placeholder="http://actions.example.org:5055/webhook",
        help_text="Where Rasa calls your own actions. A running server is restarted to take it.",
    )


def _reason() -> forms.CharField:
    return forms.CharField(
        max_length=REASON_LENGTH,
        label="Why",
        required=False,
        widget=forms.Textarea(attrs={"rows": 2, "placeholder": "For the history: what changes, and why now"}),
    )


class ReasonForm(forms.Form):
    """`expected` is the primary key of the model that the person saw live, empty for none."""

    reason = _reason()
    expected = forms.IntegerField(required=False, widget=forms.HiddenInput)


class PromoteHereForm(ReasonForm):
    model = forms.CharField(max_length=200, label="Model", error_messages={"required": "Choose a model."})
    field_order = ["model", "reason", "expected"]


class TryingForm(forms.Form):
    """Fields of TryingSettings by their names, and the action server of the assistant's slots."""

    start_after_training = forms.BooleanField(
        required=False,
        label="Start the model of each training that a person asked for",
        help_text="In a free slot, or for the assistant’s idle one; never at the cost of a slot in use.",
    )
    idle_minutes = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=MOST_MINUTES,
        label="Idle minutes",
        help_text="A slot is stopped when nobody spoke for so long. Empty: as the installation says.",
    )
    action_server_url = ActionServerField(
        label="Action server",
        required=False,
        placeholder="http://actions:5055/webhook",
        help_text="Where slots send custom actions. Empty: they have none.",
    )
