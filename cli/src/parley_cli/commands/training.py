"""Training: starting one, and reading along until it ends."""

from typing import Annotated, Any

import typer

from parley_cli import clock
from parley_cli.command import Session, command
from parley_cli.failures import Code, Failure
from parley_cli.output import Row

POLL = 1.0  # seconds
ENDS = {
    "done": Code.DONE,
    "failed": Code.TRAINING_FAILED,
    "cancelled": Code.TRAINING_CANCELLED,
    "lost": Code.TRAINING_LOST,
}


def register(app: typer.Typer) -> None:
    command(app)(train)


def train(
    session: Session,
    revision: Annotated[int | None, typer.Option("--revision", "-r", help="The newest when left out.")] = None,
    tests: Annotated[bool, typer.Option("--tests", help="Test the model afterwards.")] = False,
    finetune_from: Annotated[str | None, typer.Option("--finetune-from", metavar="MODEL")] = None,
    force: Annotated[bool, typer.Option("--force", help="Also when the same was trained already.")] = False,
    follow: Annotated[int | None, typer.Option("--follow", metavar="NUMBER", help="Read along with this one.")] = None,
    cancel: Annotated[int | None, typer.Option("--cancel", metavar="NUMBER", help="Cancel this one.")] = None,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Do not wait.")] = False,
    cancel_on_interrupt: Annotated[bool, typer.Option("--cancel-on-interrupt", help="Ctrl-C cancels it.")] = False,
) -> None:
    """Train a revision. Its log goes to standard error, the model's name to standard output.

    0 there is a model, 20 the training failed, 21 it was cancelled, 22 its worker vanished. Ctrl-C leaves it running.
    """
    if cancel is not None:
        _cancel(session, cancel)
        return
    if follow is not None:
        job = session.client.get("projects", session.project, "training", follow)
    else:
        job = _begin(session, revision, tests=tests, finetune_from=finetune_from, force=force)
        if job is None:
            return
    if detach:
        session.out.result(job, f"Training {job['number']} is in line: parley train --follow {job['number']}")
        return
    try:
        found = _follow(session, job)
    except KeyboardInterrupt:
        raise _interrupted(session, job, cancel=cancel_on_interrupt) from None
    except Failure as failure:
        if failure.code is Code.UNREACHABLE:
            failure.message += f" {_goes_on(job)}"
        raise
    _end(session, found)


def _begin(
    session: Session, revision: int | None, *, tests: bool, finetune_from: str | None, force: bool
) -> Any | None:
    """The training; None when there is a model of the same already, which is said."""
    body = {"revision": revision, "with_tests": tests, "finetune_from": finetune_from, "force": force}
    try:
        job = session.client.post("projects", session.project, "training", body=body).data
    except Failure as failure:
        if failure.status != 409:
            raise
        model, number = failure.details.get("model"), failure.details.get("job")
        if isinstance(model, str):
            session.out.note(f"{failure.message} --force trains it once more.")
            session.out.line({"training": None, "model": model, "trained_already": True}, model)
            return None
        if not isinstance(number, int):
            raise
        session.out.note(failure.message)
        return session.client.get("projects", session.project, "training", number)
    session.out.note(f"Training {job['number']} of revision {job['revision']}.")
    return job


def _cancel(session: Session, number: int) -> None:
    facts = session.client.post("projects", session.project, "training", number, "cancel").data
    session.out.result(facts, f"Training {number} is being cancelled.")


def _follow(session: Session, job: Row) -> Any:
    """Its log as it comes; what it is when it has ended."""
    path = ("projects", session.project, "training", job["number"])
    after, said = "", ""
    while True:
        part = session.client.watch(*path, "log", after=after or None)
        for line in part["lines"]:
            session.out.line({"line": line["text"]}, line["text"], beside=True)
        after = part["next"]
        if part["lines"]:
            continue
        if part["is_ended"]:
            return session.client.watch(*path)
        if part["state"] == "queued":
            said = _say_place(session, path, said)
        clock.pause(POLL)


def _say_place(session: Session, path: tuple[object, ...], said: str) -> str:
    now = session.client.watch(*path)
    words = now["outlook"] or now["state_text"]
    if words and words != said:
        session.out.note(words)
    return str(words)


def _interrupted(session: Session, job: Row, *, cancel: bool) -> Failure:
    number = job["number"]
    if cancel:
        session.client.post("projects", session.project, "training", number, "cancel")
        return Failure(f"Training {number} is being cancelled.", Code.INTERRUPTED)
    return Failure(_goes_on(job), Code.INTERRUPTED)


def _goes_on(job: Row) -> str:
    number = job["number"]
    return f"Training {number} goes on. Read along: parley train --follow {number}. End it: --cancel {number}"


def _end(session: Session, found: Row) -> None:
    code = ENDS.get(found["state"], Code.REFUSED)
    if session.out.is_json:
        session.out.line({"training": found, "model": found["model"], "trained_already": False})
    if code:
        raise Failure(f"Training {found['number']}: {found['message'] or found['state_text']}", code)
    session.out.note(found["message"] or found["state_text"])
    if not session.out.is_json:
        session.out.line(None, found["model"] or "")
