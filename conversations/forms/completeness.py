"""What of an environment is compared with its Rasa server."""

import time

from django import forms


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
