"""The Rasa processes of an environment as its page lists them."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.utils import timezone

from environments.models import Replica
from environments.services.replicas import is_live
from environments.services.transitions import has_failed
from models_app.models import Model


@dataclass(frozen=True, slots=True)
class Row:
    """`status` is a kind of the `{% status %}` tag, `text` its word, `why` what it says on hover."""

    replica: Replica
    status: str
    text: str
    why: str = ""


def rows(replicas: Iterable[Replica], model: Model | None) -> list[Row]:
    """Those that poll first. `model` is the one promoted."""
    now = timezone.now()
    found = [_row(replica, model, is_live(replica, now)) for replica in replicas]
    return sorted(found, key=lambda row: (row.status == "silent", row.replica.key))


def silent_of(names: Iterable[str], listed: Iterable[Row]) -> list[str]:
    """Which of these do not poll any more; one that is not listed was forgotten."""
    polling = {row.replica.key for row in listed if row.status != "silent"}
    return [name for name in names if name not in polling]


def _row(replica: Replica, model: Model | None, live: bool) -> Row:
    if not live:
        return Row(replica, "silent", "Silent", "It has not asked for three of its intervals.")
    if model is None and not replica.runs_etag:
        return Row(replica, "silent", "Waits for a model", "It takes the first model that is promoted here.")
    if model is None:
        return Row(replica, "silent", "Keeps its model", "Rasa keeps what it has loaded when nothing is promoted.")
    if replica.runs_etag == model.artifact_id:
        return Row(replica, "running", "Running")
    if has_failed(replica, model):
        return Row(replica, "failed", "Did not load", "It took the whole model and goes on asking for it.")
    if replica.pulling_since is not None:
        return Row(replica, "busy", "Loading", "It was given the model and has not asked since.")
    return Row(replica, "busy", "Behind", "It has not taken the promoted model yet.")
