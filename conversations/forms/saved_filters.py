"""A name for filters."""

from django import forms


class SavedFilterForm(forms.Form):
    """A name for the filters of a list, and whether others see it."""

    name = forms.CharField(max_length=80, help_text="Such as “Unsure this week”.")
    is_shared = forms.BooleanField(
        required=False,
        label="Share with the team",
        help_text="Everybody who may view conversations here sees it; each finds with it what they may see themselves.",
    )
