"""Pages of an assistant's models."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.contrib import messages
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from models_app.filters import ModelFilter
from models_app.forms.models import TagForm
from models_app.loaders import load_assistant, load_model, require_models, rights_on_models, visible_tags
from models_app.models import Artifact, Assistant, Model, Tag, TrainingJob
from models_app.querysets import TagQuerySet
from models_app.services.models import delete_model, reasons_to_keep, warnings_of
from models_app.services.tags import remove_tag, set_tag
from models_app.storage import StoreFailed, store
from models_app.testing.figures import short_words
from models_app.testing.rivals import newest_tests
from models_app.training.facts import seed_words
from models_app.training.journal import seconds_of
from studio.access.loaders import signed_in
from studio.access.models import User
from studio.access.permissions import Permission
from studio.errors import DomainError
from studio.rasa.domain import DomainSummary, compare
from studio.web.htmx import HtmxHttpRequest, go
from studio.web.keyset import page_of

# Rasa's training types in words; an NLU model alone cannot hold a dialogue.
TRAINS = {"both": "NLU and dialogue", "nlu": "NLU alone", "core": "dialogue alone", "end-to-end": "end to end"}


@require_safe
def model_list(request: HttpRequest, slug: str) -> HttpResponse:
    assistant = load_assistant(request, slug)
    require_models(request, assistant)
    everything = Model.objects.visible_to(signed_in(request)).filter(assistant=assistant)
    tags = list(_tags_seen(request).filter(assistant=assistant).exclude(model=None))
    chosen = ModelFilter(request.GET, everything, assistant=assistant, tags=[tag.name for tag in tags])
    page, total = page_of(_for_list(chosen.qs, signed_in(request)), request), everything.count()
    rows = _rows(page.rows)
    context = {
        "filter": chosen,
        "page": page,
        "rows": rows,
        "any_tested": any(row.tested for row in rows),
        "summary": _summary(chosen.qs, page.rows),
        "total": total,
        "under_way": None if total else _under_way(request, assistant),
        "live": len({tag.model_id for tag in tags if tag.kind == Tag.Kind.ENVIRONMENT}),
        **_rights(request, assistant),
    }
    return render(request, "models_app/model_list.html", context)


@dataclass(frozen=True, slots=True)
class Row:
    """A model of the list, why it cannot be deleted, and how it was tested."""

    model: Model
    reason: str
    tested: Sequence[str]  # its newest test in words


def _rows(models: Sequence[Model]) -> list[Row]:
    reasons = reasons_to_keep(models)
    tests = newest_tests(model.pk for model in models)
    return [
        Row(model, reasons.get(model.pk, ""), short_words(tests[model.pk]) if model.pk in tests else ())
        for model in models
    ]


def _summary(models: QuerySet[Model], rows: Sequence[Model]) -> str:
    """`26–50 of 128`: where the page lies among the models that match."""
    if not rows:
        return ""
    counted = models.aggregate(all=Count("pk"), above=Count("pk", filter=Q(pk__gt=rows[0].pk)))
    return f"{counted['above'] + 1}–{counted['above'] + len(rows)} of {counted['all']}"


def _for_list(models: QuerySet[Model], viewer: User) -> QuerySet[Model]:
    """Without the domain, which is large and which no row shows."""
    return models.select_related("job", "revision").prefetch_related(visible_tags(viewer)).defer("domain")


def _under_way(request: HttpRequest, assistant: Assistant) -> TrainingJob | None:
    """The training that will bring the next model."""
    jobs = TrainingJob.objects.visible_to(signed_in(request)).trainings().filter(assistant=assistant, finished_at=None)
    return jobs.order_by("pk").first()


def _tags_seen(request: HttpRequest) -> TagQuerySet:
    return Tag.objects.visible_to(signed_in(request))


def _rights(request: HttpRequest, assistant: Assistant) -> dict[str, bool]:
    """Which entries of a model's menu the viewer gets."""
    user = signed_in(request)
    return {
        **rights_on_models(request, assistant),
        "may_talk": user.may_somewhere(Permission.TALK, assistant.pk),
        "may_read": user.may_somewhere(Permission.CONVERSATIONS_VIEW, assistant.pk),
    }


@require_safe
def model_detail(request: HttpRequest, slug: str, name: str) -> HttpResponse:
    model = load_model(request, slug, name)
    context = {
        "model": model,
        "warnings": warnings_of(model),
        **_file(model),
        "reason": reasons_to_keep([model]).get(model.pk, ""),
        "domain": _domain(model),
        "training_type": TRAINS.get(model.training_type, "not in the archive"),
        **_making(request, model),
        **_rights(request, model.assistant),
    }
    return render(request, "models_app/model_detail.html", context)


def _making(request: HttpRequest, model: Model) -> dict[str, object]:
    """How a model that was trained here was made, and what was trained on from it."""
    jobs = TrainingJob.objects.visible_to(signed_in(request)).select_related("revision", "lock", "finetune_from")
    job = jobs.defer("finetune_from__domain").filter(model=model).first()
    if job is None:
        return {}
    parent = job.finetune_from
    finetuned = Model.objects.visible_to(signed_in(request)).filter(job__finetune_from=model)
    return {
        "made": job,
        "parent": None if parent is None or parent.deleted_at else parent,
        "config_digest": bytes(job.config_digest or b"").hex(),
        "packages": job.lock.packages.splitlines() if job.lock else [],
        "seed": seed_words(job.seeds),
        "took": seconds_of(job),
        "finetuned": finetuned.only("name")[:20],
    }


def _file(model: Model) -> dict[str, object]:
    """Whether the store has the model's archive, whole as far as is known, or why that cannot be said."""
    is_damaged = model.artifact.problem == Artifact.Problem.DAMAGED
    try:
        return {"is_missing": not store().exists(model.artifact_id), "is_damaged": is_damaged}
    except StoreFailed as error:
        return {"store_problem": error.message}


def _domain(model: Model) -> list[tuple[str, tuple[str, ...]]]:
    summary = DomainSummary.from_json(model.domain)
    return [(kind, summary.names(kind)) for kind in summary.counts()]


@require_http_methods(["GET", "HEAD", "POST"])
def edit_tags(request: HtmxHttpRequest, slug: str, name: str) -> HttpResponse:
    model = load_model(request, slug, name, Permission.MODELS_MODIFY)
    form = TagForm(request.POST or None)
    if form.is_valid():
        try:
            losers = _change_tags(request, model, form)
        except DomainError as error:
            form.add_error("name", error.message)
        else:
            if not request.htmx:
                return redirect(request.get_full_path())
            # The dialog once more, and with it the tags that the page behind it shows.
            return render(
                request, "models_app/tags_changed.html", {**_tags(request, model, TagForm()), "losers": losers}
            )
    status = 422 if form.is_bound else 200
    return render(request, "models_app/tags_dialog.html", _tags(request, model, form), status=status)


def _change_tags(request: HttpRequest, model: Model, form: TagForm) -> QuerySet[Model]:
    """Add or remove one tag; the models that had an added one before."""
    name, remove = form.cleaned_data["name"], form.cleaned_data["remove"]
    if remove:
        remove_tag(actor=signed_in(request), assistant=model.assistant, name=remove)
        return Model.objects.none()
    had = Model.objects.current().filter(assistant=model.assistant, tags__name=name).exclude(pk=model.pk)
    losers = list(had.values_list("pk", flat=True))
    set_tag(actor=signed_in(request), model=model, name=name)
    return Model.objects.filter(pk__in=losers).prefetch_related(visible_tags(signed_in(request)))


def _tags(request: HttpRequest, model: Model, form: TagForm) -> dict[str, object]:
    elsewhere = Tag.objects.filter(assistant=model.assistant, kind=Tag.Kind.FREE).exclude(model=model)
    return {
        "heading": f"Tags of {model.name}",
        "model": model,
        "form": form,
        "tags": _tags_seen(request).filter(model=model),  # read anew: one of them may have just changed
        "elsewhere": elsewhere.select_related("model").defer("model__domain"),
    }


@require_http_methods(["GET", "HEAD", "POST"])
def delete(request: HtmxHttpRequest, slug: str, name: str) -> HttpResponse:
    model = load_model(request, slug, name, Permission.MODELS_MODIFY)
    refused = _why_kept(model)
    if request.method == "POST":
        try:
            delete_model(actor=signed_in(request), model=model)
        except DomainError as error:
            refused = error.message
        else:
            messages.success(request, f"{model.name} is deleted.")
            return go(request, reverse("models:list", args=[slug]))
    context = {
        "heading": f"Delete {model.name}",
        "text": "Its archive is removed for good. What it did before stays in the history of promotions and in its "
        "conversations.",
        "confirm_label": "Delete the model",
        "danger": True,
        "refused": refused,
    }
    return render(request, "components/confirm.html", context, status=422 if request.method == "POST" else 200)


def _why_kept(model: Model) -> str:
    reason = reasons_to_keep([model]).get(model.pk)
    return f"It cannot be deleted: {reason}." if reason else ""


@require_safe
def compare_domains(request: HttpRequest, slug: str, name: str) -> HttpResponse:
    """What this model's domain has that another's has not; `?with=` names the other."""
    model = load_model(request, slug, name)
    others = Model.objects.visible_to(signed_in(request)).filter(assistant=model.assistant).exclude(pk=model.pk)
    wanted = request.GET.get("with")
    other = others.filter(name=wanted).first() if wanted else _likely_other(model, others, _tags_seen(request))
    differences = _differences(other, model) if other else []
    context = {
        "model": model,
        "other": other,
        "others": others.values_list("name", flat=True)[:200],
        "differences": differences,
        "unchanged": not any(differences),
    }
    return render(request, "models_app/compare.html", context)


def _likely_other(model: Model, others: QuerySet[Model], tags: TagQuerySet) -> Model | None:
    """What people mean most often: the model that is live in production, else the one before this."""
    live = others.filter(tags__in=tags.filter(name="production", kind=Tag.Kind.ENVIRONMENT)).first()
    return live or others.filter(pk__lt=model.pk).first() or others.first()


def _differences(old: Model, new: Model) -> list[object]:
    return list(compare(DomainSummary.from_json(old.domain), DomainSummary.from_json(new.domain)))
