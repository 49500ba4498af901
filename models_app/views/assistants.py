"""An assistant's own settings. The list of them, making and deleting one: environments/views/assistants.py."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from models_app.forms.assistants import RenameForm
from models_app.loaders import load_assistant
from models_app.services.assistants import DEFAULT_SLUG, rename_assistant
from studio.access.loaders import signed_in
from studio.access.permissions import Permission


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
