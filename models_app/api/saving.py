"""Saving training data: single files, a whole project, going back; and Rasa's validation of it.

On the router of the data: one router has all methods of a path.
"""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import BinaryIO

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from ninja import Field, Path, Query, Schema, Status
from pydantic import BaseModel

from models_app.api.data import RevisionOut, facts_of, router
from models_app.api.facts import address_of, epoch
from models_app.api.trainings import TrainingOut, asked_for
from models_app.data.check import check
from models_app.data.project import ProjectError, read_zip
from models_app.data_loaders import Data, load_data, load_editable
from models_app.findings import Findings
from models_app.models import Revision
from models_app.receiving import receiving
from models_app.services.editing import Edits, Saved, applied, edits_between, missing_rights, save_edits, usable_path
from models_app.services.revisions import files_of
from models_app.services.validation import request_validation
from models_app.storage import TooLarge
from studio.errors import Invalid
from studio.multipart import FilePart
from studio.readable import Readable
from studio.web.api import repeats

FIELD = "project"
PIECE = 1024 * 1024
ZIP = {
    "requestBody": {
        "required": True,
        "content": {
            "application/zip": {"schema": {"type": "string", "format": "binary"}},
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": [FIELD],
                    "properties": {FIELD: {"type": "string", "format": "binary"}},
                }
            },
        },
    },
    **repeats.NONE,
}


class SavedOut(RevisionOut):
    """`changed` is false when the data was so already. `on_top_of` is the revision of somebody else beneath it."""

    changed: bool
    on_top_of: int | None


class ProblemOut(Schema):
    """`path` is empty for what is wrong with the project as a whole, `line` null where there is none."""

    severity: str
    message: str
    path: str
    line: int | None


class WouldOut(Schema):
    """What saving would change of revision `newest`. `missing` are permissions that the token lacks for it; `problems`
    of severity error in changed files stand in its way."""

    newest: int | None
    added: list[str]
    changed: list[str]
    removed: list[str]
    missing: list[str]
    problems: list[ProblemOut]


class How(Schema):
    dry_run: bool = Field(False, description="Say what would change, and save nothing.")
    merge: bool = Field(False, description="Go on top of what others saved meanwhile, where they changed other files.")


class Save(BaseModel):
    """`base` is the number of the revision that the changes began from, null for the first. A file with null is
    deleted. `replace`: the files are the whole project, and others go."""

    base: int | None = None
    message: str = Field("", max_length=300)
    files: dict[str, str | None]
    replace: bool = False


class SaveZip(How):
    base: int | None = None
    message: str = Field("", max_length=300)


@dataclass(frozen=True)
class Plan:
    """Edits of one person that began from `base`."""

    data: Data
    base: Revision | None
    edits: Edits
    message: str


@router.post(
    "/projects/{slug}/data/revisions",
    summary="Save files",
    url_name="revisions",
    response={200: SavedOut | WouldOut, 201: SavedOut},
)
def save(
    request: HttpRequest, response: HttpResponse, slug: Path[str], body: Save, how: Query[How]
) -> Status[dict[str, object]]:
    """201 with the new revision, 200 when the data was so already; 409 with `details.newest` when somebody saved
    meanwhile. Data of more than 2 MB is sent as a zip."""
    data = load_editable(request, slug)
    base = _base(data, body.base)
    before = data.files(base)
    files = {usable_path(path): None if text is None else text.encode() for path, text in body.files.items()}
    after = applied({} if body.replace else before, files)
    edits = {path: text for path, text in files.items() if text != before.get(path)}
    edits |= edits_between(before, after)  # what the person may not see stays as it is
    return _answer(response, Plan(data, base, edits, body.message), how)


@router.post(
    "/projects/{slug}/data/archive",
    summary="Save a whole project",
    url_name="data-archive",
    response={200: SavedOut | WouldOut, 201: SavedOut},
    openapi_extra=ZIP,
)
def save_zip(
    request: HttpRequest, response: HttpResponse, slug: Path[str], how: Query[SaveZip]
) -> Status[dict[str, object]]:
    """A zip as the body, or as the field `project` of a multipart form. Files that are not in it are deleted."""
    data = load_editable(request, slug)
    base = _base(data, how.base)
    edits = edits_between(data.files(base), _project_in(request))
    return _answer(response, Plan(data, base, edits, how.message), how)


def _base(data: Data, number: int | None) -> Revision | None:
    if not number:
        return None
    base = data.assistant.revisions.filter(number=number).first()
    if base is None:
        raise Invalid(f"There is no revision {number} to begin from.", code="base")
    return base


def _answer(response: HttpResponse, plan: Plan, how: How) -> Status[dict[str, object]]:
    if how.dry_run:
        return Status(200, _would(plan))
    saved = save_edits(
        actor=plan.data.user,
        assistant=plan.data.assistant,
        edits=plan.edits,
        message=plan.message,
        base_number=plan.base.number if plan.base else None,
        on_top=how.merge,
    )
    return _saved(response, plan.data, saved)


def _saved(response: HttpResponse, data: Data, saved: Saved) -> Status[dict[str, object]]:
    beneath = saved.on_top_of.number if saved.on_top_of else None
    response["Location"] = address_of("revision", data.assistant.slug, saved.revision.number)
    facts = {**facts_of(saved.revision), "changed": saved.changed, "on_top_of": beneath}
    return Status(201 if saved.changed else 200, facts)


def _would(plan: Plan) -> dict[str, object]:
    data, edits = plan.data, plan.edits
    whole = files_of(data.newest) if data.newest else {}
    seen = data.visible(whole)
    after = applied(whole, edits)
    hidden = whole.keys() - seen.keys() - edits.keys()
    return {
        "newest": data.newest.number if data.newest else None,
        "added": sorted(path for path, text in edits.items() if text is not None and path not in seen),
        "changed": sorted(path for path in edits.keys() & seen.keys() if edits[path] not in (None, seen[path])),
        "removed": sorted(path for path in edits.keys() & seen.keys() if edits[path] is None),
        "missing": missing_rights(data.user, data.assistant, whole, after),
        "problems": [problem for problem in check(after).problems if problem.path not in hidden],
    }


def _project_in(request: HttpRequest) -> Mapping[str, bytes]:
    """The files of the zip in the body."""
    with receiving(request, settings.MAX_DATA_BYTES) as raw, tempfile.TemporaryFile() as copy:
        body: Readable = raw
        if request.content_type == "multipart/form-data":
            body = FilePart(raw, request.headers.get("Content-Type", ""), FIELD)
            if not body.find():
                raise Invalid(f"Send the project's zip as the field “{FIELD}” of a multipart form.")
        _receive(body, copy)
        try:
            return read_zip(copy).files
        except ProjectError as error:
            raise Invalid(str(error), code="project") from error


def _receive(body: Readable, copy: BinaryIO) -> None:
    size = 0
    while piece := body.read(PIECE):
        size += len(piece)
        if size > settings.MAX_DATA_BYTES:
            raise TooLarge(settings.MAX_DATA_BYTES)
        copy.write(piece)


class Return(BaseModel):
    message: str = Field("", max_length=300)


@router.post(
    "/projects/{slug}/data/revisions/{number}/restore",
    summary="Return to a revision",
    url_name="revision-restore",
    response={200: SavedOut, 201: SavedOut},
)
def restore(
    request: HttpRequest, response: HttpResponse, slug: Path[str], number: Path[int], body: Return | None = None
) -> Status[dict[str, object]]:
    """Its data becomes a new revision, the newest."""
    data = load_editable(request, slug)
    old = load_data(request, slug, number).revision
    assert old is not None and data.newest is not None
    saved = save_edits(
        actor=data.user,
        assistant=data.assistant,
        edits=edits_between(files_of(data.newest), files_of(old)),
        message=(body.message if body else "") or f"Return to revision {number}",
        base_number=data.newest.number,
        on_top=False,
    )
    return _saved(response, data, saved)


# --- Validation ---------------------------------------------------------------------------------------------------


class PlaceOut(Schema):
    path: str
    line: int


class FindingOut(Schema):
    severity: str
    message: str
    advice: str
    places: list[PlaceOut]


class ValidationOut(Schema):
    """`state` is none, under-way, valid, warning or error. `training` is the number of the job that validated it last,
    or validates it now. Findings in files that the token may not see are only counted."""

    state: str
    training: int | None
    errors: int
    warnings: int
    hidden: int
    rasa_version: str
    finished_at: float | None
    findings: list[FindingOut]


@router.post(
    "/projects/{slug}/data/revisions/{number}/validate",
    summary="Validate a revision",
    url_name="revision-validate",
    response={202: TrainingOut},
)
def validate(
    request: HttpRequest, response: HttpResponse, slug: Path[str], number: Path[int]
) -> Status[dict[str, object]]:
    """By Rasa itself, in the line of the trainings. 409 while it is under way."""
    data = load_data(request, slug, number)
    if not data.may_validate:
        raise PermissionDenied("Your roles do not include changing training data or training models.")
    job = request_validation(actor=data.user, assistant=data.assistant, revision=data.revision)
    return asked_for(response, job, slug)


@router.get(
    "/projects/{slug}/data/revisions/{number}/validation",
    summary="What the validation found",
    url_name="revision-validation",
    response=ValidationOut,
)
def validation(request: HttpRequest, slug: Path[str], number: Path[int]) -> dict[str, object]:
    """The last one of the same data, by whichever job and Rasa."""
    findings = Findings(load_data(request, slug, number))
    last = findings.validation
    job = findings.last_job or (last.job if last else None)
    return {
        "state": findings.state,
        "training": job.number if job else None,
        "errors": last.errors if last else 0,
        "warnings": last.warnings if last else 0,
        "hidden": findings.hidden,
        "rasa_version": last.rasa_version if last else "",
        "finished_at": epoch(last.finished_at) if last else None,
        "findings": [
            {
                "severity": row.severity,
                "message": row.message,
                "advice": row.advice,
                "places": [{"path": path, "line": line} for path, line in findings.places_of(row)],
            }
            for row in findings.seen
        ],
    }
