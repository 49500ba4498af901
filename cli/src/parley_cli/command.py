"""What every command has: the options that say which Parley is meant, `--json`, and an end without a traceback."""

import inspect
import os
import sys
from collections.abc import Callable
from functools import cached_property, wraps
from typing import TYPE_CHECKING, Annotated, Any

import typer

from parley_cli import config
from parley_cli.failures import Code, Failure
from parley_cli.output import Output, discard

if TYPE_CHECKING:
    from parley_cli.client import Client

PROFILE = Annotated[str | None, typer.Option("--profile", metavar="NAME", help="Which sign-in: see `parley login`.")]
PROJECT = Annotated[str | None, typer.Option("--project", "-p", metavar="NAME", help="Which assistant.")]
JSON = Annotated[bool, typer.Option("--json", help="One JSON document on standard output, or lines where much comes.")]


class Session:
    """One command being carried out."""

    def __init__(self, profile: str | None, project: str | None, *, is_json: bool) -> None:
        self.profile, self._project = profile, project
        self.out = Output(is_json=is_json)

    @cached_property
    def target(self) -> config.Target:
        return config.target(self.profile, self._project)

    @property
    def project(self) -> str:
        return self.target.project

    @cached_property
    def client(self) -> "Client":
        from parley_cli.client import Client  # half of the time that a command takes to start

        target = self.target
        known = config.profiles().get(target.profile) if target.profile else None
        if known is None or known.token != target.token or not known.refresh:
            return Client(target.url, target.token)
        from parley_cli.sign_in import renewer

        return Client(target.url, target.token, renewer(known))


def command(app: typer.Typer, name: str | None = None) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make `function(session, …)` a command of `app`."""

    def register(function: Callable[..., None]) -> Callable[..., None]:
        @wraps(function)
        def run(*, profile: str | None, project: str | None, is_json: bool, **given: Any) -> None:
            session = Session(profile, project, is_json=is_json)
            code = _ended(session.out, lambda: function(session, **given))
            if code:
                raise typer.Exit(int(code))

        own = list(inspect.signature(function).parameters.values())[1:]
        keyword = inspect.Parameter.KEYWORD_ONLY
        common = [
            inspect.Parameter("profile", keyword, default=None, annotation=PROFILE),
            inspect.Parameter("project", keyword, default=None, annotation=PROJECT),
            inspect.Parameter("is_json", keyword, default=False, annotation=JSON),
        ]
        every = [one.replace(kind=keyword) for one in [*own, *common]]
        del run.__wrapped__
        run.__signature__ = inspect.Signature(every)  # type: ignore[attr-defined]
        run.__annotations__ = {one.name: one.annotation for one in every}
        app.command(name)(run)
        return run

    return register


def only_one(**options: object) -> None:
    """Raises Failure when options were given that contradict each other."""
    given = [f"--{name.replace('_', '-')}" for name, value in options.items() if value not in (None, False, "")]
    if len(given) > 1:
        raise Failure(f"{given[0]} and {given[1]} contradict each other.", Code.USAGE)


def _ended(out: Output, do: Callable[[], None]) -> Code:
    try:
        do()
    except Failure as failure:
        out.fail(failure)
        return failure.code
    except KeyboardInterrupt:
        out.fail(Failure("Interrupted.", Code.INTERRUPTED))
        return Code.INTERRUPTED
    except BrokenPipeError:  # of standard output alone: `Output` and requests have caught the others
        discard(sys.stdout)
        return Code.NOBODY_READS
    except OSError as error:
        told = _of_the_machine(error)
        out.fail(told)
        return told.code
    except Exception as error:
        if os.environ.get("PARLEY_DEBUG"):
            raise
        kind = type(error).__name__  # its text may hold an address with a token
        out.fail(Failure(f"This is a fault of the command ({kind}). PARLEY_DEBUG=1 shows where."))
        return Code.REFUSED
    return Code.DONE


def _of_the_machine(error: OSError) -> Failure:
    """Of a file; or of the network, whose exceptions are of that kind too and name addresses with what is secret."""
    requests = sys.modules.get("requests")
    if requests is not None and isinstance(error, requests.RequestException):
        return Failure("The connection broke. Try again.", Code.UNREACHABLE)
    return Failure(f"{error.filename or 'A file'}: {error.strerror or error}")
