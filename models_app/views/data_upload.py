"""A whole project as a zip: it arrives, its difference is looked at, and only then is it kept."""

import io
from collections.abc import Mapping
from dataclasses import dataclass

from django.conf import settings
from django.contrib import messages
from django.core import signing
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from models_app.data.check import Report, check
from models_app.data.diff import compare
from models_app.data.project import Project, ProjectError, read_zip
from models_app.data_loaders import Data, load_editable
from models_app.forms.data import MessageForm
from models_app.receiving import receiving
from models_app.services.editing import applied, edits_between, missing_rights
from models_app.services.revisions import files_of
from models_app.storage import ArtifactMissing, StoreFailed, store
from models_app.views.data import Editing
from models_app.views.data_history import shown
from studio.errors import DomainError, Invalid

SALT = "models_app.data-upload"
KEPT_SECONDS = 45 * 60  # less than the hour after which the store sweeps away what no model names


@dataclass(frozen=True, slots=True)
class Upload:
    """A zip that lies in the artifact store, waiting to be looked at; its address is signed."""

    assistant_id: int
    user_id: int
    sha256: str
    name: str

    def signed(self) -> str:
        return signing.dumps([self.assistant_id, self.user_id, self.sha256, self.name], salt=SALT, compress=True)

    @classmethod
    def read(cls, token: str, data: Data) -> "Upload":
        """Raises Invalid for what is not this person's upload to this assistant, or is too old."""
        try:
            upload = cls(*signing.loads(token, salt=SALT, max_age=KEPT_SECONDS))
        except signing.BadSignature as error:
            raise Invalid("This upload is no longer kept. Upload the project again.") from error
        if (upload.assistant_id, upload.user_id) != (data.assistant.pk, data.user.pk):
            raise Invalid("This upload was not yours, or not for this assistant.")
        return upload

    def project(self) -> Project:
        try:
            with store().open(self.sha256) as stream:
                return read_zip(io.BytesIO(stream.read()))
        except ArtifactMissing as error:
            raise Invalid("This upload is no longer kept. Upload the project again.") from error
        except ProjectError as error:
            raise Invalid(str(error)) from error


@require_safe
def upload_page(request: HttpRequest, slug: str) -> HttpResponse:
    data = load_editable(request, slug)
    context = {"data": data, "limit": settings.MAX_DATA_BYTES}
    return render(request, "models_app/data/upload.html", context)


@require_http_methods(["PUT"])
def upload(request: HttpRequest, slug: str) -> JsonResponse:
    """The zip is the raw body; the answer is the address where its difference is looked at, or why not."""
    data = load_editable(request, slug)
    try:
        with (
            receiving(request, settings.MAX_DATA_BYTES) as body,
            store().stage(body, limit=settings.MAX_DATA_BYTES) as staged,
        ):
            with staged.path.open("rb") as stream:
                read_zip(stream)
            kept = store().keep(staged)
    except (DomainError, ProjectError) as error:
        return JsonResponse({"message": str(error)}, status=getattr(error, "status", 422))
    name = request.GET.get("name", "")[:100]
    token = Upload(data.assistant.pk, data.user.pk, kept.sha256, name).signed()
    return JsonResponse({"url": f"{reverse('models:data-preview', args=[slug])}?upload={token}"}, status=201)


@require_http_methods(["GET", "HEAD", "POST"])
def preview(request: HttpRequest, slug: str) -> HttpResponse:
    """What keeping an upload would change; a POST keeps it."""
    data = load_editable(request, slug)
    try:
        upload = Upload.read(request.GET.get("upload", ""), data)
        project = upload.project()
    except (Invalid, StoreFailed) as error:
        messages.error(request, error.message)
        return redirect("models:data-upload", slug)
    form = MessageForm(request.POST or None, initial={"base": data.newest.number if data.newest else None})
    editing = Editing(data, form)
    if form.is_valid():
        base = data.assistant.revisions.filter(number=form.cleaned_data["base"] or 0).first()
        edits = edits_between(data.files(base), project.files)  # what the person may not see stays as it is
        if editing.save(edits, form.cleaned_data["message"] or f"Upload {upload.name}"):
            editing.tell(request)
            return redirect("models:data", slug)
    context = {**editing.context(), "upload": upload, "project": project, **_findings(data, project.files)}
    return render(request, "models_app/data/preview.html", context, status=editing.status)


def _findings(data: Data, files: Mapping[str, bytes]) -> dict[str, object]:
    """The difference to what the person may see of the newest revision, and what speaks against keeping the upload."""
    before = data.files(data.newest)
    differences = compare(before, files)
    whole = files_of(data.newest) if data.newest else {}
    after = applied(whole, edits_between(before, files))
    report = check(after)
    missing = missing_rights(data.user, data.assistant, whole, after)
    hidden = after.keys() - files.keys()
    return {
        "is_first": data.newest is None,
        "problems": [problem for problem in report.problems if problem.path not in hidden],
        "hidden": len(hidden),
        "blocked": bool(missing) or _is_unreadable(report, {difference.path for difference in differences}),
        "missing": missing,
        **shown(differences),
    }


def _is_unreadable(report: Report, changed: set[str]) -> bool:
    return any(problem.path in changed for problem in report.errors)
