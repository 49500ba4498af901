"""What people say of dead letters."""

from django import forms


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
