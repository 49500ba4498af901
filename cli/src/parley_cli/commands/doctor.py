"""What is wrong between a Rasa server, its event broker and Parley, and how to mend it."""

import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from parley_cli.command import Session, command
from parley_cli.failures import Code, Failure

if TYPE_CHECKING:
    from parley_cli.client import Client

GOOD, BAD, UNSURE = "running", "failed", "warning"
SIGNS = {GOOD: "ok  ", BAD: "BAD ", UNSURE: "look"}


@dataclass(frozen=True)
class Finding:
    """`mend` says what to do, and `line` is what to copy for that."""

    about: str
    status: str
    message: str
    mend: str = ""
    line: str = ""


Found = Iterator[Finding]


def register(app: typer.Typer) -> None:
    command(app)(doctor)


def doctor(
    session: Session,
    environment: Annotated[str | None, typer.Option("--in", metavar="ENVIRONMENT", help="Only this one.")] = None,
    rasa: Annotated[
        str,
        typer.Option(
            "--rasa",
            metavar="URL",
            help="Look from here at this Rasa server of ENVIRONMENT too. Its token: RASA_TOKEN.",
        ),
    ] = "",
    rasa_token_stdin: Annotated[
        bool, typer.Option("--rasa-token-stdin", help="Read its server token from standard input.")
    ] = False,
) -> None:
    """Find out what is wrong between Rasa servers, their event brokers and Parley. 30: something is."""
    from parley_cli import doctoring

    if rasa_token_stdin and not rasa:
        raise Failure("--rasa-token-stdin is the token of --rasa.", Code.USAGE)
    token = os.environ.get("RASA_TOKEN", "")
    if rasa_token_stdin:
        token = session.out.secret("Server token: ", otherwise="", from_stdin=True)
    findings: list[Finding] = []
    steps: list[Callable[[], Found]] = [lambda: doctoring.of_parley(session)]
    steps.append(lambda: doctoring.of_environments(session, environment))
    if rasa:
        steps.append(lambda: doctoring.of_rasa(session, rasa, token, environment or "production"))
    for step in steps:
        try:
            for finding in step():
                _say(session, finding)
                findings.append(finding)
        except Failure as failure:
            findings.append(_given_up(session, failure))
            break
    bad = [one for one in findings if one.status == BAD]
    good = not bad
    session.out.result({"good": good, "findings": [asdict(one) for one in findings]})
    if bad:
        raise Failure(f"{len(bad)} thing{'s are' if len(bad) > 1 else ' is'} wrong.", Code.UNHEALTHY)
    session.out.note("Nothing is wrong." if all(one.status == GOOD for one in findings) else "Nothing is broken.")


def _say(session: Session, finding: Finding) -> None:
    text = f"{SIGNS[finding.status]} {finding.about}: {finding.message}"
    if finding.status != GOOD and finding.mend:
        text += f"\n       {finding.mend}"
    if finding.status != GOOD and finding.line:
        text += "".join(f"\n           {line}" for line in finding.line.splitlines())
    if not session.out.is_json:
        session.out.line(None, text)


def _given_up(session: Session, failure: Failure) -> Finding:
    finding = Finding("parley", BAD, failure.message)
    _say(session, finding)
    return finding


def facts_of(client: "Client", *path: object) -> Any:
    """What the API says; None where one may not know."""
    try:
        return client.get(*path)
    except Failure as failure:
        if failure.status in (403, 404):
            return None
        raise
