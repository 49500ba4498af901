"""The revisions of an assistant's training data: their list, one with its differences, going back, downloads."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.contrib import messages
from django.db.models import Prefetch
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_http_methods, require_safe

from models_app.data.diff import FileDifference, compare
from models_app.data.packing import zipped
from models_app.data_loaders import Data, load_data, load_editable
from models_app.forms.data import MessageForm
from models_app.models import Revision, RevisionFile, TrainingJob
from models_app.services.editing import edits_between
from models_app.services.revisions import files_of
from models_app.services.training import State
from models_app.views.data import Editing
from models_app.views.validation import banner_context
from studio.access.permissions import Permission, Scope
from studio.web.htmx import HtmxHttpRequest, go
from studio.web.keyset import page_of

SHOWN_LINES = 3_000  # of all differences of a page together; nobody reads more, and browsers slow down


@dataclass(frozen=True, slots=True)
class Row:
    revision: Revision
    changed: int  # files, of those that the viewer may see
    job: TrainingJob | None  # its last training

    @property
    def number(self) -> str:
        return str(self.revision.number)


@require_safe
def history(request: HttpRequest, slug: str) -> HttpResponse:
    data = load_data(request, slug)
    jobs = TrainingJob.objects.trainings().select_related("model").defer("model__domain")
    revisions = data.assistant.revisions.prefetch_related(Prefetch("jobs", jobs))
    page = page_of(revisions, request)
    context = {
        "data": data,
        "page": page,
        "rows": _rows(data, page.rows),
        "total": revisions.count(),
        "may_edit": data.may_modify_some,
    }
    return render(request, "models_app/data/history.html", context)


def _rows(data: Data, revisions: Sequence[Revision]) -> list[Row]:
    numbers = {revision.number for revision in revisions}
    wanted = numbers | {number - 1 for number in numbers}
    files: dict[int, set[tuple[str, bytes]]] = {}
    rows = RevisionFile.objects.filter(revision__assistant=data.assistant, revision__number__in=wanted)
    for number, path, blob in rows.values_list("revision__number", "path", "blob_id"):
        files.setdefault(number, set()).add((path, bytes(blob)))
    changed = {number: files.get(number, set()) ^ files.get(number - 1, set()) for number in numbers}
    seen = data.seen(set().union(*changed.values()))
    return [
        Row(
            revision,
            len({path for path, _ in changed[revision.number] & seen}),
            next(iter(revision.jobs.all()), None),
        )
        for revision in revisions
    ]


@require_safe
def revision_page(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    """One revision and how it differs from the one before it, or from the one that `?from=` names."""
    data = load_data(request, slug, number)
    revision = data.revision
    assert revision is not None
    base = _base(data, revision, request.GET.get("from", ""))
    context = {
        "data": data,
        "revision": revision,
        "base": base,
        "others": _others(data, revision),
        "jobs": revision.jobs.select_related("model").defer("model__domain")[:10],
        "may_edit": data.may_modify_some,
        "may_train": data.user.may(Permission.MODELS_MODIFY, Scope(data.assistant.pk)),
        **banner_context(data),
        **shown(compare(data.files(base), data.files(revision)) if base else []),
    }
    return render(request, "models_app/data/revision.html", context)


def _base(data: Data, revision: Revision, wanted: str) -> Revision | None:
    revisions = data.assistant.revisions.exclude(pk=revision.pk)
    if wanted.isascii() and wanted.isdigit() and len(wanted) < 10:
        return revisions.filter(number=int(wanted)).first()
    return revisions.filter(number__lt=revision.number).first()


def _others(data: Data, revision: Revision) -> list[Revision]:
    return list(data.assistant.revisions.exclude(pk=revision.pk)[:100])


def shown(differences: list[FileDifference]) -> dict[str, object]:
    """Differences for a page: the first lines of them open, the rest only counted."""
    room = SHOWN_LINES
    files: list[tuple[FileDifference, bool]] = []
    for difference in differences:
        files.append((difference, len(difference.lines) <= room))
        room -= len(difference.lines)
    return {
        "files": files,
        "added": sum(difference.added for difference in differences),
        "removed": sum(difference.removed for difference in differences),
    }


@require_safe
def since_training(request: HttpRequest, slug: str) -> HttpResponse:
    """Leads to what changed since the last training."""
    data = load_data(request, slug)
    if data.newest is None:
        return redirect("models:data", slug)
    trained = TrainingJob.objects.trainings().filter(assistant=data.assistant, state=State.DONE)
    done = trained.order_by("-revision__number").first()
    url = reverse("models:data-revision", args=[slug, data.newest.number])
    if done is None or done.revision == data.newest:
        return redirect(url)
    return redirect(f"{url}?from={done.revision.number}")


@require_http_methods(["GET", "HEAD", "POST"])
def restore(request: HtmxHttpRequest, slug: str, number: int) -> HttpResponse:
    """Make an old revision the newest again, as a revision of its own."""
    data = load_editable(request, slug)
    old = load_data(request, slug, number).revision
    assert old is not None and data.newest is not None
    form = MessageForm(request.POST or None, initial={"base": data.newest.number})
    editing = Editing(data, form)
    if form.is_valid():
        edits = edits_between(files_of(data.newest), files_of(old))
        if editing.save(edits, form.cleaned_data["message"] or f"Return to revision {number}"):
            editing.tell(request)
            return go(request, reverse("models:data", args=[slug]))
    context = {**editing.context(), "heading": f"Return to revision {number}", "old": old}
    return render(request, "models_app/data/restore.html", context, status=editing.status)


@require_safe
def download(request: HttpRequest, slug: str) -> HttpResponse:
    """The project as a zip, as it can be uploaded again."""
    data = load_data(request, slug)
    if data.revision is None:
        messages.info(request, "There is no training data yet.")
        return redirect("models:data", slug)
    name = f"{slug}-revision-{data.revision.number}"
    headers = {"Content-Disposition": f'attachment; filename="{name}.zip"'}
    packed = b"".join(zipped(name, data.files(data.revision)))
    return HttpResponse(packed, content_type="application/zip", headers=headers)


@require_safe
def raw_file(request: HttpRequest, slug: str, path: str) -> HttpResponse:
    """One file, byte for byte."""
    content = load_data(request, slug).file(path)
    response = HttpResponse(content, content_type="application/octet-stream")
    name = path.rpartition("/")[2]
    response.headers["Content-Disposition"] = content_disposition_header(True, name) or "attachment"
    return response
