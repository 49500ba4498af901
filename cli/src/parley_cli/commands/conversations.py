"""Conversations as a file."""

import contextlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from parley_cli import clock
from parley_cli.command import Session, command
from parley_cli.failures import Code, Failure
from parley_cli.output import Row

if TYPE_CHECKING:
    import requests

POLL = 1.0
PIECE = 256 * 1024
GOES_ON = "Parley goes on preparing the file: the same command gets it later."
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
    timeout: Annotated[
        float | None,
        typer.Option("--timeout", metavar="SECONDS", min=1, help="How long to wait for a large file at most."),
    ] = None,
) -> None:
    """Write conversations as JSON lines or CSV: all that you may see, or those that fit every filter."""
    if form not in FORMATS:
        raise Failure(f"--format is one of {', '.join(FORMATS)}.", Code.USAGE)
    if session.out.is_json and to is None:
        raise Failure("With --json give --output: the file itself would go to standard output too.", Code.USAGE)
    params = {"format": form, **dict(_filter(text) for text in filters or [])}
    if to is None:
        _write(session, params, None, timeout)
        return
    if to.is_dir() or not to.parent.is_dir():
        raise Failure(f"{to if to.is_dir() else to.parent} is {'a' if to.is_dir() else 'no'} folder.", Code.USAGE)
    part = to.with_name(f".{to.name}.part")
    try:
        count = _write(session, params, part, timeout)
        part.replace(to)
    finally:
        part.unlink(missing_ok=True)
    session.out.result({"file": str(to), "size": count, "format": form}, str(to))


def _filter(text: str) -> tuple[str, str]:
    name, found, value = text.partition("=")
    if not found or name in ("", "format", "api_token"):
        raise Failure(f"{text} is no filter such as environment=production.", Code.USAGE)
    return name, value


def _write(session: Session, params: dict[str, str], path: Path | None, timeout: float | None) -> int:
    """How many bytes came."""
    from parley_cli.client import path_of

    address = path_of("projects", session.project, "conversations", "export")
    response = session.client.ask("GET", address, params=params, stream=True, headers={"Accept": "*/*"})
    if response.status_code == 202:
        response = _prepared(session, response.json(), timeout)
    return _copy(session, response, path)


def _prepared(session: Session, run: Row, timeout: float | None) -> "requests.Response":
    """Wait for a file that is made in the background: there are many conversations. Ctrl-C ends its making too."""
    session.out.note(f"{run['total'] or 'Many'} conversations: Parley prepares the file.")
    try:
        run = _waited(session, run, timeout)
    except KeyboardInterrupt:
        with contextlib.suppress(Failure):
            session.client.delete("projects", session.project, "exports", run["number"])
        raise
    if run["state"] != "done" or not run["file"]:
        raise Failure(f"The export {run['state']}. {run['message']}")
    client, kept = session.client, str(run["file"])
    return client.ask("GET", kept, stream=True, headers={"Accept": "*/*"}, patience=client.patience)


def _waited(session: Session, run: Row, timeout: float | None) -> Row:
    deadline, client, said = clock.Deadline(timeout), session.client, 0
    with session.out.progress("Preparing", run["total"] or None, of_bytes=False) as advance:
        while run["state"] in ("waiting", "running"):
            if deadline.is_over:
                raise Failure(f"The time is over. {GOES_ON}", Code.TIMED_OUT)
            clock.pause(POLL)
            try:
                patience = deadline.left(client.patience)
                run = client.watch("projects", session.project, "exports", run["number"], patience=patience)
            except Failure as failure:
                if failure.code is Code.UNREACHABLE:
                    failure.message += f" {GOES_ON}"
                raise
            advance(run["done"] - said)
            said = run["done"]
    return run


def _copy(session: Session, response: "requests.Response", path: Path | None) -> int:
    import requests

    count = 0
    length = response.headers.get("Content-Length")
    with contextlib.ExitStack() as stack:
        stack.enter_context(response)
        advance = stack.enter_context(session.out.progress("Conversations", int(length) if length else None))
        file = sys.stdout.buffer if path is None else stack.enter_context(_private(path))
        try:
            for piece in response.iter_content(PIECE):
                file.write(piece)
                count += len(piece)
                advance(len(piece))
            file.flush()
        except requests.RequestException:
            raise Failure("The connection broke in the middle: what came is not all.", Code.UNREACHABLE) from None
    return count


def _private(path: Path) -> BinaryIO:
    """What people said is for nobody else on the machine."""
    path.unlink(missing_ok=True)
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
