"""What the filter forms of lists share: days in somebody's time zone. They live in the URL as query parameters."""

from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator

_POSSIBLE = [MinValueValidator(date(1970, 1, 1)), MaxValueValidator(date(9990, 1, 1))]


class DayRangeFilter(forms.Form):
    """From one day until another, both included, as they begin and end in the zone `tz` (UTC when it is empty)."""

    since = forms.DateField(required=False, label="From", validators=_POSSIBLE)
    until = forms.DateField(required=False, label="Until", validators=_POSSIBLE)
    tz = forms.CharField(required=False, max_length=64, label="Time zone")

    narrowing_nothing = frozenset({"tz"})

    def clean_tz(self) -> str:
        name: str = self.cleaned_data["tz"]
        try:
            ZoneInfo(name or "UTC")
        except (KeyError, ValueError, OSError):
            raise ValidationError(f"There is no time zone called {name}.") from None
        return name

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if data.get("since") and data.get("until") and data["since"] > data["until"]:
            self.add_error("until", "The last day lies before the first.")
        return data

    @property
    def is_used(self) -> bool:
        """Whether the list shows less than everything."""
        return any(self.data.get(name) for name in self.fields if name not in self.narrowing_nothing)

    @property
    def used(self) -> dict[str, str]:
        """What was filled in, as the address carries it."""
        return {name: self.data[name] for name in self.fields if self.data.get(name)}

    @property
    def zones(self) -> list[tuple[str, str]]:
        """UTC and the zone in use; the browser adds its own."""
        chosen = self.data.get("tz") or ""
        return [("", "UTC")] + ([(chosen, chosen)] if chosen else [])

    def bounds(self) -> tuple[datetime | None, datetime | None]:
        """(the first moment, the moment after the last) of a valid form; None where a side is open."""
        data = self.cleaned_data
        zone = ZoneInfo(data["tz"] or "UTC")
        since = datetime.combine(data["since"], time(), zone) if data["since"] else None
        until = datetime.combine(data["until"] + timedelta(days=1), time(), zone) if data["until"] else None
        return since, until
