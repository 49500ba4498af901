"""What people set on a share link."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.forms import BoundField

from conversations.chat.links import NAMES, Options
from conversations.chat.look import checked_accent
from conversations.chat.origins import origins_in
from conversations.chat.targets import Kind, Target
from conversations.chat.words import LANGUAGES
from conversations.models import ShareLink
from studio.errors import DomainError

SHORTEST_PASSWORD = 6


class LinkForm(forms.Form):
    """What people set on a share link, in groups. A limit that is left empty is none."""

    GROUPS = (
        ("Look and language", ("look", "accent", "language")),
        ("Who may come in", ("password", "no_password", "visitors_limit", "messages_limit")),
        ("On other sites", ("origins",)),
    )

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
    takes_ratings = forms.BooleanField(
        required=False, initial=True, label="Guests may rate replies", help_text="Thumb up or down, and why."
    )
    look = forms.ChoiceField(required=False, choices=ShareLink.Look.choices)
    accent = forms.CharField(
        required=False,
        max_length=7,
        label="Colour",
        widget=forms.TextInput(attrs={"placeholder": "#0b6e75", "spellcheck": "false"}),
        help_text="Of buttons and of what guests say, such as <code>#7a1f5c</code>. Empty is Parley’s.",
    )
    language = forms.ChoiceField(
        required=False,
        choices=[("", "As the guest’s browser"), *LANGUAGES.items()],
        help_text="Of what the page says by itself. The assistant speaks as you taught it.",
    )
    password = forms.CharField(
        required=False,
        min_length=SHORTEST_PASSWORD,
        max_length=128,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
        help_text="Guests enter it once in each browser. It is not shown again.",
    )
    visitors_limit = forms.IntegerField(
        required=False,
        min_value=0,
        max_value=1_000_000,
        label="Visitors, at most",
        help_text="Counted at their first message. Whoever is in goes on when it is reached.",
    )
    messages_limit = forms.IntegerField(
        required=False, min_value=0, max_value=1_000_000, label="Messages of each visitor, at most"
    )
    origins = forms.CharField(
        required=False,
        label="Sites that may show the chat",
        widget=forms.Textarea(attrs={"rows": 2, "placeholder": "https://www.example.org", "spellcheck": "false"}),
        help_text="One on a line. The link’s page has the snippet for them. Nowhere else can the chat be embedded.",
    )

    target = forms.ChoiceField(
        label="Environment or model",
        help_text="In an environment guests talk to the model that is live there, also after later promotions. One "
        "model is started for them in a slot when they come, so their first answer takes longer.",
    )
    other_model = forms.CharField(
        required=False,
        max_length=200,
        label="Or an older model",
        widget=forms.TextInput(attrs={"list": "older-models", "autocomplete": "off", "spellcheck": "false"}),
        help_text="By its name, instead of the choice above.",
    )
    field_order = ("is_on", "target", "other_model", "name", "greeting", "expires_at", "takes_ratings")

    def __init__(
        self,
        data: Any,
        *,
        targets: Sequence[Target],
        older: Sequence[str] = (),
        initial: dict[str, Any] | None = None,
    ) -> None:
        """`targets` are offered, with the one that is typed; `older` are names of models beside them."""
        super().__init__(data, initial=initial)
        self.older = older
        if not older:
            del self.fields["other_model"]
        self._targets = {str(one): one for one in targets}
        kinds = (("Environments", Kind.ENVIRONMENT), ("Models", Kind.MODEL))
        field = self.fields["target"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [
            (title, [(str(one), one.name) for one in targets if one.kind is kind])
            for title, kind in kinds
            if any(one.kind is kind for one in targets)
        ]

    def clean_target(self) -> Target:
        return self._targets[self.cleaned_data["target"]]

    def clean_other_model(self) -> Target | None:
        name = self.cleaned_data["other_model"].strip()
        if not name:
            return None
        found = self._targets.get(f"model:{name}")
        if found is None:
            raise forms.ValidationError("There is no model of this name. Names are listed on the Models page.")
        return found

    def clean_visitors_limit(self) -> int:
        return self.cleaned_data["visitors_limit"] or 0

    def clean_messages_limit(self) -> int:
        return self.cleaned_data["messages_limit"] or 0

    def clean_origins(self) -> list[str]:
        try:
            return origins_in(self.cleaned_data["origins"])
        except DomainError as error:
            raise forms.ValidationError(error.message) from None

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        try:
            data["accent"] = checked_accent(data.get("accent", ""), data.get("look", ""))
        except DomainError as error:
            self.add_error("accent", error.message)
        return data

    @property
    def wishes(self) -> dict[str, Any]:
        """What the services of chat/links.py take."""
        data = dict(self.cleaned_data)
        chosen: Target = data.pop("target")
        target: Target = data.pop("other_model", None) or chosen
        data |= {"environment": target.environment, "model": target.model}
        return {"options": Options(**{name: data.pop(name) for name in NAMES}), **data}

    @property
    def first(self) -> list[BoundField]:
        """The fields that stand before the groups."""
        grouped = {name for _title, names in self.GROUPS for name in names}
        return [self[name] for name in self.fields if name not in grouped]

    @property
    def groups(self) -> list[tuple[str, list[BoundField], bool]]:
        """(title, fields, whether it is open: something is set there, or wrong)"""
        found = []
        for title, names in self.GROUPS:
            fields = [self[name] for name in names if name in self.fields]
            found.append((title, fields, any(field.errors or field.value() for field in fields)))
        return found


class ChangeLinkForm(LinkForm):
    is_on = forms.BooleanField(required=False, label="On", help_text="Off, guests are told to come back later.")
    no_password = forms.BooleanField(required=False, label="No password any more")

    @classmethod
    def of(cls, link: ShareLink, data: Any, targets: Sequence[Target], older: Sequence[str] = ()) -> "ChangeLinkForm":
        own = Target(link.environment, link.model)
        if str(own) not in {str(one) for one in targets}:  # an older model than those that are offered
            targets = [*targets, own]
        names = ("name", "greeting", "expires_at", "is_on", *NAMES)
        initial = {name: getattr(link, name) or None for name in names} | {"origins": "\n".join(link.origins)}
        initial |= {"target": str(own), "is_on": link.is_on, "takes_ratings": link.takes_ratings}
        form = cls(data, targets=targets, older=older, initial=initial)
        if link.password:
            form.fields["password"].label = "New password"
            form.fields["password"].help_text = "It has one. Another shuts out whoever came in by this one."
        else:
            del form.fields["no_password"]
        return form

    @property
    def wishes(self) -> dict[str, Any]:
        wishes = super().wishes
        if not wishes.pop("no_password", False):
            wishes["password"] = wishes["password"] or None
        else:
            wishes["password"] = ""
        return wishes
