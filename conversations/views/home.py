"""The home page: what waits, what is live where, what is under way, who talked last, and what to do next."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from conversations.inbox_filters import InboxFilter
from conversations.models import Conversation
from conversations.onboarding import setup_steps
from conversations.services import inbox
from environments.services.overview import overviews
from models_app.data_loaders import may_see_data
from models_app.loaders import load_assistant
from models_app.models import Assistant, TrainingJob
from models_app.services.revisions import newest_revision
from models_app.services.training import changes_since_training
from models_app.services.training_settings import settings_of
from studio.access.loaders import signed_in
from studio.access.models import User
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


@require_safe
def waiting(request: HttpRequest, slug: str) -> HttpResponse:
    """A fragment of the home page: what waits for people, of what the person may see; empty when nothing does."""
    assistant = load_assistant(request, slug)
    viewer = signed_in(request)
    context = {
        "asked": _in_the_inbox(viewer, assistant),
        "changes": _not_trained(viewer, assistant),
        "counted": inbox.COUNTED,
    }
    return render(request, "conversations/_home_waiting.html", context)


def _in_the_inbox(viewer: User, assistant: Assistant) -> int:
    """How many messages the inbox asks about when it is opened without a filter."""
    filters = InboxFilter({}, assistant=assistant, viewer=viewer)
    return inbox.left(filters.wanted()) if filters.environments and filters.is_valid() else 0


def _not_trained(viewer: User, assistant: Assistant) -> int:
    """Files that changed since the last training; none before the first one, of which the first steps speak."""
    newest = newest_revision(assistant)
    if newest is None or not may_see_data(viewer, assistant.pk):
        return 0
    trained = TrainingJob.objects.trainings().filter(assistant=assistant, state=TrainingJob.State.DONE)
    return len(changes_since_training(newest)) if trained.exists() else 0
