"""The home page: what is live where, what is under way, who talked last, and what to do next."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from conversations.models import Conversation
from conversations.onboarding import setup_steps
from environments.services.overview import overviews
from models_app.loaders import load_assistant
from models_app.models import Assistant, TrainingJob
from models_app.services.training_settings import settings_of
from studio.access.loaders import signed_in
from studio.access.permissions import Permission, Scope
from studio.jobs import heartbeat
from studio.web.context import last_assistant_slug

RECENT = 5


@require_safe
def root(request: HttpRequest) -> HttpResponse:
    """`/`: to the assistant the person looked at last, else the first they may see."""
    visible = Assistant.objects.visible_to(signed_in(request)).order_by("pk")
    last = visible.filter(slug=last_assistant_slug(request)).first() or visible.first()
    if last is None:
        return render(request, "conversations/no_assistant.html")
    return redirect("conversations:home", slug=last.slug)


@require_safe
def home(request: HttpRequest, slug: str) -> HttpResponse:
    assistant = load_assistant(request, slug)
    user = signed_in(request)
    environments = overviews(assistant, user)
    may_see_models = user.may_somewhere(Permission.MODELS_VIEW, assistant.pk)
    rasa = settings_of(assistant).rasa_version
    steps = setup_steps(assistant, environments, rasa) if may_see_models else []
    jobs = list(TrainingJob.objects.visible_to(user).filter(assistant=assistant).named().order_by("-pk")[:RECENT])
    conversations = list(
        Conversation.objects.visible_to(user)
        .filter(assistant=assistant)
        .select_related("environment")
        .order_by("-last_event_at", "-pk")[:RECENT]
    )
    step = next((step for step in steps if step.state in ("now", "failed")), None)
    context = {
        "environments": environments,
        "may_see_models": may_see_models,
        "may_see_intake": user.may(Permission.ENVIRONMENTS_VIEW, Scope(assistant.pk)),
        "may_talk": user.may_somewhere(Permission.TALK, assistant.pk),
        "steps": steps,
        "rasa": rasa,
        "current_step": step,
        "trains": step is None or step.title != "Model" or heartbeat.live("training-worker") > 0,
        "jobs": jobs,
        "conversations": conversations,
        "is_moving": bool(steps) or any(row.is_moving for row in environments) or any(not j.is_ended for j in jobs),
    }
    name = "conversations/home.html#live" if request.headers.get("HX-Request") else "conversations/home.html"
    return render(request, name, context)
