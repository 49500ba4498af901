"""What one types: does the command exist, with these options? Asked of the code itself."""

import re
import shlex
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import typer
from django.core.management import get_commands, load_command_class

from bench.__main__ import BENCHMARKS
from parley_cli.main import app
from tests.docs.pages import CHECKOUT

_ASSIGNMENT = re.compile(r"^\w+=")
_END = {"|", "||", "&&", ";", "{", "}", "&", ">", "<", ")", "(", "do", "done"}


def complaints(line: str) -> Iterator[str]:
    """What is wrong with the commands of ours in a line of shell."""
    for words in _commands(line):
        judge = _JUDGES.get(Path(words[0]).name)
        if judge is not None:
            yield from judge(words[1:])


def _commands(line: str) -> Iterator[list[str]]:
    """Each command of a line, from its name on, without assignments before it."""
    words: list[str] = []
    for word in [*_words(line), ";"]:
        if word not in _END:
            words.append(word)
            continue
        while words and (_ASSIGNMENT.match(words[0]) or Path(words[0]).name in {"exec", "python", "python3", "-m"}):
            words.pop(0)
        if words:
            yield words
        words = []


def _words(line: str) -> list[str]:
    line = re.sub(r"\w+=\$\((.*?)\)", r"\1 ;", line)  # MODEL=$(parley train): what it runs
    lexer = shlex.shlex(line, posix=True, punctuation_chars=";|&<>(){}")
    lexer.whitespace_split = True
    lexer.commenters = "#"
    try:
        return list(lexer)
    except ValueError:  # a quotation that goes on in the next line
        return line.split()


def _options(words: list[str]) -> list[str]:
    return [word.partition("=")[0] for word in words if word.startswith("--")]


def _manage(words: list[str]) -> Iterator[str]:
    if not words or not re.fullmatch(r"[a-z_]+", words[0]):
        return
    if words[0] not in get_commands():
        yield f"manage.py has no command {words[0]}"
        return
    known = _options_of_manage(words[0])
    yield from (f"manage.py {words[0]} has no option {one}" for one in _options(words) if one not in known)


@cache
def _options_of_manage(name: str) -> set[str]:
    where = get_commands()[name]
    command = load_command_class(where, name) if isinstance(where, str) else where
    parser = command.create_parser("manage.py", name)
    return {option for action in parser._actions for option in action.option_strings}


def _parley(words: list[str]) -> Iterator[str]:
    """A group's command (`conversations export`) is looked for below it."""
    command: Any = typer.main.get_command(app)
    for word in words:
        if not hasattr(command, "commands") or word.startswith("-"):
            break
        if not re.fullmatch(r"[a-z-]+", word):
            return
        if word not in command.commands:
            yield f"parley has no command {word}"
            return
        command = command.commands[word]
    known = {option for parameter in command.params for option in [*parameter.opts, *parameter.secondary_opts]}
    known |= {"--help", "--profile", "--json", "--project", "--install-completion"}
    yield from (f"parley {command.name} has no option {one}" for one in _options(words) if one not in known)


def _make(words: list[str]) -> Iterator[str]:
    targets = re.findall(r"^([a-z-]+):", (CHECKOUT / "Makefile").read_text(), re.MULTILINE)
    names = [word for word in words if re.fullmatch(r"[a-z][a-z-]*", word)]
    yield from (f"make has no target {one}" for one in names if one not in targets)


def _bench(words: list[str]) -> Iterator[str]:
    names = [word for word in words if re.fullmatch(r"[a-z_]+", word)]
    yield from (f"there is no benchmark {one}" for one in names if one not in BENCHMARKS)


_JUDGES: dict[str, Callable[[list[str]], Iterator[str]]] = {
    "manage.py": _manage,
    "parley": _parley,
    "make": _make,
    "bench": _bench,
}
