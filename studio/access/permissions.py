"""Every permission of Parley, in code. Roles name sets of them; grants give a person a role somewhere.

To add one: a member here, a line in `docs/permissions.md`, a row in the permission matrix of the URLs that ask it.
"""

from dataclasses import dataclass
from enum import StrEnum

from django.core.exceptions import PermissionDenied


class Permission(StrEnum):
    """The value is what a role row stores."""

    TALK = "talk"
    SHARE = "share"
    CONVERSATIONS_VIEW = "conversations.view"
    CONVERSATIONS_FLAG = "conversations.flag"
    CONVERSATIONS_ERASE = "conversations.erase"
    NLU_VIEW = "nlu.view"
    NLU_MODIFY = "nlu.modify"
    STORIES_VIEW = "stories.view"
    STORIES_MODIFY = "stories.modify"
    RESPONSES_VIEW = "responses.view"
    RESPONSES_MODIFY = "responses.modify"
    CODE_MODIFY = "code.modify"
    MODELS_VIEW = "models.view"
    MODELS_MODIFY = "models.modify"
    ANALYTICS_VIEW = "analytics.view"
    ENVIRONMENTS_VIEW = "environments.view"
    ENVIRONMENTS_MODIFY = "environments.modify"
    ENVIRONMENTS_MODIFY_PROTECTED = "environments.modify_protected"
    ASSISTANTS_MODIFY = "assistants.modify"
    PEOPLE_MODIFY = "people.modify"
    AUDIT_VIEW = "audit.view"
    ADMIN_VIEW = "admin.view"

    @property
    def label(self) -> str:
        """What people read."""
        return _LABELS[self]

    @property
    def meaning(self) -> str:
        """One sentence about what it lets somebody do."""
        return _MEANINGS[self]


_LABELS = {
    Permission.TALK: "Talk to the assistant",
    Permission.SHARE: "Share the assistant by link",
    Permission.CONVERSATIONS_VIEW: "View conversations",
    Permission.CONVERSATIONS_FLAG: "Flag and review conversations",
    Permission.CONVERSATIONS_ERASE: "Delete conversations for good",
    Permission.NLU_VIEW: "View NLU training data",
    Permission.NLU_MODIFY: "Modify NLU training data",
    Permission.STORIES_VIEW: "View stories and rules",
    Permission.STORIES_MODIFY: "Modify stories and rules",
    Permission.RESPONSES_VIEW: "View responses",
    Permission.RESPONSES_MODIFY: "Modify responses",
    Permission.CODE_MODIFY: "Upload Python code that training and servers run",
    Permission.MODELS_VIEW: "View and download models",
    Permission.MODELS_MODIFY: "Train, upload, tag and delete models",
    Permission.ANALYTICS_VIEW: "View analytics",
    Permission.ENVIRONMENTS_VIEW: "View environments",
    Permission.ENVIRONMENTS_MODIFY: "Modify environments and promote to them",
    Permission.ENVIRONMENTS_MODIFY_PROTECTED: "Modify protected environments such as production",
    Permission.ASSISTANTS_MODIFY: "Create, rename and delete assistants",
    Permission.PEOPLE_MODIFY: "Manage people, roles and grants",
    Permission.AUDIT_VIEW: "Read the audit log",
    Permission.ADMIN_VIEW: "Look into the database on the operators’ pages",
}

_MEANINGS = {
    Permission.TALK: "Have conversations with the assistant, and see one’s own.",
    Permission.SHARE: "Make, change and revoke links by which guests talk without an account.",
    Permission.CONVERSATIONS_VIEW: "Read everybody’s conversations, and logs of servers, which can hold what was said.",
    Permission.CONVERSATIONS_FLAG: "Flag, tag, review, and say what messages were meant as; mend dead letters.",
    Permission.CONVERSATIONS_ERASE: "Delete conversations one sees, and say how long they are kept.",
    Permission.NLU_VIEW: "Read intents, entities and their examples.",
    Permission.NLU_MODIFY: "Write, rename, upload and delete them.",
    Permission.STORIES_VIEW: "Read stories, rules and test stories.",
    Permission.STORIES_MODIFY: "Write, rename, upload and delete them.",
    Permission.RESPONSES_VIEW: "Read what the assistant says.",
    Permission.RESPONSES_MODIFY: "Change what it says.",
    Permission.CODE_MODIFY: "Put Python into the training data: trainings and managed servers run it.",
    Permission.MODELS_VIEW: "See, compare and download models, and follow trainings.",
    Permission.MODELS_MODIFY: "Start and cancel trainings, upload models, set tags other than environments’.",
    Permission.ANALYTICS_VIEW: "See numbers about conversations.",
    Permission.ENVIRONMENTS_VIEW: "See which model is live where, its servers, and what was promoted when.",
    Permission.ENVIRONMENTS_MODIFY: "Connect and run servers, and promote models, where nothing is protected.",
    Permission.ENVIRONMENTS_MODIFY_PROTECTED: "The same for protected ones; production is one from birth.",
    Permission.ASSISTANTS_MODIFY: "Make assistants, change their settings, and delete them.",
    Permission.PEOPLE_MODIFY: "Add and remove people, shape roles, and give them, up to what one holds oneself.",
    Permission.AUDIT_VIEW: "Read who did what, when and why.",
    Permission.ADMIN_VIEW: "See every table of the database but its secrets, so also everybody’s conversations.",
}


class MissingPermission(PermissionDenied):
    """403 with a sentence that names what is missing; the audit log keeps `permissions`."""

    def __init__(self, *permissions: Permission) -> None:
        self.permissions = permissions
        names = " and ".join(f"“{permission.label}”" for permission in permissions)
        super().__init__(f"Your roles do not include {names} here.")


@dataclass(frozen=True, slots=True)
class Scope:
    """Where a permission is asked: everywhere (both None), in one assistant, or in one environment of it."""

    assistant_id: int | None = None
    environment_id: int | None = None

    def covers(self, other: "Scope") -> bool:
        """Whether what is given here counts there."""
        if self.assistant_id is None:
            return True
        if self.assistant_id != other.assistant_id:
            return False
        return self.environment_id is None or self.environment_id == other.environment_id


EVERYWHERE = Scope()


@dataclass(frozen=True, slots=True)
class Limit:
    """What an API token narrows its user's grants to: these permissions, and these within `scope` alone."""

    permissions: frozenset[str]
    scope: Scope = EVERYWHERE

    def narrowed(self, grants: "list[tuple[Scope, frozenset[str]]]") -> "list[tuple[Scope, frozenset[str]]]":
        """`grants` cut down: each holds in the smaller of its scope and ours; those that never meet ours are gone."""
        return [
            (self.scope if where.covers(self.scope) else where, permissions & self.permissions)
            for where, permissions in grants
            if where.covers(self.scope) or self.scope.covers(where)
        ]


_TESTER = frozenset({Permission.TALK})
_ANNOTATOR = _TESTER | {
    Permission.SHARE,
    Permission.CONVERSATIONS_VIEW,
    Permission.CONVERSATIONS_FLAG,
    Permission.NLU_VIEW,
    Permission.NLU_MODIFY,
    Permission.STORIES_VIEW,
    Permission.STORIES_MODIFY,
    Permission.RESPONSES_VIEW,
    Permission.RESPONSES_MODIFY,
    Permission.MODELS_VIEW,
    Permission.ANALYTICS_VIEW,
    Permission.ENVIRONMENTS_VIEW,
    Permission.ENVIRONMENTS_MODIFY,
}

# The roles every installation begins with: name, description, permissions.
DEFAULT_ROLES: tuple[tuple[str, str, frozenset[Permission]], ...] = (
    ("admin", "May do everything.", frozenset(Permission)),
    (
        "annotator",
        "Reads and corrects conversations, edits training data, promotes to unprotected environments.",
        _ANNOTATOR,
    ),
    ("tester", "Talks to the assistant and sees their own conversations.", _TESTER),
)
