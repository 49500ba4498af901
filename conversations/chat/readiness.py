"""Whether an environment's assistant can be talked to, asked before the first word is lost on it."""

from dataclasses import dataclass

from conversations.chat import actions
from conversations.chat.sending import explain
from conversations.chat.targets import Target
from environments.services.overview import overview
from studio.errors import DomainError
from studio.rasa.client import (
    NoChatChannel,
    NoModel,
    RasaClient,
    RasaError,
    Refused,
    ServerError,
    TimedOut,
    Unreachable,
    WrongToken,
)

SECONDS = 4.0

# Nothing has been said yet, so that these speak of no message, as `explain` does.
_NOW: dict[type[RasaError], str] = {
    TimedOut: "Rasa does not answer now: it may be loading a model, be busy with a message, or hang. What you say "
    "waits until it goes on.",
    Refused: "The Rasa server does not run, or does not listen at its address. Start it.",
    Unreachable: "The connection to the Rasa server breaks, or it is not trusted.",
    ServerError: "Rasa answers with an error when it is asked how it is. Its log says why.",
}


@dataclass(frozen=True, slots=True)
class Trouble:
    """`blocks` says that nobody will answer; otherwise it is a warning."""

    text: str
    blocks: bool


def trouble_of(target: Target) -> Trouble | None:
    """The first thing that stands in the way, None when all is well."""
    try:
        return _trouble(target.address().client(SECONDS)) or _not_loaded(target) or _without_actions(target)
    except DomainError as error:
        return Trouble(error.message, blocks=True)
    except WrongToken:
        return Trouble("The Rasa server refuses our server token, so only chatting works. Correct the token.", False)
    except RasaError as error:
        return Trouble(_NOW.get(type(error)) or explain(error)[1], blocks=True)


def _trouble(client: RasaClient) -> Trouble | None:
    if not client.status().has_model:
        return Trouble(explain(NoModel(""))[1], blocks=True)
    if not client.has_rasa_channel():
        return Trouble(explain(NoChatChannel(""))[1], blocks=True)
    if not client.is_secured():
        return Trouble(
            "This Rasa server asks for no token: everybody who reaches it can read its conversations. "
            "Start it with --auth-token.",
            blocks=False,
        )
    return None


def _not_loaded(target: Target) -> Trouble | None:
    if target.model is not None or not overview(target.environment).did_not_load:
        return None
    return Trouble(f"{target.answering} did not load in {target.name}: the model before it answers.", blocks=False)


def _without_actions(target: Target) -> Trouble | None:
    url = actions.server_of(target)
    if not url or actions.answers(url):
        return None
    return Trouble(
        f"The action server of {target.name} does not answer, so what the assistant does by custom actions will not "
        "happen. Start it, or correct its address.",
        blocks=False,
    )
