"""Names that people know for the model ids that Rasa writes into events."""

from collections.abc import Collection

from django.db.models import F, OuterRef, QuerySet

from models_app.models import Assistant, Model


def models_of(assistant: OuterRef, rasa_model_id: OuterRef) -> QuerySet[Model]:
    """For a subquery, the one that gives the name first: two models can hold the same bytes."""
    found = Model.objects.filter(assistant=assistant, rasa_model_id=rasa_model_id).exclude(rasa_model_id="")
    return found.order_by(F("deleted_at").desc(nulls_first=True), "-pk")


def model_names(assistant: Assistant, rasa_model_ids: Collection[str]) -> dict[str, str]:
    """Rasa's model id to the name of our model; ids of models that were never here are missing.

    Two models can hold the same bytes: the newest that is not deleted gives the name.
    """
    wanted = {one for one in rasa_model_ids if one}
    if not wanted:
        return {}
    found = Model.objects.filter(assistant=assistant, rasa_model_id__in=wanted)
    return dict(found.order_by(F("deleted_at").asc(nulls_last=True), "pk").values_list("rasa_model_id", "name"))
