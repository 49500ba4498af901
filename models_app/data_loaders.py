"""From a URL to an assistant's training data, and what of it the viewer may see and change."""

from collections.abc import Mapping, Set
from dataclasses import dataclass

from django.http import Http404, HttpRequest

from models_app.data.check import Role
from models_app.data.outline import outline
from models_app.data.rights import BOTH, VIEWS, needed_to_modify, needed_to_view
from models_app.entries import Entry, FileKey, entries_of, outlines_of
from models_app.loaders import load_assistant
from models_app.models import Assistant, Revision
from models_app.services.revisions import file_of, newest_revision
from studio.access.loaders import signed_in
from studio.access.models import User
from studio.access.permissions import MissingPermission, Permission, Scope

MODIFIES = BOTH | {Permission.RESPONSES_MODIFY, Permission.CODE_MODIFY}


@dataclass(frozen=True, slots=True)
class Data:
    """The data of one assistant at one revision, through the eyes of one person."""

    user: User
    assistant: Assistant
    newest: Revision | None
    revision: Revision | None  # what is looked at; the newest unless the address says otherwise

    @property
    def is_newest(self) -> bool:
        return self.revision == self.newest

    @property
    def may_modify_some(self) -> bool:
        return any(self.user.may(permission, Scope(self.assistant.pk)) for permission in MODIFIES)

    @property
    def may_validate(self) -> bool:
        """Who changes the data wants to know whether it is right; who trains it, too."""
        return self.may_modify_some or self.user.may(Permission.MODELS_MODIFY, Scope(self.assistant.pk))

    def may_see(self, roles: frozenset[Role]) -> bool:
        return all(self.user.may_somewhere(permission, self.assistant.pk) for permission in needed_to_view(roles))

    def may_modify(self, path: str, content: bytes) -> bool:
        scope = Scope(self.assistant.pk)
        return all(self.user.may(permission, scope) for permission in needed_to_modify(path, content))

    def entries(self) -> list[Entry]:
        if self.revision is None:
            return []
        return [entry for entry in entries_of(self.revision) if self.may_see(entry.outline.roles)]

    def seen(self, keys: Set[FileKey]) -> Set[FileKey]:
        """Those of the files, each a path and its content's hash, that the person may see."""
        return {key for key, known in outlines_of(keys).items() if self.may_see(known.roles)}

    def files(self, revision: Revision | None) -> dict[str, bytes]:
        """The files of any revision of this assistant that the person may see."""
        if revision is None:
            return {}
        rows = list(revision.files.order_by("path").values_list("path", "blob_id", "blob__content"))
        seen = self.seen({(path, bytes(sha256)) for path, sha256, _ in rows})
        return {path: bytes(content) for path, sha256, content in rows if (path, bytes(sha256)) in seen}

    def visible(self, files: Mapping[str, bytes]) -> dict[str, bytes]:
        return {path: data for path, data in files.items() if self.may_see(outline(path, data).roles)}

    def content(self, path: str) -> bytes | None:
        """None for a file that the revision has not, or that the person may not see."""
        content = file_of(self.revision, path) if self.revision else None
        return content if content is not None and self.may_see(outline(path, content).roles) else None

    def file(self, path: str) -> bytes:
        """404 for a file that there is not for this person."""
        content = self.content(path)
        if content is None:
            raise Http404("There is no such file in this revision, or you may not see it.")
        return content


def load_data(request: HttpRequest, slug: str, number: int | None = None) -> Data:
    """The data at revision `number`, else at the one that `?revision=` names, else at the newest."""
    assistant = load_assistant(request, slug)
    user = signed_in(request)
    if not may_see_data(user, assistant.pk):
        raise MissingPermission(Permission.NLU_VIEW)
    newest = newest_revision(assistant)
    wanted = str(number) if number is not None else request.GET.get("revision", "")
    return Data(user, assistant, newest, _revision(assistant, wanted) if wanted else newest)


def may_see_data(user: User, assistant_id: int) -> bool:
    """Whether there is a kind of file that the person may see."""
    return any(user.may_somewhere(permission, assistant_id) for permission in VIEWS)


def load_editable(request: HttpRequest, slug: str) -> Data:
    """The newest data, for whoever may change at least one kind of file; the service asks about each."""
    data = load_data(request, slug)
    if not data.may_modify_some:
        raise MissingPermission(Permission.NLU_MODIFY)
    return Data(data.user, data.assistant, data.newest, data.newest)


def _revision(assistant: Assistant, number: str) -> Revision:
    found = None
    if number.isascii() and number.isdigit() and len(number) < 10:
        found = Revision.objects.filter(assistant=assistant, number=int(number)).first()
    if found is None:
        raise Http404("There is no such revision.")
    return found
