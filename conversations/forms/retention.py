"""Forms of retention rules."""

from typing import Any

from django import forms

from environments.models import Environment

LONGEST = 36_500


class DaysForm(forms.Form):
    days = forms.IntegerField(
        min_value=1,
        max_value=LONGEST,
        label="Days",
        help_text="A conversation goes so many days after the last thing that was said in it.",
        widget=forms.NumberInput(attrs={"inputmode": "numeric"}),
    )


class RuleForm(DaysForm):
    """Of a place that has no rule yet."""

    place = forms.ChoiceField(label="Where", required=False)
    field_order = ("place", "days")

    def __init__(self, data: Any, *, environments: list[Environment], is_rest_free: bool) -> None:
        super().__init__(data, initial={"days": 90})
        self._environments = {str(one.pk): one for one in environments}
        rest = [("", "Everywhere that has no rule of its own")] if is_rest_free else []
        field = self.fields["place"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [*rest, *((key, one.name) for key, one in self._environments.items())]
        field.required = not is_rest_free

    @property
    def environment(self) -> Environment | None:
        """Of a valid form; None is everywhere else."""
        return self._environments.get(self.cleaned_data["place"])
