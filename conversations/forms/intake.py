"""Forms of the intake: a Kafka source, what becomes of an incident, who takes an unknown environment over."""

import re
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import QuerySet

from conversations.ingest.kafka_hosts import parted
from conversations.ingest.kafka_settings import DEFAULT_TOPIC, MECHANISMS, PROTOCOLS, KafkaSettings
from conversations.models import IntakeSource
from conversations.services.intake import Wishes
from environments.models import Environment
from environments.querysets import EnvironmentQuerySet
from models_app.models import Assistant, valid_name
from studio.web import outgoing

MOST = 20  # servers, and topics
NEW = "new"
_PLAIN = {"autocomplete": "off", "autocapitalize": "off", "spellcheck": "false"}
_NAME = re.compile(r"[A-Za-z0-9._-]{1,249}")
_PEM = {**_PLAIN, "rows": 3, "placeholder": "-----BEGIN …"}


class ListField(forms.CharField):
    """Several texts, parted by commas, spaces or lines."""

    def clean(self, value: object) -> list[str]:
        found = list(dict.fromkeys(re.split(r"[\s,]+", str(super().clean(value)).strip())))
        if len(found) > MOST:
            raise ValidationError(f"At most {MOST}.")
        return [self.checked(one) for one in found]

    def prepare_value(self, value: Any) -> Any:
        return self.between.join(value) if isinstance(value, list | tuple) else value

    between = ", "

    def checked(self, one: str) -> str:
        if not _NAME.fullmatch(one) or one in (".", ".."):
            raise ValidationError(f"{one} is not a name of a topic.")
        return one


class ServersField(ListField):
    """Private addresses that PARLEY_RASA_HOSTS does not list are refused; a name that is not known yet passes."""

    between = "\n"

    def checked(self, one: str) -> str:
        try:
            outgoing.allowed_addresses(*parted(one))
        except ValueError:
            raise ValidationError(f"{one} is not a host and a port, such as kafka.example.org:9092.") from None
        except outgoing.UnknownHost:
            return one
        except outgoing.OutgoingError as error:
            raise ValidationError(error.message) from None
        return one


class SourceForm(forms.Form):
    name = forms.CharField(
        max_length=120, help_text="For your team, such as “Kafka of the data centre”.", widget=forms.TextInput(_PLAIN)
    )
    servers = ServersField(
        max_length=2000,
        widget=forms.Textarea({**_PLAIN, "rows": 2, "placeholder": "kafka.example.org:9092"}),
        help_text="Host and port, one in a line. Some are enough: they name the others of their cluster.",
    )
    topics = ListField(
        max_length=2000,
        initial=DEFAULT_TOPIC,
        widget=forms.TextInput(_PLAIN),
        help_text="Several are parted by commas.",
    )
    group = forms.RegexField(
        _NAME,
        max_length=200,
        label="Consumer group",
        widget=forms.TextInput(_PLAIN),
        help_text="Another Parley that takes from the same cluster needs another group.",
    )
    security_protocol = forms.ChoiceField(label="Security protocol", choices=[(one, one) for one in PROTOCOLS])
    sasl_mechanism = forms.ChoiceField(label="Mechanism", choices=[(one, one) for one in MECHANISMS])
    sasl_username = forms.CharField(
        max_length=500,
        label="User name",
        strip=False,
        widget=forms.TextInput(_PLAIN),
        error_messages={"required": "Give the user name."},
    )
    sasl_password = forms.CharField(
        max_length=2000,
        label="Password",
        strip=False,
        error_messages={"required": "Give the password."},
        widget=forms.PasswordInput({**_PLAIN, "autocomplete": "new-password"}),
    )
    ssl_ca = forms.CharField(
        max_length=100_000,
        label="Certificate of the authority (CA)",
        required=False,
        widget=forms.Textarea(_PEM),
        help_text="PEM. Without one, those that this machine trusts count.",
    )
    ssl_certificate = forms.CharField(
        max_length=100_000,
        label="Our certificate",
        required=False,
        widget=forms.Textarea(_PEM),
        help_text="PEM, for clusters that know their clients by it.",
    )
    ssl_key = forms.CharField(max_length=100_000, label="Its key", required=False, widget=forms.Textarea(_PEM))
    ssl_check_hostname = forms.BooleanField(
        required=False, initial=True, label="Check that the certificate is for the host’s name"
    )
    environment = forms.ModelChoiceField(
        Environment.objects.none(),
        required=False,
        label="Events that name no environment",
        empty_label="are kept apart and shown as unknown",
        help_text="Rasa names one when RASA_ENVIRONMENT is set where it runs.",
    )
    other_assistants = forms.ModelMultipleChoiceField(
        Assistant.objects.none(),
        required=False,
        label="Other assistants whose events come through it",
        widget=forms.CheckboxSelectMultiple,
        help_text="An event is theirs when its assistant_id is the one of their models.",
    )

    SASL = ("sasl_mechanism", "sasl_username", "sasl_password")
    TLS = ("ssl_ca", "ssl_check_hostname", "ssl_certificate", "ssl_key")

    def __init__(
        self,
        data: Any,
        *,
        environments: EnvironmentQuerySet,
        others: QuerySet[Assistant],
        initial: dict[str, Any],
        saved: KafkaSettings | None = None,
    ) -> None:
        super().__init__(data, initial=initial)
        self.saved, self.others = saved, others
        for name, rows in (("environment", environments), ("other_assistants", others)):
            field = self.fields[name]
            assert isinstance(field, forms.ModelChoiceField)
            field.queryset = rows
        self._require(True)
        if not others:
            del self.fields["other_assistants"]
        for name in ("sasl_password", "ssl_key"):
            if saved is not None and getattr(saved, name):
                self.fields[name].help_text = "Leave it blank to keep the one that is saved."

    @classmethod
    def of(cls, source: IntakeSource, saved: KafkaSettings, data: Any, **choices: Any) -> "SourceForm":
        kept = {"name": source.name, "environment": source.environment, **source.settings}
        kept["other_assistants"] = list(source.other_assistants.values_list("pk", flat=True))
        return cls(data, initial=kept, saved=saved, **choices)

    use_required_attribute = False  # a browser refuses a form for a field that it does not show

    def full_clean(self) -> None:
        """What the protocol asks for is required; as long as it may be chosen, pages do not call it optional."""
        protocol = str(self.data.get("security_protocol", ""))
        self._require(protocol.startswith("SASL"))
        super().full_clean()
        self._require(True)

    def _require(self, has_user: bool) -> None:
        self.fields["sasl_username"].required = has_user
        self.fields["sasl_password"].required = has_user and not (self.saved and self.saved.sasl_password)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        has_key = bool(data.get("ssl_key") or (self.saved and self.saved.ssl_key))
        if str(data.get("security_protocol", "")).endswith("SSL") and data.get("ssl_certificate") and not has_key:
            self.add_error("ssl_key", "A certificate is worth nothing without its key.")
        return data

    def plain_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in ("name", "servers", "topics", "group", "security_protocol")]

    def sasl_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in self.SASL]

    def tls_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in self.TLS]

    def place_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in ("environment", "other_assistants") if name in self.fields]

    @property
    def settings(self) -> KafkaSettings:
        """What the form says; what the protocol has no use for is left out, so that it is not kept either."""
        data = self.cleaned_data
        unused = set()
        if not data["security_protocol"].startswith("SASL"):
            unused |= set(self.SASL)
        if not data["security_protocol"].endswith("SSL"):
            unused |= set(self.TLS)
        names = ("group", "security_protocol", *self.SASL, *self.TLS)
        values = {name: data[name] for name in names if name not in unused}
        return KafkaSettings(servers=tuple(data["servers"]), topics=tuple(data["topics"]), **values)

    @property
    def wishes(self) -> Wishes:
        data = self.cleaned_data
        others = tuple(data.get("other_assistants") or ())
        return Wishes(data["name"], self.settings, data["environment"], others)


class CloseForm(forms.Form):
    note = forms.CharField(
        max_length=1000,
        label="What was done about it",
        widget=forms.Textarea(attrs={"rows": 3, "placeholder": "Exported again from the tracker store"}),
    )


class AdoptForm(forms.Form):
    """`environment` is the primary key of one, or NEW."""

    environment = forms.ChoiceField(label="They belong to", widget=forms.RadioSelect)

    def __init__(self, data: Any, *, name: str, environments: EnvironmentQuerySet, may_add: bool) -> None:
        super().__init__(data)
        choices = [(str(one.pk), one.name) for one in environments]
        if may_add and _can_be_made(name) and name not in {label for _, label in choices}:
            choices.append((NEW, f"{name}, a new environment"))
        field = self.fields["environment"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = choices


def _can_be_made(name: str) -> bool:
    try:
        valid_name(name)
    except ValidationError:
        return False
    return True
