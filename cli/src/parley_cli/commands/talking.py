"""Talking to an assistant in the terminal, and links by which others do."""

import sys
import time
import uuid
from typing import Annotated, Any
from urllib.parse import urljoin

import typer

from parley_cli import clock
from parley_cli.command import Session, command, only_one
from parley_cli.commands.models import named
from parley_cli.failures import Code, Failure
from parley_cli.output import Column, Row, ago

PRODUCTION = "production"
WAKING = 180  # seconds that a model's own server may take to come up
LINK_COLUMNS: list[Column] = [
    ("NUMBER", lambda row: row["number"]),
    ("NAME", lambda row: row["name"]),
    ("STATE", lambda row: row["state"]),
    ("FOR", lambda row: row["model"] or row["environment"]),
    ("WROTE", lambda row: row["wrote"]),
    ("MADE", lambda row: ago(row["created_at"])),
    ("ADDRESS", lambda row: row["address"]),
]
_UNITS = {"h": 3600, "d": 86400, "w": 7 * 86400}


def register(app: typer.Typer) -> None:
    for function in (talk, share):
        command(app)(function)


def talk(
    session: Session,
    environment: Annotated[str, typer.Option("--in", metavar="ENVIRONMENT", help="production when left out.")] = "",
    model: Annotated[str, typer.Option("--model", help="Talk to this model, whether it is live or not.")] = "",
    messages: Annotated[list[str] | None, typer.Option("--say", help="Say this and leave; can be repeated.")] = None,
    go_on: Annotated[bool, typer.Option("--continue", help="Go on with the last conversation.")] = False,
) -> None:
    """Chat with an assistant. A number chooses a button; Ctrl-D leaves."""
    only_one(**{"in": environment, "model": model})
    environment = environment or PRODUCTION
    chat = Chat(session, environment, named(model), is_new=not go_on)
    if messages:
        for message in messages:
            chat.say(message)
        return
    if session.out.can_ask:
        session.out.note(f"Talking to {model or environment} of {session.project}. Ctrl-D leaves.")
    while (text := _read(session)) is not None:
        if text.strip():
            _say(session, chat, text.strip())


def _read(session: Session) -> str | None:
    """The next line, None at the end. What is asked is no result, so it goes to standard error."""
    if session.out.can_ask:
        sys.stderr.write("> ")
        sys.stderr.flush()
    text = sys.stdin.readline()
    if not text and session.out.can_ask:
        sys.stderr.write("\n")
    return text or None


def _say(session: Session, chat: "Chat", text: str) -> None:
    """Who sits there may say something else when one answer fails; a script has failed."""
    try:
        chat.say(chat.chosen(text))
    except Failure as failure:
        if not session.out.can_ask:
            raise
        session.out.fail(failure)


class Chat:
    """One conversation."""

    def __init__(self, session: Session, environment: str, model: str, *, is_new: bool) -> None:
        self._session, self._is_new = session, is_new
        self._to = {"model": model} if model else {"environment": environment}
        self._conversation: str | None = None
        self._buttons: list[Row] = []

    def chosen(self, text: str) -> str:
        """What a button stands for, when its number was typed."""
        if text.isascii() and text.isdigit() and 1 <= int(text) <= len(self._buttons):
            return str(self._buttons[int(text) - 1]["payload"])
        return text

    def say(self, text: str) -> None:
        replies = self._ask(text)
        self._buttons = []
        for reply in replies:
            self._show(reply)
        if not replies:
            self._session.out.note("(nothing was said)")

    def _ask(self, text: str) -> list[Row]:
        """What is said once is said once, however often this has to be sent."""
        body: dict[str, Any] = {"message": text, "nonce": uuid.uuid4().hex}
        if self._conversation:
            body["conversation_id"] = self._conversation
        else:
            body["is_new"] = self._is_new
        until = clock.now() + WAKING
        said = False
        while True:
            try:
                return self._send(body)
            except Failure as failure:
                if failure.reason not in ("Waking", "NoSlot", "UnderWay") or clock.now() > until:
                    raise
                if not said:
                    self._session.out.note(failure.message)
                said = True
                clock.pause(2)

    def _send(self, body: dict[str, Any]) -> list[Row]:
        from parley_cli.client import path_of

        client = self._session.client
        address = path_of("projects", self._session.project, "chat")
        answer = client.send("POST", address, json=body, params=self._to, again=False, timeout=(10, 120))
        self._conversation = answer.headers.get("X-Conversation-Id") or self._conversation
        replies: list[Row] = answer.data
        return replies

    def _show(self, reply: Row) -> None:
        out = self._session.out
        if out.is_json:
            out.line(reply)
            return
        if reply.get("text"):
            out.line(None, str(reply["text"]))
        for key in ("image", "attachment"):
            if reply.get(key):
                out.line(None, urljoin(self._session.target.url, str(reply[key])))
        if reply.get("custom"):
            import json

            out.line(None, json.dumps(reply["custom"]))
        for button in reply.get("buttons") or []:
            self._buttons.append(button)
            out.line(None, f"  {len(self._buttons)}) {button.get('title', button.get('payload', ''))}")


# --- Share links ------------------------------------------------------------------------------------------------------


def share(
    session: Session,
    environment: Annotated[
        str, typer.Option("--in", metavar="ENVIRONMENT", help="Whose assistant; production when left out.")
    ] = "",
    model: Annotated[str, typer.Option("--model", help="A link for this model, live or not.")] = "",
    name: Annotated[str, typer.Option("--name", help="What it is for.")] = "",
    greeting: Annotated[str, typer.Option("--greeting", help="What guests read first.")] = "",
    expires: Annotated[str, typer.Option("--expires", metavar="7d", help="Ends after so many h, d or w.")] = "",
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Guests need the password read there.")
    ] = False,
    listed: Annotated[bool, typer.Option("--list", help="The links that there are.")] = False,
    revoke: Annotated[int | None, typer.Option("--revoke", metavar="NUMBER", help="End a link for good.")] = None,
) -> None:
    """Make a link by which guests talk to the assistant; its address goes to standard output."""
    only_one(list=listed, revoke=revoke)
    only_one(**{"in": environment, "model": model})
    if listed:
        rows = list(session.client.pages("projects", session.project, "share"))
        session.out.table(rows, LINK_COLUMNS, empty="No share link.")
        return
    if revoke is not None:
        session.client.delete("projects", session.project, "share", revoke)
        session.out.result({"number": revoke, "revoked": True}, f"Link {revoke} is revoked.")
        return
    body: dict[str, Any] = {"name": name or "From the command line", "greeting": greeting}
    body |= {"model": named(model)} if model else {"environment": environment or PRODUCTION}
    if expires:
        body["expires_at"] = time.time() + _seconds(expires)
    if password_stdin:
        body["password"] = session.out.secret("Password: ", otherwise="", from_stdin=True)
    made = session.client.post("projects", session.project, "share", body=body).data
    session.out.result(made, made["address"])


def _seconds(text: str) -> int:
    number, unit = text[:-1], text[-1:]
    if not (number.isascii() and number.isdigit() and unit in _UNITS):
        raise Failure(f"{text} is no time such as 12h, 7d or 2w.", Code.USAGE)
    return int(number) * _UNITS[unit]
