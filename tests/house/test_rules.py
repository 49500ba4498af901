"""Rules of the house that a reader would otherwise have to remember. Each failure says what to do."""

import ast
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from django.urls import get_resolver

from studio.audit.actions import Action

CHECKOUT = Path(__file__).resolve().parent.parent.parent
LAYERS = ("studio", "models_app", "environments", "conversations")  # imports go to the left
LOOK_UP = {"studio/urls.py", "studio/api.py"}
MAX_LINES, MAX_FUNCTION = 450, 50


def modules(*folders: str) -> Iterator[Path]:
    for folder in folders or LAYERS:
        for path in sorted((CHECKOUT / folder).rglob("*.py")):
            if "migrations" not in path.parts:
                yield path


def name(path: Path) -> str:
    return path.relative_to(CHECKOUT).as_posix()


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def templates() -> list[Path]:
    return sorted((CHECKOUT / "templates").rglob("*.html"))


def imported(path: Path) -> set[str]:
    """The first words of what a module imports, wherever in it."""
    found = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found


def test_imports_go_one_way() -> None:
    wrong = []
    for index, layer in enumerate(LAYERS):
        above = set(LAYERS[index + 1 :])
        wrong += [f"{name(p)} imports {sorted(up)}" for p in modules(layer) if (up := imported(p) & above)]
    wrong = [one for one in wrong if one.split()[0] not in LOOK_UP]
    assert not wrong, f"Register it in AppConfig.ready() of the higher app, or link by URL name: {wrong}"


def test_no_module_is_too_long() -> None:
    long = {name(path): lines for path in modules() if (lines := len(path.read_text().splitlines())) > MAX_LINES}
    assert not long, f"Split these into a package of the same name, at most {MAX_LINES} lines each: {long}"


def test_no_function_is_too_long() -> None:
    long = []
    for path in modules():
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.FunctionDef) and (node.end_lineno or 0) - node.lineno >= MAX_FUNCTION:
                long.append(f"{name(path)}:{node.lineno} {node.name}")
    assert not long, f"Take steps out of these, at most {MAX_FUNCTION} lines each: {long}"


def writes(function: ast.FunctionDef) -> bool:
    """A writer opens the transaction, or records in one."""
    text = ast.unparse(function)
    return "transaction.atomic" in text or "record(" in text


def test_writers_take_their_actor_by_keyword() -> None:
    wrong = []
    for path in modules():
        for node in tree(path).body:
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_") and writes(node):
                positional = {argument.arg for argument in node.args.posonlyargs + node.args.args}
                wrong += [f"{name(path)} {node.name}"] if "actor" in positional else []
    wrong = [one for one in wrong if not one.startswith("studio/audit/")]
    assert not wrong, f"Put `*,` before `actor`, so that nobody passes the wrong person: {wrong}"


def commands() -> list[str]:
    found = {path.stem for path in modules() if path.parent.name == "commands" and not path.stem.startswith("_")}
    return sorted(found)


@pytest.mark.parametrize("command", commands())
def test_every_command_is_documented(command: str) -> None:
    text = (CHECKOUT / "docs/commands.md").read_text()
    assert f"`{command}" in text, f"Add a line for `{command}` to docs/commands.md"


@pytest.mark.parametrize("command", commands())
def test_every_command_is_covered_by_a_test(command: str) -> None:
    """By name, as `call_command("x")`, or by its module, or by the process that runs it."""
    tests = "".join(path.read_text() for path in (CHECKOUT / "tests").rglob("*.py") if path != Path(__file__))
    assert re.search(rf"[\"' .]{command}[\"' ,)]", tests), f"Write a test that runs `manage.py {command}`"


def test_templates_have_nothing_inline() -> None:
    """The content security policy would refuse it."""
    inline = re.compile(r"\sstyle=|\son[a-z]+=[\"']|<style|<script(?![^>]*\bsrc=)|javascript:", re.IGNORECASE)
    wrong = [name(path) for path in templates() if inline.search(path.read_text())]
    assert not wrong, f"Use a class of static/css/parley.css, or a module of static/js/, instead: {wrong}"


def url_names(resolver: object = None, namespace: str = "") -> Iterator[str]:
    for one in (resolver or get_resolver()).url_patterns:  # type: ignore[attr-defined]
        if hasattr(one, "url_patterns"):
            yield from url_names(one, f"{namespace}{one.namespace}:" if one.namespace else namespace)
        elif one.name:
            yield namespace + one.name


def test_every_url_that_a_template_names_exists() -> None:
    known = {*url_names(), "component-dialog", "components"}
    asked = re.compile(r"{%-?\s*url\s+[\"']([\w:-]+)[\"']")
    wrong = [f"{name(p)}: {one}" for p in templates() for one in asked.findall(p.read_text()) if one not in known]
    assert not wrong, f"No URL of ours is called so: {wrong}"


@pytest.mark.parametrize("action", list(Action))
def test_every_action_is_recorded_somewhere(action: Action) -> None:
    used = any(f"Action.{action.name}" in path.read_text() for path in modules())
    assert used, f"Record {action.name} in the service of its change, or take it out of studio/audit/actions.py"


@pytest.mark.parametrize("file", ["requirements.txt", "requirements-dev.txt"])
def test_every_dependency_has_its_reason(file: str) -> None:
    lines = [line for line in (CHECKOUT / file).read_text().splitlines() if line and not line.startswith(("#", "-r"))]
    wrong = [line for line in lines if not re.search(r"\s#\s\S+", line)]
    assert lines and not wrong, f"Say after a # why it is there: {wrong}"


@cache
def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=CHECKOUT, capture_output=True, check=False)
    if listed.returncode:
        pytest.skip("not a checkout of git")
    return [CHECKOUT / path for path in listed.stdout.decode().split("\0") if path]


def test_nothing_names_a_package_registry_or_a_private_folder() -> None:
    """A registry's address in a lock would tie every installation to it."""
    wrong_words = re.compile(
        rb"https?://[\w-]+\.[^\s\"']+/simple\b|--(?:extra-)?index-url|--registry|/root/|/home/\w+/"
    )
    wrong = [name(p) for p in tracked() if p.is_file() and p != Path(__file__) and wrong_words.search(p.read_bytes())]
    assert not wrong, f"Take the address or folder out of {wrong}"


def test_what_the_fast_tests_leave_unread_is_of_another_suite() -> None:
    """The Makefile names such files; a test in them without the mark of a suite would run nowhere."""
    ignored = re.findall(r"--ignore (\S+)", (CHECKOUT / "Makefile").read_text())
    marks = [
        re.search(r"^pytestmark = .*pytest\.mark\.addresses", (CHECKOUT / one).read_text(), re.M) for one in ignored
    ]
    assert ignored and all(marks)
