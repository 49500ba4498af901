"""The list of assistants and an assistant's own settings. Making and deleting one: environments/views/assistants.py."""

from django.contrib import messages
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from models_app.forms.assistants import RenameForm
from models_app.loaders import load_assistant
from models_app.models import Assistant
from models_app.services.assistants import DEFAULT_SLUG, rename_assistant
from studio.access.loaders import signed_in
from studio.access.models import User
from studio.access.permissions import Permission, Scope
from studio.web import navigation


@require_safe
def assistant_list(request: HttpRequest) -> HttpResponse:
    user = signed_in(request)
    counted = Assistant.objects.visible_to(user).annotate(model_count=Count("model", filter=Q(model__deleted_at=None)))
    rows = [_row(request, user, assistant) for assistant in counted]
    context = {
        "rows": rows,
        "may_create": user.may(Permission.ASSISTANTS_MODIFY),
        "may_manage_people": user.may(Permission.PEOPLE_MODIFY),
    }
    return render(request, "models_app/assistant_list.html", context)


def _row(request: HttpRequest, user: User, assistant: Assistant) -> dict[str, object]:
    return {
        "assistant": assistant,
        "url": navigation.home(request, user, assistant),
        "may_modify": user.may(Permission.ASSISTANTS_MODIFY, Scope(assistant.pk)),
    }


@require_http_methods(["GET", "HEAD", "POST"])
def assistant_settings(request: HttpRequest, slug: str) -> HttpResponse:
    assistant = load_assistant(request, slug, Permission.ASSISTANTS_MODIFY)
    form = RenameForm(request.POST or None, initial={"title": assistant.title})
    if form.is_valid():
        rename_assistant(actor=signed_in(request), assistant=assistant, title=form.cleaned_data["title"])
        messages.success(request, f"The assistant is called {assistant.title} now.")
        return redirect(request.path)
    context = {"form": form, "is_default": assistant.slug == DEFAULT_SLUG}
    return render(request, "models_app/assistant.html", context, status=422 if form.is_bound else 200)
