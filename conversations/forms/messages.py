"""What people say to an assistant."""

from django import forms

LONGEST_MESSAGE = 4000


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

    @property
    def is_too_long(self) -> bool:
        return any(error.code == "max_length" for errors in self.errors.as_data().values() for error in errors)
