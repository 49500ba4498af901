"""The Rasa versions of this installation."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from ninja import Path, Router, Schema, Status
from pydantic import BaseModel

from studio.access.loaders import require, signed_in
from studio.access.permissions import Permission
from studio.rasa.models import RasaRuntime
from studio.rasa.presentation import Line, lines
from studio.rasa.services import add_version, current_runtime, request_install, request_removal
from studio.web.api import repeats

router = Router(tags=["Rasa versions"])


class VersionOut(Schema):
    """`state` is missing, wanted, installing, ready, failed or removing; `progress` percent where it is known.

    `version` is the name of an own one. `kept` says why it may not be removed, null when it may.
    """

    version: str
    release: str
    is_own: bool
    is_default: bool
    state: str
    step: str
    progress: int | None
    message: str
    mend: str
    minimum_compatible_version: str
    python: str
    size: int | None
    models: int
    used_by: list[str]
    kept: str | None


class NewVersion(BaseModel):
    version: str


@router.get("/rasa/versions", summary="Rasa versions", url_name="rasa-versions", response=list[VersionOut])
def versions(request: HttpRequest) -> list[dict[str, object]]:
    """For whoever may change every assistant."""
    _load(request)
    return [_facts(line) for line in lines()]


@router.post(
    "/rasa/versions",
    summary="Add a Rasa version",
    url_name="rasa-versions",
    response={202: VersionOut},
    openapi_extra=repeats.NONE,
)
def add(request: HttpRequest, response: HttpResponse, body: NewVersion) -> Status[dict[str, object]]:
    """It is installed in the background: 2.7 GB, some minutes. 409 when it is here already."""
    _load(request)
    return _asked(response, add_version(actor=signed_in(request), version=body.version))


@router.get("/rasa/versions/{version}", summary="One Rasa version", url_name="rasa-version", response=VersionOut)
def one(request: HttpRequest, version: Path[str]) -> dict[str, object]:
    return _facts_of(_load(request, version))


@router.delete(
    "/rasa/versions/{version}",
    summary="Remove a Rasa version",
    url_name="rasa-version",
    response={202: VersionOut},
)
def remove(request: HttpRequest, response: HttpResponse, version: Path[str]) -> Status[dict[str, object]]:
    """409 while anything uses it."""
    return _asked(response, request_removal(actor=signed_in(request), row=_load(request, version)))


@router.post(
    "/rasa/versions/{version}/install",
    summary="Install a Rasa version again",
    url_name="rasa-version-install",
    response={202: VersionOut},
)
def install(request: HttpRequest, response: HttpResponse, version: Path[str]) -> Status[dict[str, object]]:
    """One that failed; of an own one it is asked again which Rasa it has."""
    return _asked(response, request_install(actor=signed_in(request), name=_load(request, version).version))


def _load(request: HttpRequest, version: str = "") -> RasaRuntime:
    """The version, or that of the installation when none is named."""
    require(signed_in(request), Permission.ASSISTANTS_MODIFY)
    return get_object_or_404(RasaRuntime, version=version) if version else current_runtime()


def _asked(response: HttpResponse, row: RasaRuntime) -> Status[dict[str, object]]:
    response["Location"] = reverse("api:rasa-version", args=[row.version])
    return Status(202, _facts_of(row))


def _facts_of(row: RasaRuntime) -> dict[str, object]:
    return next(_facts(line) for line in lines() if line.row.pk == row.pk)


def _facts(line: Line) -> dict[str, object]:
    row = line.row
    return {
        "version": row.version,
        "release": row.release,
        "is_own": row.own,
        "is_default": line.is_default,
        "state": row.state,
        "step": row.step,
        "progress": line.percent,
        "message": row.message,
        "mend": row.mend,
        "minimum_compatible_version": row.minimum_compatible_version,
        "python": row.python,
        "size": row.size,
        "models": line.models,
        "used_by": [use.label for use in line.uses],
        "kept": line.kept or None,
    }
