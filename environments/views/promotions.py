"""Promoting: one model to several environments, one environment to another model, back, and out of service."""

from collections.abc import Callable
from dataclasses import dataclass

from django.contrib import messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe
from django_htmx.http import HttpResponseClientRefresh

from environments.forms import PromoteHereForm, ReasonForm
from environments.loaders import load_modifiable
from environments.models import Environment, Promotion
from environments.presentation import running as presentation
from environments.presentation import timeline
from environments.presentation.promoting import Offer, Target, choices, offer
from environments.services.overview import Overview, overview, overviews
from environments.services.promotion import promote
from environments.services.transitions import last_that_ran
from models_app.loaders import load_assistant, load_model, require_models, visible_tags
from models_app.models import Assistant, Model, Tag
from models_app.services.models import warnings_of
from studio.access.loaders import signed_in
from studio.access.models import User
from studio.access.permissions import MissingPermission, Permission
from studio.errors import DomainError
from studio.web.dialogs import refuse
from studio.web.htmx import HtmxHttpRequest, go

METHODS = ["GET", "HEAD", "POST"]
CHOICES = 12
MOST_CELLS = 100


# --- One model, several environments ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Move:
    """What the form asks of one environment."""

    target: Target
    to_model: Model | None
    expected: Model | None

    @property
    def environment(self) -> Environment:
        return self.target.overview.environment


@dataclass(frozen=True, slots=True)
class Result:
    environment: Environment
    promotion: Promotion | None
    message: str


@require_http_methods(METHODS)
def promote_model(request: HtmxHttpRequest, slug: str, name: str) -> HttpResponse:
    """A checkbox for each environment. Ticked: the model goes live there; unticked where it was: out of service."""
    model = load_model(request, slug, name)
    user = signed_in(request)
    _require_some_right(user, model.assistant)
    form = ReasonForm(request.POST or None)
    context: dict[str, object] = {"ticked": request.POST.getlist("environment")} if form.is_bound else {}
    if form.is_valid():
        moves = _moves(request, _offer(model, user).targets, model)
        leaving = [move.environment.name for move in moves if move.to_model is None]
        if leaving and "confirmed" not in request.POST:
            context["leaving"] = leaving
        elif moves:
            results = [_carry_out(user, move, form.cleaned_data["reason"]) for move in moves]
            if all(result.promotion for result in results):
                return _promoted(request, model, results)
            context = {"results": results}
        else:
            context = {"nothing": True}
    return _promote_dialog(request, model, form, context)


def _require_some_right(user: User, assistant: Assistant) -> None:
    wanted = (Permission.ENVIRONMENTS_MODIFY, Permission.ENVIRONMENTS_MODIFY_PROTECTED)
    if not any(user.may_somewhere(permission, assistant.pk) for permission in wanted):
        raise MissingPermission(Permission.ENVIRONMENTS_MODIFY)


def _offer(model: Model, user: User) -> Offer:
    return offer(overviews(model.assistant, user), model, user)


def _moves(request: HttpRequest, offered: list[Target], model: Model) -> list[Move]:
    """Differences between what the person saw and what they ticked; `current-<id>` is what they saw live there."""
    ticked = set(request.POST.getlist("environment"))
    moves = []
    for target in offered:
        key = target.overview.environment.pk
        seen = request.POST.get(f"current-{key}")
        if seen is None or target.why_not:
            continue
        if str(key) in ticked and seen != str(model.pk):
            moves.append(Move(target, model, _seen_model(model.assistant, seen)))
        elif str(key) not in ticked and seen == str(model.pk):
            moves.append(Move(target, None, model))
    return moves


def _seen_model(assistant: Assistant, text: str | None) -> Model | None:
    """Also a deleted one: what the person saw is compared, not used."""
    if not text or not text.isascii() or not text.isdigit() or len(text) > 18:
        return None
    return Model.objects.filter(assistant=assistant, pk=int(text)).first()


def _carry_out(user: User, move: Move, reason: str) -> Result:
    try:
        promotion = promote(
            actor=user,
            environment=move.environment,
            model=move.to_model,
            expected_current=move.expected,
            reason=reason,
        )
    except DomainError as error:
        return Result(move.environment, None, error.message)
    return Result(move.environment, promotion, _sentence(move.environment, move.to_model))


def _sentence(environment: Environment, model: Model | None) -> str:
    return f"{model.name} is promoted to {environment.name}." if model else f"{environment.name} is out of service."


def _promoted(request: HtmxHttpRequest, model: Model, results: list[Result]) -> HttpResponse:
    """One: its page shows how it goes on. Several: the page that the dialog stood on, with what was done."""
    for result in results:
        messages.success(request, result.message)
    if len(results) == 1:
        return go(request, _page(results[0].environment))
    if request.htmx:
        return HttpResponseClientRefresh()
    return go(request, reverse("models:detail", args=[model.assistant.slug, model.name]))


def _page(environment: Environment) -> str:
    return reverse("environments:detail", args=[environment.assistant.slug, environment.name])


def _promote_dialog(request: HttpRequest, model: Model, form: ReasonForm, more: dict[str, object]) -> HttpResponse:
    """Read anew: after a conflict the dialog shows what is live by now."""
    context = {
        "heading": f"Promote {model.name}",
        "model": model,
        "form": form,
        "offer": _offer(model, signed_in(request)),
        "warnings": warnings_of(model),
        **more,
    }
    return render(request, "environments/promote_dialog.html", context, status=422 if form.is_bound else 200)


# --- One environment --------------------------------------------------------------------------------------------------


@require_http_methods(METHODS)
def promote_here(request: HtmxHttpRequest, slug: str, name: str) -> HttpResponse:
    """Choose the model for an environment; `?q=` narrows the list."""
    environment = load_modifiable(request, slug, name)
    models = Model.objects.visible_to(signed_in(request)).filter(assistant=environment.assistant)
    now = overview(environment)
    form = PromoteHereForm(request.POST or None, initial={"expected": _key(now), "model": request.GET.get("model")})
    if form.is_valid():
        chosen = models.filter(name=form.cleaned_data["model"]).first()
        if chosen is None:
            form.add_error("model", "There is no such model any more.")
        elif _move(request, environment, form, chosen):
            return go(request, _page(environment))
    context = {
        "heading": f"Promote to {environment.name}",
        "environment": environment,
        "overview": now,
        "form": form,
        "choices": choices(_choices(models, request.GET.get("q", ""), signed_in(request)), now.model),
        "chosen": form["model"].value(),
        "total": models.count(),
    }
    part = "#choices" if request.htmx and "q" in request.GET and request.method == "GET" else ""
    status = 422 if form.is_bound else 200
    return render(request, f"environments/promote_here_dialog.html{part}", context, status=status)


def _choices(models: QuerySet[Model], text: str, viewer: User) -> QuerySet[Model]:
    """Found by name, or by a tag that the viewer sees: other words must find nothing, or they would tell."""
    wanted = models.select_related("revision").defer("domain").prefetch_related(visible_tags(viewer))
    if text.strip():
        tags = Tag.objects.visible_to(viewer).filter(name__icontains=text.strip())
        wanted = wanted.filter(Q(name__icontains=text.strip()) | Q(pk__in=tags.values("model")))
    return wanted[:CHOICES]


def _key(now: Overview) -> int | None:
    return now.model.pk if now.model else None


def _move(request: HttpRequest, environment: Environment, form: ReasonForm, model: Model | None) -> bool:
    """Promote with what the form says; False with the refusal in the form."""
    expected = form.cleaned_data["expected"]
    try:
        promote(
            actor=signed_in(request),
            environment=environment,
            model=model,
            expected_current=_seen_model(environment.assistant, str(expected or "")),
            reason=form.cleaned_data["reason"],
        )
    except DomainError as error:
        refuse(form, error)
        return False
    messages.success(request, _sentence(environment, model))
    return True


@require_http_methods(METHODS)
def return_to_last(request: HtmxHttpRequest, slug: str, name: str) -> HttpResponse:
    """Back to the last other model that ran here. The page's own button posts at once, the dialog asks why."""
    environment = load_modifiable(request, slug, name)
    back_to = last_that_ran(environment)

    def text(now: Overview) -> str:
        if back_to is None:
            return "No other model has run here yet, or those that did are deleted."
        live = now.model.name if now.model else "no model"
        return f"{environment.name} has {live} now, and goes back to {back_to.name}."

    heading = f"Return to {back_to.name}" if back_to else "Nothing to return to"
    return _confirmed_move(request, environment, back_to, heading, text, "Return", is_possible=back_to is not None)


@require_http_methods(METHODS)
def withdraw(request: HtmxHttpRequest, slug: str, name: str) -> HttpResponse:
    environment = load_modifiable(request, slug, name)

    def text(now: Overview) -> str:
        live = f"{now.model.name} is live in {environment.name}" if now.model else f"{environment.name} has no model"
        return (
            f"{live} now. Servers that run keep what they have loaded until they are restarted; new ones start "
            "without a model and answer nobody."
        )

    heading = f"Take {environment.name} out of service"
    return _confirmed_move(request, environment, None, heading, text, "Take out of service", danger=True)


def _confirmed_move(
    request: HtmxHttpRequest,
    environment: Environment,
    model: Model | None,
    heading: str,
    text: Callable[[Overview], str],
    confirm_label: str,
    *,
    danger: bool = False,
    is_possible: bool = True,
) -> HttpResponse:
    now = overview(environment)
    form = ReasonForm(request.POST or None, initial={"expected": _key(now)})
    if is_possible and form.is_valid() and _move(request, environment, form, model):
        return go(request, _page(environment))
    context = {
        "heading": heading,
        "text": text(now),
        "form": form,
        "confirm_label": confirm_label,
        "danger": danger,
        "is_possible": is_possible,
    }
    return render(request, "environments/move_dialog.html", context, status=422 if form.is_bound else 200)


# --- Fragments of the models' pages -----------------------------------------------------------------------------------


@require_safe
def model_promotions(request: HttpRequest, slug: str, name: str) -> HttpResponse:
    """Where a model went, newest first."""
    model = load_model(request, slug, name)
    now = overviews(model.assistant, signed_in(request))
    moves = timeline.for_history(
        Promotion.objects.filter(to_model=model, environment__in=[row.environment.pk for row in now])
    )
    context = {"model": model, "history": timeline.entries(moves[:MOST_CELLS], now)}
    return render(request, "environments/_model_promotions.html", context)


@require_safe
def running(request: HttpRequest, slug: str) -> HttpResponse:
    """What the models `?models=1,2,3` do now: a cell for each, out of band."""
    assistant = load_assistant(request, slug)
    require_models(request, assistant)
    ids = [int(text) for text in request.GET.get("models", "").split(",") if text.isascii() and text.isdigit()]
    models = Model.objects.visible_to(signed_in(request)).filter(assistant=assistant, pk__in=ids[:MOST_CELLS])
    rows = overviews(assistant, signed_in(request))
    context = {
        "cells": presentation.cells(models.defer("domain"), rows),
        "address": request.get_full_path(),
        "is_moving": any(row.is_moving for row in rows),
    }
    return render(request, "environments/_running.html", context)
