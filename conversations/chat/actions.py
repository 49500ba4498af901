"""Whether the action server that a Talk needs answers.

From outside Rasa nobody sees it: without the server Rasa 3.6 notes the action as done, with no events of its own, and
says the rest in its log alone. So we ask the server itself.
"""

from collections.abc import Iterable
from urllib.parse import urlsplit, urlunsplit

from conversations.chat.targets import Kind, Target, target_of
from conversations.chat.why import why
from conversations.models import TalkSession
from conversations.presentation.explained import Decision
from environments.models import Environment
from models_app.models import Model
from studio.rasa.domain import DomainSummary
from studio.web import outgoing

SECONDS = 3.0
_DEAD = frozenset({502, 503, 504})  # of a proxy whose server does not run
_EVERY_TURN = "action_validate_slot_mappings"


def custom_actions(model: Model | None) -> frozenset[str]:
    """What the team's own code does: the actions of the domain that are no responses."""
    names = DomainSummary.from_json(model.domain).names("actions") if model is not None else ()
    return frozenset(name for name in names if not name.startswith("utter_"))


def server_of(target: Target) -> str:
    """The address of the action server that it names, or empty; for tried models their place names one."""
    return target.environment.action_server_url


def may_fail(target: Target) -> bool:
    """Whether a turn may need a server that we can ask, or know to be missing."""
    return bool(custom_actions(target.answering)) and (bool(server_of(target)) or _is_ours(target))


def missed(decisions: Iterable[Decision], custom: frozenset[str]) -> str:
    """The first action of the turn that needs the server; empty when none does."""
    for one in decisions:
        for name in (one.name, f"validate_{one.name}", _EVERY_TURN):
            if name in custom:
                return name
    return ""


def trouble_after(session: TalkSession, after: float) -> str:
    """A sentence when the turn that ended after `after` needed an action server that is not there; else empty."""
    target = target_of(session)
    found = why(session, "", after) if may_fail(target) else None
    name = missed(found.turn.decisions, custom_actions(target.answering)) if found else ""
    url = server_of(target)
    if not name or (url and answers(url)):
        return ""
    what = f"the action server of {target.name} does not answer" if url else f"{target.name} names no action server"
    return f"{name} should have run, but {what}. Rasa goes on as if it had done nothing. {_REMEDY[target.kind]}"


_REMEDY = {
    Kind.ENVIRONMENT: "Start the server, or correct its address on the environment’s page.",
    Kind.MODEL: "Start the server, or correct its address in the settings of trying models.",
}


def answers(url: str) -> bool:
    """Whether something answers for the server of that webhook; `GET /health` is Rasa's own SDK's address for it."""
    try:
        return outgoing.request("GET", health_address(url), timeout=SECONDS).status not in _DEAD
    except outgoing.OutgoingError:
        return False


def health_address(url: str) -> str:
    parts = urlsplit(url)
    path = parts.path.rstrip("/").removesuffix("/webhook")
    return urlunsplit((parts.scheme, parts.netloc, f"{path}/health", "", ""))


def _is_ours(target: Target) -> bool:
    """Whether its Rasa runs here, so that we know which action server it has."""
    return target.kind is Kind.MODEL or target.environment.kind == Environment.Kind.MANAGED
