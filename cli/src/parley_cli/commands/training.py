"""Training: starting one, and reading along until it ends."""

from typing import Annotated, Any

import typer

from parley_cli import clock
from parley_cli.command import Session, command, only_one
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
    tests: Annotated[
        bool, typer.Option("--tests", help="Test the model afterwards, and wait for that: 23 when stories failed.")
    ] = False,
    finetune_from: Annotated[str | None, typer.Option("--finetune-from", metavar="MODEL")] = None,
    force: Annotated[bool, typer.Option("--force", help="Also when the same was trained already.")] = False,
    follow: Annotated[int | None, typer.Option("--follow", metavar="NUMBER", help="Read along with this one.")] = None,
    cancel: Annotated[int | None, typer.Option("--cancel", metavar="NUMBER", help="Cancel this one.")] = None,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Do not wait.")] = False,
    cancel_on_interrupt: Annotated[bool, typer.Option("--cancel-on-interrupt", help="Ctrl-C cancels it.")] = False,
    timeout: Annotated[
        float | None, typer.Option("--timeout", metavar="SECONDS", min=1, help="How long to wait at most.")
    ] = None,
) -> None:
    """Train a revision. Its log goes to standard error, the model's name to standard output.

    0 there is a model, 20 the training failed, 21 it was cancelled, 22 its worker vanished; with --tests 23 a test
    story did not go as written, or the test itself failed; 12 the time (--timeout) is over. Ctrl-C leaves it running.
    """
    for begins in ({"revision": revision}, {"finetune_from": finetune_from}, {"force": force}):
        only_one(cancel=cancel, follow=follow, **begins)
    only_one(detach=detach, tests=tests and follow is not None)
    if cancel is not None:
        _cancel(session, cancel)
        return
    job, model = None, None
    if follow is not None:
        job = session.client.get("projects", session.project, "training", follow)
    else:
        job, model = _begin(session, revision, tests=tests, finetune_from=finetune_from, force=force)
    if job is not None and detach:
        session.out.result(job, f"Training {job['number']} is in line: parley train --follow {job['number']}")
        return
    reader = Reader(session, is_cancelled=cancel_on_interrupt, timeout=timeout)
    if job is not None:
        job = reader.follow(job)
        model = _model_of(session, job)
    result = _tested(session, reader, model) if tests and model else None
    wrong = _judged(session, result) if result else ""
    facts = {"training": job, "model": model, "trained_already": job is None, "tests": result}
    session.out.line(facts, None if wrong else model or "")
    if wrong:
        raise Failure(wrong, Code.TESTS_FAILED)


def _begin(
    session: Session, revision: int | None, *, tests: bool, finetune_from: str | None, force: bool
) -> tuple[Any, str | None]:
    """The training; or the model when there is one of the same already, which is said."""
    body = {"revision": revision, "with_tests": tests, "finetune_from": finetune_from, "force": force}
    try:
        job = session.client.post("projects", session.project, "training", body=body).data
    except Failure as failure:
        model = failure.details.get("model")
        if failure.status == 409 and isinstance(model, str):
            session.out.note(f"{failure.message} --force trains it once more.")
            return None, model
        return _under_way(session, failure), None
    session.out.note(f"Training {job['number']} of revision {job['revision']}.")
    return job, None


def _under_way(session: Session, failure: Failure) -> Any:
    """The job that stands in the way of the same once more. Raises what else it is."""
    number = failure.details.get("job")
    if failure.status != 409 or not isinstance(number, int):
        raise failure
    session.out.note(failure.message)
    return session.client.get("projects", session.project, "training", number)


def _cancel(session: Session, number: int) -> None:
    facts = session.client.post("projects", session.project, "training", number, "cancel").data
    session.out.result(facts, f"Training {number} is being cancelled.")


class Reader:
    """Reads along with a training or a test until it ends. Raises Failure that says how to come back."""

    def __init__(self, session: Session, *, is_cancelled: bool, timeout: float | None) -> None:
        self._session, self._is_cancelled = session, is_cancelled
        self._deadline = clock.Deadline(timeout)

    def follow(self, job: Row) -> Any:
        """What it is when it has ended."""
        try:
            return self._follow(job)
        except KeyboardInterrupt:
            raise self._interrupted(job) from None
        except Failure as failure:
            if failure.code is Code.UNREACHABLE:
                failure.message += f" {_goes_on(job)}"
            raise

    def _follow(self, job: Row) -> Any:
        path = ("projects", self._session.project, "training", job["number"])
        after, said = "", ""
        while True:
            part = self._watch(*path, "log", after=after or None)
            for line in part["lines"]:
                self._session.out.line({"line": line["text"]}, line["text"], beside=True)
            after = part["next"]
            if part["lines"]:
                continue
            if part["is_ended"]:
                return self._watch(*path)
            if part["state"] == "queued":
                said = self._say_place(path, said)
            if self._deadline.is_over:
                raise Failure(f"The time is over. {_goes_on(job)}", Code.TIMED_OUT)
            clock.pause(POLL)

    def _watch(self, *path: object, **params: object) -> Any:
        client = self._session.client
        return client.watch(*path, patience=self._deadline.left(client.patience), **params)

    def _say_place(self, path: tuple[object, ...], said: str) -> str:
        now = self._watch(*path)
        words = now["outlook"] or now["state_text"]
        if words and words != said:
            self._session.out.note(words)
        return str(words)

    def _interrupted(self, job: Row) -> Failure:
        if not self._is_cancelled:
            return Failure(_goes_on(job), Code.INTERRUPTED)
        self._session.client.post("projects", self._session.project, "training", job["number"], "cancel")
        return Failure(f"{_title(job)} is being cancelled.", Code.INTERRUPTED)


def _title(job: Row) -> str:
    return f"{str(job['kind']).capitalize()} {job['number']}"


def _goes_on(job: Row) -> str:
    number = job["number"]
    return f"{_title(job)} goes on. Read along: parley train --follow {number}. End it: --cancel {number}"


def _model_of(session: Session, found: Row) -> str | None:
    """Of a training that has ended. Raises Failure unless it is done."""
    said = found["message"] or found["state_text"]
    if found["state"] != "done":
        if session.out.is_json:
            session.out.line({"training": found, "model": None, "trained_already": False, "tests": None})
        raise Failure(f"{_title(found)}: {said}", ENDS.get(found["state"], Code.REFUSED))
    session.out.note(said)
    model: str | None = found["model"]
    return model


# --- Tests ------------------------------------------------------------------------------------------------------------


def _tested(session: Session, reader: Reader, model: str) -> Any:
    """What the test of a model measured: the last one, or the one that is made now. Raises Failure."""
    path = ("projects", session.project, "models", model, "tests")
    if rows := session.client.get(*path, limit=1):
        return rows[0]
    try:
        job = session.client.post(*path).data
    except Failure as failure:
        job = _under_way(session, failure)  # a training asks for it by itself
    ended = reader.follow(job)
    rows = session.client.watch(*path, limit=1)
    if ended["state"] != "done" or not rows:
        said = ended["message"] or ended["state_text"]
        raise Failure(f"{model} is trained, but not tested. {_title(ended)}: {said}", Code.TESTS_FAILED)
    return rows[0]


def _judged(session: Session, result: Row) -> str:
    """What is wrong, in words. Measures of intents are told and not judged: what is good enough differs."""
    told = []
    if result["stories"] is not None:
        told.append(f"{result['stories_correct']} of {result['stories']} test stories went as written")
    if result["accuracy"] is not None:
        told.append(f"{result['accuracy']:.1%} of intents were told right")
    told += [result[note] for note in ("stories_note", "nlu_note") if result[note]]
    session.out.note(f"Test {result['number']} of {result['model']}: {'; '.join(told)}")
    failed = (result["stories"] or 0) - (result["stories_correct"] or 0)
    if not failed:
        return ""
    details = session.client.get("projects", session.project, "training", result["number"], "tests")
    names = [fault["name"] for one in details for fault in one["faults"] if not fault["is_warning"]]
    counted = f"{failed} of {result['stories']} test stories did not go as written"
    return f"{result['model']} is trained, but {counted}{': ' + ', '.join(names[:3]) if names else ''}."
