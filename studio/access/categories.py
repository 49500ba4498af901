"""How the role page lays permissions out: one line for each subject, what looks at it, and what changes it."""

from collections.abc import Iterable
from dataclasses import dataclass

from studio.access.permissions import Permission

P = Permission


@dataclass(frozen=True, slots=True)
class Category:
    title: str
    view: Permission | None = None
    modify: tuple[Permission, ...] = ()


CATEGORIES = (
    Category("Talking", P.TALK, (P.SHARE,)),
    Category("Conversations", P.CONVERSATIONS_VIEW, (P.CONVERSATIONS_FLAG, P.CONVERSATIONS_ERASE)),
    Category("NLU training data", P.NLU_VIEW, (P.NLU_MODIFY,)),
    Category("Stories and rules", P.STORIES_VIEW, (P.STORIES_MODIFY,)),
    Category("Responses", P.RESPONSES_VIEW, (P.RESPONSES_MODIFY,)),
    Category("Python code", None, (P.CODE_MODIFY,)),
    Category("Models", P.MODELS_VIEW, (P.MODELS_MODIFY,)),
    Category("Analytics", P.ANALYTICS_VIEW),
    Category("Environments", P.ENVIRONMENTS_VIEW, (P.ENVIRONMENTS_MODIFY, P.ENVIRONMENTS_MODIFY_PROTECTED)),
    Category("Assistants", None, (P.ASSISTANTS_MODIFY,)),
    Category("People, roles and grants", None, (P.PEOPLE_MODIFY,)),
    Category("Audit log", P.AUDIT_VIEW),
    Category("Database", P.ADMIN_VIEW),
)


def with_views(permissions: Iterable[Permission]) -> set[Permission]:
    """`permissions`, and what one must see in order to change it: nobody edits blindly."""
    wanted = set(permissions)
    return wanted | {one.view for one in CATEGORIES if one.view and wanted.intersection(one.modify)}


def in_order() -> list[Permission]:
    """Every permission in the order of the lines, what looks before what changes."""
    return [permission for one in CATEGORIES for permission in (one.view, *one.modify) if permission]
