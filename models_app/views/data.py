"""The files of an assistant's training data: the list, a file's page, and changing one."""

from dataclasses import dataclass

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from models_app.data.check import NEWEST_FORMAT, Problem, Role, check_file
from models_app.data.diff import FileDifference, compare
from models_app.data.outline import outline
from models_app.data.yaml_text import decode
from models_app.data_loaders import Data, load_data, load_editable
from models_app.entries import Entry
from models_app.findings import Findings
from models_app.forms.data import EditForm, MessageForm, NewFileForm, PathForm
from models_app.models import Revision, RevisionFile, TrainingJob
from models_app.services.editing import BadData, Collision, Edits, Saved, save_edits
from models_app.services.training import changes_since_training
from models_app.views.validation import at, banner_context
from studio.access.permissions import Permission, Scope
from studio.errors import DomainError
from studio.web.code import highlight, language_of
from studio.web.htmx import HtmxHttpRequest, go

EMPTY_FILE = f'version: "{NEWEST_FORMAT}"\n\n'
EDITABLE_BYTES = 512 * 1024  # beyond, browsers stutter in a text field; such a file is changed outside


@require_safe
def data_page(request: HttpRequest, slug: str) -> HttpResponse:
    data = load_data(request, slug)
    entries = data.entries()
    kind = request.GET.get("kind", "")
    findings = Findings(data, entries)
    shown = [entry for entry in entries if not kind or kind in entry.outline.kinds]
    context = {
        "data": data,
        "entries": [(entry, findings.by_path.get(entry.path)) for entry in shown],
        "total": len(entries),
        "size": sum(entry.size for entry in entries),
        "kinds": _kinds(entries),
        "kind": kind,
        "changes": len(changes_since_training(data.newest)) if data.newest and data.is_newest else 0,
        **banner_context(data, findings),
        **_rights(data),
    }
    return render(request, "models_app/data/list.html", context)


def _is_trained(data: Data) -> bool:
    """Whether there is nothing to train: a model was made of the newest revision, or an older one is looked at."""
    done = TrainingJob.objects.trainings().filter(state=TrainingJob.State.DONE, revision=data.newest)
    return not data.is_newest or done.exists()


def _kinds(entries: list[Entry]) -> list[tuple[str, int]]:
    counted = [(role.value, sum(role in entry.outline.roles for entry in entries)) for role in Role]
    return [(role, number) for role, number in counted if number]


def _rights(data: Data) -> dict[str, bool]:
    scope = Scope(data.assistant.pk)
    return {
        "may_train": data.user.may(Permission.MODELS_MODIFY, scope),
        "may_edit": data.may_modify_some,
        "may_see_examples": all(
            data.user.may_somewhere(one, data.assistant.pk)
            for one in (Permission.NLU_VIEW, Permission.CONVERSATIONS_VIEW)
        ),
    }


@require_safe
def file_page(request: HttpRequest, slug: str, path: str) -> HttpResponse:
    data = load_data(request, slug)
    content = data.file(path)
    notes = Findings(data).notes_of(path)
    history = _history(data, path)
    context = {
        "data": data,
        "path": path,
        "at": at(data),
        "code": highlight(decode(content), language_of(path), notes),
        "notes": notes,
        "noted": sorted({note.line for note in notes}),
        "has_errors": any(note.kind == "error" for note in notes),
        "size": len(content),
        "outline": outline(path, content),
        "problems": check_file(path, content).problems,
        "last": _last_change(data, history),
        "history": history[:12],
        "too_large": len(content) > EDITABLE_BYTES,
        "may_train": data.user.may(Permission.MODELS_MODIFY, Scope(data.assistant.pk)) and not _is_trained(data),
        "may_edit": data.is_newest and data.may_modify(path, content),
    }
    return render(request, "models_app/data/file.html", context)


def _last_change(data: Data, history: list[RevisionFile]) -> Revision | None:
    """What gave the file the text that it has in the revision that is looked at."""
    number = data.revision.number if data.revision else 0
    return next((row.revision for row in history if row.revision.number <= number), None)


def _history(data: Data, path: str) -> list[RevisionFile]:
    """The revisions that have other text in this file than the one before them, newest first."""
    rows = RevisionFile.objects.filter(revision__assistant=data.assistant, path=path)
    changed: list[RevisionFile] = []
    for row in rows.select_related("revision").order_by("revision__number"):
        if not changed or changed[-1].blob_id != row.blob_id:
            changed.append(row)
    return changed[::-1]


@require_http_methods(["GET", "HEAD", "POST"])
def edit_file(request: HttpRequest, slug: str, path: str) -> HttpResponse:
    data = load_editable(request, slug)
    # A text that was typed must not be lost to a file that somebody deleted meanwhile: the service judges what is sent.
    content = (data.content(path) or b"") if request.method == "POST" else _changeable(data, path)
    if len(content) > EDITABLE_BYTES:
        messages.warning(
            request, f"{path} is too large to edit in a browser. Download it, and upload the project again."
        )
        return redirect("models:data-file", slug, path)
    form = EditForm(request.POST or None, initial={"text": decode(content), "base": _number(data)})
    editing = Editing(data, form, path)
    if form.is_valid() and editing.save({path: as_bytes(form.cleaned_data["text"], like=content)}):
        editing.tell(request)
        return redirect("models:data-file", slug, path)
    return render(request, "models_app/data/edit.html", editing.context(), status=editing.status)


@require_http_methods(["GET", "HEAD", "POST"])
def new_file(request: HttpRequest, slug: str) -> HttpResponse:
    data = load_editable(request, slug)
    initial = {"base": _number(data), "text": EMPTY_FILE}
    taken = _paths(data) - _made_before(data, request)
    form = NewFileForm(request.POST or None, taken=taken, initial=initial)
    editing = Editing(data, form)
    if form.is_valid():
        editing.path = form.cleaned_data["path"]
        if editing.save({editing.path: as_bytes(form.cleaned_data["text"])}):
            editing.tell(request)
            return redirect("models:data-file", slug, editing.path)
    return render(request, "models_app/data/new.html", editing.context(), status=editing.status)


@require_http_methods(["GET", "HEAD", "POST"])
def rename_file(request: HtmxHttpRequest, slug: str, path: str) -> HttpResponse:
    data = load_editable(request, slug)
    content = _changeable(data, path)
    form = PathForm(request.POST or None, taken=_paths(data) - {path}, initial={"path": path, "base": _number(data)})
    editing = Editing(data, form, path)
    if form.is_valid():
        new = form.cleaned_data["path"]
        message = form.cleaned_data["message"] or f"Rename {path} to {new}"
        if editing.save({path: None, new: content}, message):
            editing.tell(request)
            return go(request, reverse("models:data-file", args=[slug, new]))
    context = {**editing.context(), "heading": f"Rename {path.rpartition('/')[2]}"}
    return render(request, "models_app/data/rename.html", context, status=editing.status)


@require_http_methods(["GET", "HEAD", "POST"])
def delete_file(request: HtmxHttpRequest, slug: str, path: str) -> HttpResponse:
    data = load_editable(request, slug)
    _changeable(data, path)
    form = MessageForm(request.POST or None, initial={"base": _number(data)})
    editing = Editing(data, form, path)
    if form.is_valid() and editing.save({path: None}, form.cleaned_data["message"] or f"Delete {path}"):
        editing.tell(request)
        return go(request, reverse("models:data", args=[slug]))
    context = {**editing.context(), "heading": f"Delete {path.rpartition('/')[2]}"}
    return render(request, "models_app/data/delete.html", context, status=editing.status)


def _changeable(data: Data, path: str) -> bytes:
    content = data.file(path)
    if not data.may_modify(path, content):
        raise PermissionDenied(f"Your roles do not include changing {path}.")
    return content


def _number(data: Data) -> int | None:
    return data.newest.number if data.newest else None


def _paths(data: Data) -> set[str]:
    return set(data.newest.files.values_list("path", flat=True)) if data.newest else set()


def _made_before(data: Data, request: HttpRequest) -> set[str]:
    """The path of a new file that is there with just this text: its form was sent twice."""
    path, text = request.POST.get("path", ""), request.POST.get("text", "")
    return {path} if data.content(path) == as_bytes(text) else set()


def as_bytes(text: str, like: bytes = b"") -> bytes:
    """A browser's text as UTF-8. Browsers send CRLF whatever the file had; it keeps the line ends it had."""
    plain = text.replace("\r\n", "\n").replace("\r", "\n")
    return (plain.replace("\n", "\r\n") if b"\r\n" in like else plain).encode()


@dataclass
class Editing:
    """One attempt to save a form, and what its page says when it was not saved."""

    data: Data
    form: Form
    path: str = ""
    saved: Saved | None = None
    collision: Collision | None = None
    error: Problem | None = None

    def save(self, edits: Edits, message: str | None = None) -> bool:
        try:
            self.saved = save_edits(
                actor=self.data.user,
                assistant=self.data.assistant,
                edits=edits,
                message=self.form.cleaned_data["message"] if message is None else message,
                base_number=self.form.cleaned_data["base"],
            )
        except Collision as error:
            self._begin_again_from(error)
        except BadData as error:
            self.error = error.problems[0]
            field = "text" if "text" in self.form.fields else None
            for problem in error.problems:
                self.form.add_error(field, _sentence(problem))
        except DomainError as error:
            self.form.add_error(None, error.message)
        return self.saved is not None

    def _begin_again_from(self, error: Collision) -> None:
        """The text stays; saving it once more puts it over what the other person saved, which the page now shows."""
        self.collision = error
        posted = {name: str(self.form.data.get(name, "")) for name in self.form.fields}
        self.form.data = {**posted, "base": str(error.newest.number)}

    @property
    def status(self) -> int:
        if not self.form.is_bound:
            return 200
        return 409 if self.collision else 422

    def tell(self, request: HttpRequest) -> None:
        assert self.saved is not None
        revision, under = self.saved.revision, self.saved.on_top_of
        if not self.saved.changed and self.saved.is_known:
            messages.success(request, "This is saved already.")
        elif not self.saved.changed:
            messages.info(request, "Nothing changed, so there is no new revision.")
        elif under is not None:
            messages.success(
                request,
                f"Saved as revision {revision.number}, on top of revision {under.number} that {under.author_label} "
                "saved meanwhile in other files.",
            )
        else:
            messages.success(request, f"Saved as revision {revision.number}.")

    def context(self) -> dict[str, object]:
        return {
            "data": self.data,
            "form": self.form,
            "path": self.path,
            "collision": self.collision,
            "theirs": self._theirs(),
            "mine": self._mine(),
            "error": self.error,
        }

    def _theirs(self) -> list[FileDifference]:
        """What the others changed in the files of this save."""
        if self.collision is None:
            return []
        base = self.data.assistant.revisions.filter(number=self.form.cleaned_data["base"]).first()
        paths = self.collision.paths
        old, new = self.data.files(base), self.data.files(self.collision.newest)
        return compare(_only(old, paths), _only(new, paths))

    def _mine(self) -> list[FileDifference]:
        """What saving this text over theirs would change."""
        if self.collision is None or "text" not in self.form.cleaned_data:
            return []
        theirs = _only(self.data.files(self.collision.newest), [self.path])
        return compare(theirs, {self.path: as_bytes(self.form.cleaned_data["text"], like=theirs.get(self.path, b""))})


def _sentence(problem: Problem) -> str:
    return f"Line {problem.line}, column {problem.column}: {problem.message}" if problem.line else problem.message


def _only(files: dict[str, bytes], paths: list[str]) -> dict[str, bytes]:
    return {path: files[path] for path in paths if path in files}
