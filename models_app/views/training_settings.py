"""How one assistant is trained."""

from django.contrib import messages
from django.forms.models import model_to_dict
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from models_app.forms.training import TrainingSettingsForm
from models_app.loaders import load_assistant
from models_app.services.training_settings import save_settings, settings_of
from studio.access.loaders import signed_in
from studio.access.permissions import Permission


@require_http_methods(["GET", "HEAD", "POST"])
def training_settings(request: HttpRequest, slug: str) -> HttpResponse:
    assistant = load_assistant(request, slug, Permission.ASSISTANTS_MODIFY)
    form = TrainingSettingsForm(request.POST or None, initial=model_to_dict(settings_of(assistant)))
    if form.is_valid():
        save_settings(actor=signed_in(request), assistant=assistant, values=form.cleaned_data)
        messages.success(request, "Saved. Trainings that start from now on follow it.")
        return redirect(request.path)
    return render(request, "models_app/training/settings.html", {"form": form}, status=422 if form.is_bound else 200)
