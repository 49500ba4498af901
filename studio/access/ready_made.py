"""Roles that people may add as they are: those every installation begins with, and Rasa Studio's nine by their names.

Rasa's own products publish no table of what each of these may do; ours is docs/permissions.md.
"""

from dataclasses import dataclass

from studio.access.permissions import DEFAULT_ROLES, Permission

P = Permission


@dataclass(frozen=True, slots=True)
class ReadyMade:
    """`known_as` is the name of the group in Rasa Studio, or where else the role comes from."""

    name: str
    known_as: str
    description: str
    permissions: frozenset[Permission]


_READER = {P.TALK, P.CONVERSATIONS_VIEW}
_ANNOTATES = _READER | {P.CONVERSATIONS_FLAG, P.NLU_VIEW}
_SEES_DATA = {P.NLU_VIEW, P.STORIES_VIEW, P.RESPONSES_VIEW}
_SEES_RELEASES = {P.MODELS_VIEW, P.ENVIRONMENTS_VIEW}

_STUDIO = (
    ReadyMade("superuser", "SuperUser", "May do everything, as admin does.", frozenset(P)),
    ReadyMade(
        "developer",
        "Developer",
        "Builds the assistant whole, with code and models, and runs every environment but protected ones.",
        frozenset(
            _ANNOTATES
            | _SEES_DATA
            | _SEES_RELEASES
            | {P.SHARE, P.NLU_MODIFY, P.STORIES_MODIFY, P.RESPONSES_MODIFY, P.CODE_MODIFY}
            | {P.MODELS_MODIFY, P.ANALYTICS_VIEW, P.ENVIRONMENTS_MODIFY}
        ),
    ),
    ReadyMade(
        "business-user",
        "Business User",
        "Words and tests the assistant, shares it, and follows how it does.",
        frozenset(
            _READER | _SEES_DATA | _SEES_RELEASES | {P.SHARE, P.RESPONSES_MODIFY, P.ANALYTICS_VIEW},
        ),
    ),
    ReadyMade(
        "lead-annotator",
        "Lead Annotator",
        "Annotates, decides what becomes training data, and follows how well the assistant understands.",
        frozenset(_ANNOTATES | _SEES_DATA | {P.NLU_MODIFY, P.MODELS_VIEW, P.ANALYTICS_VIEW}),
    ),
    ReadyMade(
        "studio-annotator",
        "Annotator",
        "Reads and flags conversations. Called so because annotator is a role of every installation, and may do more.",
        frozenset(_ANNOTATES),
    ),
    ReadyMade(
        "nlu-editor",
        "NLU Editor",
        "Changes what the assistant understands: intents, entities and their examples.",
        frozenset({P.TALK, P.MODELS_VIEW, P.NLU_MODIFY} | _SEES_DATA),
    ),
    ReadyMade(
        "flow-builder",
        "Flow Builder",
        "Changes how conversations go: stories, rules and responses.",
        frozenset({P.TALK, P.MODELS_VIEW, P.STORIES_MODIFY, P.RESPONSES_MODIFY} | _SEES_DATA),
    ),
    ReadyMade(
        "conversation-analyst",
        "Conversation Analyst",
        "Reads and flags conversations, and sees analytics.",
        frozenset(_READER | {P.CONVERSATIONS_FLAG, P.ANALYTICS_VIEW}),
    ),
    ReadyMade(
        "conversation-viewer",
        "Conversation Viewer",
        "Reads conversations and changes nothing.",
        frozenset({P.CONVERSATIONS_VIEW}),
    ),
)

READY_MADE: tuple[ReadyMade, ...] = (
    *(ReadyMade(name, "Rasa Enterprise", description, held) for name, description, held in DEFAULT_ROLES),
    *_STUDIO,
)
