"""`parley`: the list of its commands."""

import os
import sys
from typing import Annotated

import typer

from parley_cli import __version__
from parley_cli.commands import account, conversations, data, doctor, environments, models, talking, training

app = typer.Typer(
    name="parley",
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
