"""One's own account: the password, and the browsers in which one is signed in."""

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Field, Router, Status

from studio.access.api.shapes import SessionOut, require_whole, session_out
from studio.access.loaders import signed_in
from studio.access.passwords import change_own
from studio.access.services import sessions
from studio.errors import Conflict
from studio.web.api import bodies

router = Router(tags=["account"])


class NewPassword(bodies.Body):
    current: str = Field(max_length=1000)
    new: str = Field(max_length=1000)


@router.put("/user/password", summary="Change one's password", url_name="user-password", response={204: None})
def change_password(request: HttpRequest, body: NewPassword) -> Status[None]:
    """All sessions end with it, and tokens of signing in; API tokens go on. A first password is set on the page."""
    person = signed_in(request)
    require_whole(request)
    if not person.has_usable_password():
        raise Conflict("You have no password yet. Set your first one in the browser.", code="no-password")
    change_own(request, person, current=body.current, new=body.new)
    return Status(204, None)


@router.get(
    "/user/sessions",
    summary="Where one is signed in",
    url_name="user-sessions",
    response=list[SessionOut],
    tags=["sessions"],
)
def own_sessions(request: HttpRequest) -> list[dict[str, object]]:
    """Browsers, the last used first."""
    return [session_out(row) for row in sessions.sessions_of(signed_in(request))]


@router.delete(
    "/user/sessions", summary="Sign out everywhere", url_name="user-sessions", response={204: None}, tags=["sessions"]
)
def end_own_sessions(request: HttpRequest) -> Status[None]:
    """Tokens of signing in end too; API tokens go on."""
    require_whole(request)
    sessions.end_all(actor=signed_in(request), person=signed_in(request))
    return Status(204, None)


@router.delete(
    "/user/sessions/{id}",
    summary="Sign one of one's browsers out",
    url_name="user-session",
    response={204: None},
    tags=["sessions"],
)
def end_own_session(request: HttpRequest, id: int) -> Status[None]:
    require_whole(request)
    session = get_object_or_404(sessions.sessions_of(signed_in(request)), pk=id)
    sessions.end_session(actor=signed_in(request), session=session)
    return Status(204, None)
