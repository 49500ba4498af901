"""What README.md and the page of the benchmarks promise. tests/docs/ has commands, options and links of all pages."""

import re
from pathlib import Path

from bench.__main__ import BENCHMARKS
from tests.docs.pages import blocks

CHECKOUT = Path(__file__).resolve().parent.parent.parent


def test_the_readme_tells_how_to_run_and_how_to_test() -> None:
    assert {"make run\n", "make test\n"} <= {block.text for block in blocks("sh") if block.page == "README.md"}


def test_every_benchmark_is_described_and_runs_by_its_name() -> None:
    described = set(re.findall(r"^\| `([a-z_]+)`", (CHECKOUT / "docs/benchmarks.md").read_text(), re.MULTILINE))
    assert set(BENCHMARKS) <= described
    assert all((CHECKOUT / "bench" / f"{name}.py").is_file() for name in BENCHMARKS)
