"""Environments: promoting models, going back, and what runs where."""

from typing import Annotated, Any

import typer

from parley_cli import clock
from parley_cli.command import Session, command
from parley_cli.commands.models import named
from parley_cli.failures import Code, Failure
from parley_cli.output import Column, Row

NOBODY = 120  # seconds without a server, after which one that was to come would have polled
LONG_POLL = 20  # seconds; the server answers at once when something changed
ENDS = {"running": Code.DONE, "failed": Code.NOT_RUNNING, "superseded": Code.SUPERSEDED}
Wait = Annotated[bool, typer.Option("--wait/--no-wait", help="Until every server runs it; the exit code tells.")]
Timeout = Annotated[float, typer.Option("--timeout", metavar="SECONDS", min=1, help="How long to wait at most.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; kept with the promotion.")]
Expected = Annotated[
    str | None, typer.Option("--expected-current", help="Only if this model is live by now; '' for none.")
]

STATUS_COLUMNS: list[Column] = [
    ("ENVIRONMENT", lambda row: row["environment"]),
    ("MODEL", lambda row: row["model"]["model"] if row["model"] else "—"),
    ("STATE", lambda row: row["status"]),
    ("SERVERS", lambda row: f"{row['running']} of {row['live']}"),
    ("HEALTH", lambda row: row["health"]),
    ("", lambda row: row["message"] if row["health"] == row["status"] else row["health_message"]),
]


def register(app: typer.Typer) -> None:
    for function in (promote, rollback, status):
        command(app)(function)


def promote(
    session: Session,
    model: Annotated[str, typer.Argument(metavar="MODEL")],
    to: Annotated[str, typer.Option("--to", metavar="ENVIRONMENT", help="Where it goes live.")],
    wait: Wait = False,
    timeout: Timeout = 300,
    expected: Expected = None,
    reason: Reason = "",
) -> None:
    """Let a model go live in an environment.

    With --wait: 0 it runs on every server, 10 a server could not load it, 11 another one was promoted meanwhile,
    12 the time is over, 13 no server polls: that is said after two minutes.
    """
    body = {"model": named(model), **_move(expected, reason)}
    try:
        made = session.client.post("projects", session.project, "environments", to, "promotions", body=body).data
    except Failure as failure:
        made = _already(session, to, named(model), failure)
        _finish(session, made, "", wait=wait, timeout=timeout)
        return
    _finish(session, made, _sentence(made), wait=wait, timeout=timeout)


def rollback(
    session: Session,
    environment: Annotated[str, typer.Argument(metavar="ENVIRONMENT")],
    wait: Wait = False,
    timeout: Timeout = 300,
    expected: Expected = None,
    reason: Reason = "",
) -> None:
    """Return to the last other model that ran there. Exit codes as of promote."""
    path = ("projects", session.project, "environments", environment, "rollback")
    made = session.client.post(*path, body=_move(expected, reason)).data
    _finish(session, made, _sentence(made), wait=wait, timeout=timeout)


def _move(expected: str | None, reason: str) -> dict[str, Any]:
    return {"reason": reason} if expected is None else {"reason": reason, "expected_current": expected or None}


def _already(session: Session, environment: str, model: str, failure: Failure) -> Any:
    """What is live already is no failure, so that a job can run again: its last promotion. Raises what else it is."""
    if failure.reason != "AlreadyLive":
        raise failure
    session.out.note(f"{model} is live in {environment} already.")
    rows = session.client.get("projects", session.project, "environments", environment, "promotions", limit=1)
    if not rows:
        raise failure
    return rows[0]


def _finish(session: Session, made: Row, sentence: str, *, wait: bool, timeout: float) -> None:
    if not wait:
        session.out.result(made, sentence)
        return
    if sentence:
        session.out.note(sentence)
    found, code = _wait(session, made, timeout)
    if code is None:
        raise Failure(f"Parley says {found['state']}, which this version of parley does not know.")
    if code:
        session.out.result({**found, "exit_code": int(code)}) if session.out.is_json else None
        raise Failure(_end_in_words(found, code), code)
    session.out.result({**found, "exit_code": 0}, found["message"])


def _sentence(made: Row) -> str:
    model = made["model"] or "no model"
    before = made["from_model"] or "none"
    return f"Promotion {made['number']}: {model} goes live in {made['environment']} (before: {before})."


def _wait(session: Session, made: Row, timeout: float) -> tuple[Any, Code | None]:
    """How it stands, and what that is; None for a state that is not known here."""
    deadline, lonely = clock.Deadline(timeout), clock.Deadline(NOBODY)
    address, said = made["url"], ""
    while True:
        wait = round(deadline.left(LONG_POLL), 1)
        try:
            found = session.client.send("GET", address, params={"wait": wait}, patience=deadline.left(timeout)).data
        except Failure as failure:
            if failure.code is Code.UNREACHABLE:
                failure.message += " The promotion goes on: parley status"
            raise
        if found["ended"]:
            return found, ENDS.get(found["state"])
        if found["message"] != said:
            said = found["message"]
            session.out.note(said)
        if found["live"]:
            lonely = clock.Deadline(NOBODY)
        elif lonely.is_over:
            return found, Code.NOBODY_POLLS
        if deadline.is_over:
            return found, Code.TIMED_OUT
        clock.pause(1)


def _end_in_words(found: Row, code: Code) -> str:
    if code is Code.NOBODY_POLLS:
        return f"The tag moved, but no server polls for {found['environment']}. Find out why: parley doctor"
    if code is Code.TIMED_OUT and not found["live"]:
        return f"The time is over, and no server polls for {found['environment']} by now."
    if code is Code.TIMED_OUT:
        return f"The time is over: {found['running']} of {found['live']} servers run {found['model']}."
    if code is Code.NOT_RUNNING:
        return f"{found['message']} Go back with: parley rollback {found['environment']}"
    return str(found["message"])


def status(
    session: Session,
    everywhere: Annotated[bool, typer.Option("--all", help="Of every assistant.")] = False,
) -> None:
    """What runs where."""
    path = ("status",) if everywhere else ("projects", session.project, "status")
    rows = session.client.get(*path)
    columns = [("ASSISTANT", _project), *STATUS_COLUMNS] if everywhere else STATUS_COLUMNS
    session.out.table(rows, columns, empty="No environment.")


def _project(row: Row) -> object:
    return row["project"]
