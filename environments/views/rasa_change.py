"""What another Rasa means for the environments of an assistant: a fragment of its training settings."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from environments.models import Environment
from environments.services.rasa_change import effects
from models_app.loaders import load_assistant
from studio.access.loaders import signed_in
from studio.access.permissions import Permission
from studio.rasa.services import runtime_named


@require_safe
def rasa_change(request: HttpRequest, slug: str) -> HttpResponse:
    assistant = load_assistant(request, slug, Permission.ASSISTANTS_MODIFY)
    rasa = runtime_named(request.GET.get("rasa_version", "")[:40])
    rows = Environment.objects.visible_to(signed_in(request)).filter(assistant=assistant)
    context = {"effects": effects(rows.select_related("tag__model", "server"), rasa), "rasa": rasa}
    return render(request, "environments/_rasa_change.html", context)
