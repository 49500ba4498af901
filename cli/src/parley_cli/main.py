"""`parley`: the list of its commands."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from parley_cli import __version__
from parley_cli.commands import account, conversations, data, doctor, environments, models, talking, training
from parley_cli.failures import Code, Failure
from parley_cli.output import Output

USAGE_ERROR: type[Exception] = typer.BadParameter.__bases__[0]  # click's, which typer brings along or depends on


class Commands(TyperGroup):
    """Says in one line, or in JSON, what was typed wrong."""

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        self._out = Output(is_json="--json" in args)
        with self._said():
            return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: Any) -> Any:
        with self._said():
            return super().invoke(ctx)

    @contextmanager
    def _said(self) -> Iterator[None]:
        try:
            yield
        except USAGE_ERROR as error:
            told: Any = error
            if type(error).__name__ == "NoArgsIsHelpError":
                raise
            where = f" See {told.ctx.command_path} --help." if told.ctx else ""
            self._out.fail(Failure(f"{told.format_message()}{where}", Code.USAGE))
            raise typer.Exit(int(Code.USAGE)) from None


app = typer.Typer(
    name="parley",
    cls=Commands,
    help="Train, release and watch Rasa assistants with Parley.",
    epilog="Start with `parley login`. In CI set PARLEY_URL and PARLEY_TOKEN. Exit codes: docs/cli.md.",
    no_args_is_help=True,
    rich_markup_mode=None,  # drawing the help with rich takes longer than all else
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for _part in (account, data, training, models, environments, talking, conversations, doctor):
    _part.register(app)


def _version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(f"parley {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Its version.")] = False,
) -> None:
    pass


def main() -> None:
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # closed by whoever calls, as by >&-
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode))
    app()
