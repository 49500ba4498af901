"""What the documents for people tell them to type and to open is there."""

import re
from pathlib import Path

import pytest

from bench.__main__ import BENCHMARKS

CHECKOUT = Path(__file__).resolve().parent.parent.parent
DOCUMENTS = ["README.md", "CONTRIBUTING.md", "docs/benchmarks.md", "docs/containers.md"]


def targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", (CHECKOUT / "Makefile").read_text(), re.MULTILINE))


def commands_in(document: str) -> set[str]:
    """What stands after `make` in code, in a block or in a line."""
    code = re.findall(r"```.*?```|`[^`\n]+`", (CHECKOUT / document).read_text(), re.DOTALL)
    return set(re.findall(r"\bmake ([a-z-]+)", "\n".join(code)))


def links_in(document: str) -> set[str]:
    found = re.findall(r"\]\(([^)#]+)", (CHECKOUT / document).read_text())
    return {link for link in found if "://" not in link}


def test_the_readme_tells_how_to_run_and_how_to_test() -> None:
    assert {"run", "test"} <= commands_in("README.md")


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_make_command_is_a_target(document: str) -> None:
    assert commands_in(document) <= targets()


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_link_leads_to_a_file(document: str) -> None:
    folder = (CHECKOUT / document).parent
    assert [link for link in links_in(document) if not (folder / link).exists()] == []


def test_every_benchmark_is_described_and_runs_by_its_name() -> None:
    described = set(re.findall(r"^\| `([a-z_]+)`", (CHECKOUT / "docs/benchmarks.md").read_text(), re.MULTILINE))
    assert set(BENCHMARKS) <= described
    assert all((CHECKOUT / "bench" / f"{name}.py").is_file() for name in BENCHMARKS)
