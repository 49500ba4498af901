"""Names that people know for the model ids that Rasa writes into events.

Two models can hold the same bytes: the newest that is not deleted gives the name, else the one deleted last.
"""

from collections.abc import Collection

from django.db.models import F, OuterRef, QuerySet

from models_app.models import Assistant, Model


def models_of(assistant: OuterRef, rasa_model_id: OuterRef) -> QuerySet[Model]:
    """For a subquery, the one that gives the name first; an event without an id names none."""
    return _in_order(Model.objects.filter(assistant=assistant, rasa_model_id=rasa_model_id).exclude(rasa_model_id=""))


def model_names(assistant: Assistant, rasa_model_ids: Collection[str]) -> dict[str, str]:
    """Rasa's model id to the name of our model; ids of models that were never here are missing."""
    wanted = {one for one in rasa_model_ids if one}
    if not wanted:
        return {}
    found = _in_order(Model.objects.filter(assistant=assistant, rasa_model_id__in=wanted))
    return dict(found.reverse().values_list("rasa_model_id", "name"))  # the last of an id is what stays


def _in_order(models: QuerySet[Model]) -> QuerySet[Model]:
    return models.order_by(F("deleted_at").desc(nulls_first=True), "-pk")
