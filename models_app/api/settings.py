"""How an assistant is trained, and which of its models are kept."""

from django.forms.models import model_to_dict
from django.http import HttpRequest
from ninja import Field, Path, Query, Router, Schema
from pydantic import BaseModel

from models_app.api.facts import epoch
from models_app.forms.training import TrainingSettingsForm
from models_app.loaders import load_assistant, load_model_retention, require_models
from models_app.models import Assistant, Model, ModelRetention
from models_app.services.model_retention import change_rule, plan_of, rule_of
from models_app.services.training_settings import save_settings, settings_of
from studio.access.loaders import signed_in
from studio.access.permissions import Permission
from studio.errors import Invalid

router = Router(tags=["settings of assistants"])


class TrainingSettingsIn(BaseModel):
    """`rasa_version` empty is the installation's own; a limit that is null is the installation's. What is left out
    becomes so."""

    rasa_version: str = Field("", max_length=40)
    validate_first: bool = True
    test_after: bool = False
    held_out_percent: int = 20
    minutes: int | None = None
    memory_mb: int | None = None
    disk_mb: int | None = None
    processes: int | None = None


class TrainingSettingsOut(Schema):
    rasa_version: str
    validate_first: bool
    test_after: bool
    held_out_percent: int
    minutes: int | None
    memory_mb: int | None
    disk_mb: int | None
    processes: int | None


class ModelRetentionIn(BaseModel):
    newest: int = Field(ge=1, le=10_000)
    is_on: bool


class ModelRetentionOut(Schema):
    """The newest so many models stay, and of the older ones those that something needs."""

    newest: int
    is_on: bool
    last_run_at: float | None
    last_deleted: int
    last_freed: int


class StaysOut(Schema):
    model: str
    why: str


class PlanOut(Schema):
    """What the rule would delete now, oldest first, at most 1000 by name. `frees` is bytes."""

    newest: int
    total: int
    deletes: int
    frees: int
    models: list[str]
    stay: list[StaysOut]


class Tried(Schema):
    newest: int | None = Field(None, ge=1, le=10_000, description="Instead of the number of the rule.")


@router.get(
    "/projects/{slug}/training-settings",
    summary="How an assistant is trained",
    url_name="training-settings",
    response=TrainingSettingsOut,
)
def training_settings(request: HttpRequest, slug: Path[str]) -> dict[str, object]:
    assistant = load_assistant(request, slug)
    require_models(request, assistant)
    return model_to_dict(settings_of(assistant))


@router.put(
    "/projects/{slug}/training-settings",
    summary="Change how an assistant is trained",
    url_name="training-settings",
    response=TrainingSettingsOut,
)
def change_training_settings(request: HttpRequest, slug: Path[str], body: TrainingSettingsIn) -> dict[str, object]:
    """Trainings that start from now on follow it."""
    assistant = load_assistant(request, slug, Permission.ASSISTANTS_MODIFY)
    values = _checked(assistant, body)
    return model_to_dict(save_settings(actor=signed_in(request), assistant=assistant, values=values))


def _checked(assistant: Assistant, body: TrainingSettingsIn) -> dict[str, object]:
    """By the rules of the page's form."""
    form = TrainingSettingsForm(body.model_dump(), initial=model_to_dict(settings_of(assistant)))
    if not form.is_valid():
        name, messages = next(iter(form.errors.items()))
        raise Invalid(f"{name}: {messages[0]}", field=name)
    values: dict[str, object] = form.cleaned_data
    return values


@router.get(
    "/projects/{slug}/model-retention",
    summary="Which models are kept",
    url_name="model-retention",
    response=ModelRetentionOut,
)
def retention(request: HttpRequest, slug: Path[str]) -> dict[str, object]:
    return _rule(rule_of(load_model_retention(request, slug)))


@router.put(
    "/projects/{slug}/model-retention",
    summary="Change which models are kept",
    url_name="model-retention",
    response=ModelRetentionOut,
)
def change_retention(request: HttpRequest, slug: Path[str], body: ModelRetentionIn) -> dict[str, object]:
    """While it is on, the others are deleted each night."""
    assistant = load_model_retention(request, slug)
    change_rule(actor=signed_in(request), assistant=assistant, newest=body.newest, is_on=body.is_on)
    return _rule(rule_of(assistant))


@router.get(
    "/projects/{slug}/model-retention/plan",
    summary="Which models the rule would delete now",
    url_name="model-retention-plan",
    response=PlanOut,
)
def retention_plan(request: HttpRequest, slug: Path[str], tried: Query[Tried]) -> dict[str, object]:
    assistant = load_model_retention(request, slug)
    newest = tried.newest or rule_of(assistant).newest
    plan = plan_of(assistant, newest)
    return {
        "newest": newest,
        "total": plan.total,
        "deletes": len(plan.doomed),
        "frees": plan.freed,
        "models": list(Model.objects.filter(pk__in=plan.doomed).order_by("pk").values_list("name", flat=True)[:1000]),
        "stay": [{"model": model.name, "why": why} for model, why in plan.stay[:1000]],
    }


def _rule(rule: ModelRetention) -> dict[str, object]:
    return {
        "newest": rule.newest,
        "is_on": rule.is_on,
        "last_run_at": epoch(rule.last_run_at),
        "last_deleted": rule.last_deleted,
        "last_freed": rule.last_freed,
    }
