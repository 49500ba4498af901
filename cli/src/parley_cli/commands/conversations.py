"""Conversations as a file."""

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from parley_cli import clock
from parley_cli.command import Session, command
from parley_cli.failures import Code, Failure

if TYPE_CHECKING:
    import requests

POLL = 1.0
PIECE = 256 * 1024
FORMATS = ("jsonl", "csv", "messages", "conversations")


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Conversations.", no_args_is_help=True, rich_markup_mode=None)
    command(group)(export)
    app.add_typer(group, name="conversations")


def export(
    session: Session,
    to: Annotated[Path | None, typer.Option("--output", "-o", help="A file; standard output when left out.")] = None,
    form: Annotated[
        str, typer.Option("--format", help="jsonl: a tracker a line. csv or messages, conversations: CSV.")
    ] = "jsonl",
    filters: Annotated[
        list[str] | None,
        typer.Option(
            "--filter", "-f", metavar="NAME=VALUE", help="As the list filters: environment=production, intent=…"
        ),
    ] = None,
) -> None:
    """Write conversations as JSON lines or CSV: all that you may see, or those that fit every filter."""
    if form not in FORMATS:
        raise Failure(f"--format is one of {', '.join(FORMATS)}.", Code.USAGE)
    if session.out.is_json and to is None:
        raise Failure("With --json give --output: the file itself would go to standard output too.", Code.USAGE)
    params = {"format": form, **dict(_filter(text) for text in filters or [])}
    if to is None:
        _write(session, params, None)
        return
    part = to.with_name(f".{to.name}.part")
    try:
        count = _write(session, params, part)
        part.replace(to)
    finally:
        part.unlink(missing_ok=True)
    session.out.result({"file": str(to), "size": count, "format": form}, str(to))


def _filter(text: str) -> tuple[str, str]:
    name, found, value = text.partition("=")
    if not found or name in ("", "format", "api_token"):
        raise Failure(f"{text} is no filter such as environment=production.", Code.USAGE)
    return name, value


def _write(session: Session, params: dict[str, str], path: Path | None) -> int:
    """How many bytes came."""
    from parley_cli.client import path_of

    address = path_of("projects", session.project, "conversations", "export")
    response = session.client.ask("GET", address, params=params, stream=True, headers={"Accept": "*/*"})
    if response.status_code == 202:
        response = _prepared(session, response.json())
    return _copy(session, response, path)


def _prepared(session: Session, run: Any) -> "requests.Response":
    """Wait for a file that is made in the background: there are many conversations."""
    session.out.note(f"{run['total'] or 'Many'} conversations: Parley prepares the file.")
    path = ("projects", session.project, "exports", run["number"])
    while run["state"] in ("waiting", "running"):
        clock.pause(POLL)
        run = session.client.watch(*path)
    if run["state"] != "done" or not run["file"]:
        raise Failure(f"The export {run['state']}. {run['message']}")
    return session.client.ask("GET", run["file"], stream=True, headers={"Accept": "*/*"})


def _copy(session: Session, response: "requests.Response", path: Path | None) -> int:
    import requests

    count = 0
    length = response.headers.get("Content-Length")
    with contextlib.ExitStack() as stack:
        stack.enter_context(response)
        advance = stack.enter_context(session.out.progress("Conversations", int(length) if length else None))
        file = sys.stdout.buffer if path is None else stack.enter_context(path.open("wb"))
        try:
            for piece in response.iter_content(PIECE):
                file.write(piece)
                count += len(piece)
                advance(len(piece))
            file.flush()
        except requests.RequestException:
            raise Failure("The connection broke in the middle: what came is not all.", Code.UNREACHABLE) from None
    return count
