"""Every setting that the code reads is in .env.example and docs/settings.md, and those name no other."""

import ast
import re
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parent.parent.parent
READING = ("studio/settings.py", "studio/embedded/config.py")
READERS = {"text", "optional", "secret", "flag", "whole", "words", "pairs", "size", "database"}


def read_by(path: str) -> set[str]:
    """Names given to the readers of studio/env.py in a module."""
    calls = [node for node in ast.walk(ast.parse((CHECKOUT / path).read_text())) if isinstance(node, ast.Call)]
    readers = [call for call in calls if isinstance(call.func, ast.Attribute) and call.func.attr in READERS]
    ours = [call for call in readers if ast.unparse(call.func).startswith("env.")]
    return {call.args[0].value for call in ours if isinstance(call.args[0], ast.Constant)}


def in_example() -> set[str]:
    return set(re.findall(r"^([A-Z_]+)=", (CHECKOUT / ".env.example").read_text(), re.MULTILINE))


def in_documentation() -> set[str]:
    return set(re.findall(r"^\| `([A-Z_]+)`", (CHECKOUT / "docs/settings.md").read_text(), re.MULTILINE))


def test_settings_are_found_in_both_modules() -> None:
    assert all(len(read_by(path)) > 5 for path in READING)


@pytest.mark.parametrize("named", [in_example, in_documentation], ids=[".env.example", "docs/settings.md"])
def test_what_is_written_down_is_what_is_read(named: object) -> None:
    assert callable(named)
    assert named() == set().union(*(read_by(path) for path in READING))


def test_each_variable_of_the_example_has_a_comment() -> None:
    lines = (CHECKOUT / ".env.example").read_text().splitlines()
    explained = False
    for line in lines:
        assert explained or "=" not in line or line.startswith("#"), f"{line} has no comment above it"
        explained = line.startswith("# ") or (explained and "=" in line)


def test_the_settings_module_reads_the_environment_through_its_readers_alone() -> None:
    assert "os.environ" not in (CHECKOUT / "studio/settings.py").read_text()
