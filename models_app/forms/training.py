"""Forms of training: what is trained, and how an assistant trains."""

from collections.abc import Iterable, Mapping

from django import forms
from django.conf import settings

from models_app.models import Model
from models_app.services.same_training import Finetuning
from studio.rasa.services import current_runtime, ready_runtimes, runtime_named

PERCENT = 50  # of the epochs, where nobody said how many


class TrainForm(forms.Form):
    """How a training begins. `known` is the number of the training that made the same before, as the page said."""

    finetune = forms.CharField(required=False, label="Begin")
    percent = forms.IntegerField(
        min_value=1,
        max_value=100,
        initial=PERCENT,
        label="Epochs",
        help_text="Percent of the epochs in the configuration that it goes on for.",
    )
    test = forms.BooleanField(
        required=False, label="Test the new model", help_text="It is there at once, and its test begins then."
    )
    known = forms.IntegerField(required=False, widget=forms.HiddenInput)

    def __init__(
        self, data: Mapping[str, str] | None = None, *, initial: Mapping[str, object], models: Iterable[Model]
    ) -> None:
        super().__init__(None if data is None else _with_percent(data), initial=dict(initial))
        self._models = {model.name: model for model in models}

    def clean_finetune(self) -> str:
        name: str = self.cleaned_data["finetune"]
        if name and name not in self._models:
            raise forms.ValidationError("It cannot go on from that model. Choose another one, or train anew.")
        return name

    def finetuning(self) -> Finetuning | None:
        """None is a training anew."""
        model = self._models.get(self.cleaned_data["finetune"])
        return None if model is None else Finetuning(model, self.cleaned_data["percent"] / 100)


def _with_percent(data: Mapping[str, str]) -> dict[str, str]:
    """The Train button asks nothing, and a training anew takes all epochs; a dialog that follows shows a number."""
    said = {name: data[name] for name in data}
    return said if said.get("finetune") and "percent" in said else {**said, "percent": str(PERCENT)}


class TrainingSettingsForm(forms.Form):
    """Fields of TrainingSettings by their names; an empty number means the installation's limit."""

    rasa_version = forms.ChoiceField(
        required=False,
        label="Rasa",
        help_text="Trains its models, and runs in the environments that Parley runs. Versions are added under Rasa "
        "versions in the settings of the installation.",
    )
    validate_first = forms.BooleanField(
        required=False,
        label="Validate the data before each training",
        help_text="Rasa checks that intents, responses and stories belong together; errors end the training early.",
    )
    test_after = forms.BooleanField(
        required=False,
        label="Test each new model",
        help_text="Its test stories are played, and its NLU is measured with examples that were held out.",
    )
    held_out_percent = forms.IntegerField(
        min_value=5, max_value=50, label="Held out", help_text="Percent of the NLU examples that the test keeps back."
    )
    minutes = forms.IntegerField(
        min_value=1,
        max_value=7 * 24 * 60,
        required=False,
        label="Time",
        help_text="Minutes that one training may take.",
    )
    memory_mb = forms.IntegerField(
        min_value=256,
        max_value=16 * 1024**2,
        required=False,
        label="Memory",
        help_text="Megabytes that its processes may use together.",
    )
    disk_mb = forms.IntegerField(
        min_value=64,
        max_value=16 * 1024**2,
        required=False,
        label="Disk",
        help_text="Megabytes that it may write.",
    )
    processes = forms.IntegerField(
        min_value=1, max_value=1000, required=False, label="Processes", help_text="How many may run at once."
    )

    def __init__(self, data: Mapping[str, str] | None = None, *, initial: Mapping[str, object] | None = None) -> None:
        super().__init__(data, initial=dict(initial or {}))
        self.fields["rasa_version"].choices = _rasa_choices(str(self.initial.get("rasa_version") or ""))  # type: ignore[attr-defined]
        minutes = settings.TRAINING_SECONDS // 60
        self.fields["minutes"].widget.attrs["placeholder"] = f"{minutes}, as everywhere here"
        for name in ("memory_mb", "disk_mb", "processes"):
            self.fields[name].widget.attrs["placeholder"] = "No limit"


def _rasa_choices(current: str) -> list[tuple[str, str]]:
    """What is ready, and what is chosen now even when it is not."""
    ready = [(row.version, str(row)) for row in ready_runtimes()]
    if current and current not in dict(ready):
        ready.append((current, f"{runtime_named(current)}, not ready"))
    return [("", f"The installation’s ({current_runtime()})"), *ready]
