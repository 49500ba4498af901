"""Where somebody else is signed in."""

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Path, Router, Status

from studio.access.api.shapes import SessionOut, session_out
from studio.access.loaders import load_person_named, signed_in
from studio.access.services import sessions

router = Router(tags=["sessions"])


@router.get(
    "/users/{name}/sessions",
    summary="Where somebody is signed in",
    url_name="sessions-of-user",
    response=list[SessionOut],
)
def list_sessions(request: HttpRequest, name: Path[str]) -> list[dict[str, object]]:
    """Browsers, the last used first."""
    return [session_out(row) for row in sessions.sessions_of(load_person_named(request, name))]


@router.delete(
    "/users/{name}/sessions", summary="Sign somebody out everywhere", url_name="sessions-of-user", response={204: None}
)
def end_sessions(request: HttpRequest, name: Path[str]) -> Status[None]:
    """They can sign in again; to prevent that, shut them out. API tokens go on."""
    sessions.end_all(actor=signed_in(request), person=load_person_named(request, name))
    return Status(204, None)


@router.delete(
    "/users/{name}/sessions/{id}",
    summary="Sign somebody out of one browser",
    url_name="session-of-user",
    response={204: None},
)
def end_session(request: HttpRequest, name: Path[str], id: int) -> Status[None]:
    session = get_object_or_404(sessions.sessions_of(load_person_named(request, name)), pk=id)
    sessions.end_session(actor=signed_in(request), session=session)
    return Status(204, None)
