"""HTTP client of one Rasa server.

Each failure is its own exception, with a sentence for people. Tokens go as query parameters because Rasa takes them in
no other way; no message and no log of ours shows them.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from studio.web import outgoing

HELLO = "Hello from Rasa"  # what a Rasa of any version answers at its root
TRACKER_LIMIT = 64 * 1024**2  # bytes; a conversation of some 100,000 events

# Characters that reach Rasa as they are in an address' path: the unreserved ones, and those that may stand there.
_ASKABLE = re.compile(r"[A-Za-z0-9._~:@!$&'()*+,;=/-]+")


class RasaError(Exception):
    """A Rasa server did not do what it was asked. `message` is a sentence for people.

    `may_have_arrived`: it may do it all the same, because it was asked and the answer was lost.
    """

    def __init__(self, message: str, *, may_have_arrived: bool = False) -> None:
        super().__init__(message)
        self.message, self.may_have_arrived = message, may_have_arrived


class WrongAddress(RasaError):
    """Malformed, unknown to DNS, or a private host that may not be called."""


class Refused(RasaError):
    """Nothing listens at the address."""


class TimedOut(RasaError):
    """No answer in time."""


class Unreachable(RasaError):
    """TLS failed, or the connection broke."""


class WrongToken(RasaError):
    """The server asks for a token, and ours is not it."""


class NotRasa(RasaError):
    """Something answers there, but not as Rasa does."""


class ApiDisabled(RasaError):
    """A Rasa without its HTTP API."""


class NoModel(RasaError):
    """The server has no model loaded."""


class NotAllowed(RasaError):
    """The chat token does not let its user speak in this conversation."""


class TooLarge(NotRasa):
    """The answer is longer than we read."""


class CannotBeAsked(RasaError):
    """Rasa's HTTP API has no address for this conversation."""


class NoChatChannel(RasaError):
    """The server's credentials.yml has no `rasa` channel."""


class ServerError(RasaError):
    """Rasa answered 500: on chat that is also how it refuses a token that it cannot check."""


@dataclass(frozen=True)
class Version:
    version: str
    minimum_compatible_version: str


@dataclass(frozen=True)
class Status:
    """What the server runs. Both names are None while it has no model."""

    model_file: str | None
    model_id: str | None
    training_jobs: int = 0

    @property
    def has_model(self) -> bool:
        return self.model_id is not None or self.model_file is not None


_BY_OUTGOING: dict[type[outgoing.OutgoingError], type[RasaError]] = {
    outgoing.MalformedAddress: WrongAddress,
    outgoing.UnknownHost: WrongAddress,
    outgoing.ForbiddenHost: WrongAddress,
    outgoing.Refused: Refused,
    outgoing.TimedOut: TimedOut,
    outgoing.NotTrusted: Unreachable,
    outgoing.Broken: Unreachable,
    outgoing.TooLarge: TooLarge,
}


@dataclass(frozen=True)
class RasaClient:
    """`url` is the server's address, with a path if a proxy puts it under one; `hosts` as in studio.web.outgoing."""

    url: str
    token: str | None = None
    timeout: float = 10.0
    hosts: Sequence[str] | None = None

    def version(self) -> Version:
        """Its version. Needs no token."""
        answer = self._ask("GET", "/version", with_token=False)
        if answer.status == 404:
            raise self._no_api()
        data = self._object(answer)
        if not isinstance(data.get("version"), str) or not isinstance(data.get("minimum_compatible_version"), str):
            raise self._not_rasa(answer)
        return Version(data["version"], data["minimum_compatible_version"])

    def status(self) -> Status:
        """What it runs; a server without a model is an answer, not an error."""
        answer = self._ask("GET", "/status")
        if answer.status == 409:
            return Status(None, None)
        data = self._checked(answer)
        if "model_file" not in data or "model_id" not in data:
            raise self._not_rasa(answer)
        return Status(data["model_file"], data["model_id"], int(data.get("num_active_training_jobs") or 0))

    def is_secured(self) -> bool:
        """Whether it refuses who shows no token. False means that everybody who reaches it can read conversations."""
        answer = self._ask("GET", "/status", with_token=False)
        if answer.status in {200, 409}:
            return False
        if answer.status == 401:
            return True
        if answer.status == 404:
            raise self._no_api()
        raise self._not_rasa(answer)

    def is_mine(self) -> bool:
        """Whether the process we started with our random token is the one that answers here, and not another's."""
        try:
            self.status()
            return self.is_secured()
        except (WrongToken, NotRasa, ApiDisabled):
            return False

    def tracker(self, conversation_id: str) -> dict[str, Any]:
        """The conversation with all its events, also those before a restart.

        Rasa makes up the opening events of a conversation that it does not know. It takes the id from the address as
        it stands there and turns no %40 back into @, so that an id with spaces or letters beyond ASCII has none.
        """
        path = f"{self._conversation(conversation_id)}/tracker"
        return self._tracker(self._ask("GET", path, params={"include_events": "ALL"}, limit=TRACKER_LIMIT))

    def append_events(self, conversation_id: str, events: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Add events to the conversation, all of them or none; what is said meanwhile comes before or after them.

        Rasa gives those without a time the time that it is, and publishes them as all others. The answer is as that
        of `tracker`, of the latest session alone.
        """
        path = f"{self._conversation(conversation_id)}/tracker/events"
        params = {"include_events": "ALL"}
        return self._tracker(self._ask("POST", path, params=params, json=list(events), limit=TRACKER_LIMIT))

    def _conversation(self, conversation_id: str) -> str:
        if not _ASKABLE.fullmatch(conversation_id) or not {".", ".."}.isdisjoint(conversation_id.split("/")):
            raise CannotBeAsked("Rasa's HTTP API cannot be asked for a conversation with such an id.")
        return f"/conversations/{conversation_id}"

    def _tracker(self, answer: outgoing.Answer) -> dict[str, Any]:
        if answer.status == 409:
            raise NoModel("This Rasa server has no model yet, so it cannot show conversations.")
        data = self._checked(answer)
        if not isinstance(data.get("events"), list):
            raise self._not_rasa(answer)
        return data

    def has_rasa_channel(self) -> bool:
        """Whether its credentials.yml has the `rasa` channel, over which we talk."""
        answer = self._ask("GET", "/webhooks/rasa/", with_token=False)
        if answer.status == 404:
            return False
        if self._object(answer).get("status") != "ok":
            raise self._not_rasa(answer)
        return True

    def send(
        self,
        jwt: str,
        message: str,
        *,
        conversation_id: str | None = None,
        input_channel: str | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> list[dict[str, Any]]:
        """Say `message` as the user that `jwt` names, and return the bot's messages in their order.

        Each has `recipient_id` and one or more of text, image, buttons, custom, attachment. Never sent twice: an error
        that `may_have_arrived` says that Rasa may have heard it, and may still be working on it.
        """
        body = {"message": message, "conversation_id": conversation_id, "input_channel": input_channel}
        answer = self._ask(
            "POST",
            "/webhooks/rasa/webhook",
            with_token=False,
            json={name: value for name, value in {**body, "metadata": metadata}.items() if value is not None},
            headers={"Authorization": f"Bearer {jwt}"},
        )
        replies = self._replies(answer)
        if not replies and self._is_without_model():  # Rasa ignores messages then, and says so only in its log
            raise NoModel("This Rasa server has no model yet, so nobody answers.")
        return replies

    def _is_without_model(self) -> bool:
        """False also when it cannot say."""
        try:
            return not self.status().has_model
        except RasaError:
            return False

    # --- Reading answers ------------------------------------------------------------------------------------------

    def _ask(
        self,
        method: str,
        path: str,
        *,
        with_token: bool = True,
        params: dict[str, str] | None = None,
        json: object = None,
        headers: dict[str, str] | None = None,
        limit: int = outgoing.DEFAULT_LIMIT,
    ) -> outgoing.Answer:
        token = {"token": self.token} if with_token and self.token else {}
        address = self._address()
        try:
            return outgoing.request(
                method,
                address + path,
                params={**token, **(params or {})},
                json=json,
                headers=headers,
                timeout=self.timeout,
                limit=limit,
                hosts=self.hosts,
            )
        except outgoing.OutgoingError as error:
            raise _BY_OUTGOING[type(error)](error.message, may_have_arrived=error.may_have_arrived) from error

    def _address(self) -> str:
        address = self.url.strip().rstrip("/")
        if "?" in address or "#" in address:
            raise WrongAddress("The address must not hold a ? or a #. Enter the token in its own field.")
        return address

    def _checked(self, answer: outgoing.Answer) -> dict[str, Any]:
        if answer.status in {401, 403}:
            raise WrongToken(
                "The Rasa server refuses our token. Enter the one it was started with (--auth-token)."
                if self.token
                else "The Rasa server asks for a token, and none is entered here."
            )
        if answer.status == 404:
            raise self._no_api()
        if answer.status >= 500:
            raise self._failed(answer, "The Rasa server failed. Its log says why.")
        return self._object(answer)

    def _replies(self, answer: outgoing.Answer) -> list[dict[str, Any]]:
        if answer.status == 404:
            raise NoChatChannel("This Rasa server has no `rasa` channel. Add it to its credentials.yml.")
        if answer.status == 401:
            raise NotAllowed("Rasa does not let this user speak in this conversation.")
        if answer.status == 504:
            message = f"A proxy answers at {self._host()}, but the Rasa server behind it did not in time."
            raise TimedOut(message, may_have_arrived=True)
        if answer.status >= 500:
            raise self._failed(
                answer,
                "Rasa failed on the message, or could not check our signature: it fetches our public key from the "
                "address in its credentials.yml. Its log says which.",
            )
        data = self._json(answer)
        if not isinstance(data, list) or not all(isinstance(reply, dict) for reply in data):
            raise self._not_rasa(answer)
        return cast(list[dict[str, Any]], data)

    def _failed(self, answer: outgoing.Answer, message: str) -> RasaError:
        """A proxy's error is not Rasa's: 502 to 504 come from something in front whose Rasa does not answer."""
        if answer.status in {502, 503, 504}:
            return Refused(f"A proxy answers at {self._host()}, but the Rasa server behind it does not.")
        return ServerError(message)

    def _object(self, answer: outgoing.Answer) -> dict[str, Any]:
        data = self._json(answer)
        if not isinstance(data, dict):
            raise self._not_rasa(answer)
        return data

    def _json(self, answer: outgoing.Answer) -> Any:
        if answer.status >= 500:
            raise self._failed(answer, "The Rasa server failed. Its log says why.")
        if answer.status != 200:
            raise self._not_rasa(answer)
        try:
            return answer.json()
        except (ValueError, RecursionError):
            raise self._not_rasa(answer) from None

    def _no_api(self) -> RasaError:
        answer = self._ask("GET", "/", with_token=False)
        if answer.text.startswith(HELLO):
            return ApiDisabled("This Rasa server runs without its HTTP API. Start it with --enable-api.")
        return self._not_rasa(answer)

    def _not_rasa(self, answer: outgoing.Answer) -> NotRasa:
        if 300 <= answer.status < 400:
            target = answer.headers.get("Location", "").partition("?")[0]
            return NotRasa(f"{self._host()} redirects to {target or 'another address'}. Enter the final address.")
        return NotRasa(f"Something answers at {self._host()}, but it is not a Rasa server (status {answer.status}).")

    def _host(self) -> str:
        return outgoing.host_of(self._address())
