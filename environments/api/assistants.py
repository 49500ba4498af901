"""Assistants, which Rasa Enterprise calls projects."""

from django.http import HttpRequest, HttpResponse
from ninja import Field, Path, Query, Router, Schema, Status

from environments.services.assistants import delete_assistant
from environments.services.birth import create_assistant
from models_app.loaders import load_assistant
from models_app.models import Assistant
from models_app.services.assistants import rename_assistant
from studio.access.loaders import require, signed_in
from studio.access.permissions import Permission
from studio.web.api.bodies import Body
from studio.web.api.paging import Paging, page

router = Router(tags=["assistants"])


class Title(Body):
    title: str = Field(min_length=1, max_length=120, pattern=r"\S")


class NewAssistant(Title):
    """`name` is in every address of the assistant and never changes."""

    name: str


class AssistantOut(Schema):
    name: str
    title: str
    created_at: float


@router.get("/projects", summary="Assistants", url_name="projects", response=list[AssistantOut])
def assistants(request: HttpRequest, response: HttpResponse, paging: Query[Paging]) -> list[dict[str, object]]:
    """Those of which one may see something, by name."""
    seen = Assistant.objects.visible_to(signed_in(request))
    return [_facts(row) for row in page(request, response, seen, paging, by="slug")]


@router.post("/projects", summary="Make an assistant", url_name="projects", response={201: AssistantOut})
def add(request: HttpRequest, body: NewAssistant) -> Status[dict[str, object]]:
    """It has the environments `production` and `worker` from birth."""
    require(signed_in(request), Permission.ASSISTANTS_MODIFY)
    made = create_assistant(actor=signed_in(request), slug=body.name, title=body.title.strip())
    return Status(201, _facts(made))


@router.get("/projects/{slug}", summary="One assistant", url_name="project", response=AssistantOut)
def assistant(request: HttpRequest, slug: Path[str]) -> dict[str, object]:
    return _facts(load_assistant(request, slug))


@router.put("/projects/{slug}", summary="Give an assistant another title", url_name="project", response=AssistantOut)
def rename(request: HttpRequest, slug: Path[str], body: Title) -> dict[str, object]:
    row = load_assistant(request, slug, Permission.ASSISTANTS_MODIFY)
    rename_assistant(actor=signed_in(request), assistant=row, title=body.title.strip())
    return _facts(row)


@router.delete("/projects/{slug}", summary="Delete an assistant", url_name="project", response={204: None})
def delete(request: HttpRequest, slug: Path[str]) -> Status[None]:
    """With everything in it. Refused while Rasa servers still poll for it, and for `default`."""
    row = load_assistant(request, slug, Permission.ASSISTANTS_MODIFY)
    delete_assistant(actor=signed_in(request), assistant=row)
    return Status(204, None)


def _facts(row: Assistant) -> dict[str, object]:
    return {"name": row.slug, "title": row.title, "created_at": row.created_at.timestamp()}
