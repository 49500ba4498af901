"""What deploy/ asks Prometheus for is what Parley tells; that the questions are right: tests/stack/test_monitoring.py."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.urls import resolve
from ruamel.yaml import YAML

from studio.metrics import counting, door, http, readings

CHECKOUT = Path(__file__).parents[2]
RULES = CHECKOUT / "deploy/prometheus/parley.rules.yml"
TESTS = CHECKOUT / "deploy/prometheus/parley.test.yml"
DASHBOARD = CHECKOUT / "deploy/grafana/parley.json"
NAME = re.compile(r"\bparley_[a-z_]+")
SELECTED = re.compile(r"(parley_[a-z_]+)\{([^}]*)\}")
assert http  # declares its metrics; the web imports it as a middleware
OURS = {"le"}  # labels that Prometheus' own formats add


def rules() -> list[dict[str, Any]]:
    return [rule for group in YAML(typ="safe").load(RULES)["groups"] for rule in group["rules"]]


def queries(node: Any = None) -> Iterator[str]:
    """Everything that the dashboard asks."""
    node = json.loads(DASHBOARD.read_text()) if node is None else node
    if isinstance(node, dict):
        yield from (node[key] for key in ("expr", "definition") if key in node)
    for one in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        if isinstance(one, dict | list):
            yield from queries(one)


def expressions() -> list[str]:
    return [rule["expr"] for rule in rules()] + list(queries())


def metric_of(name: str) -> str:
    """A histogram's series are named after it."""
    return next((name[: -len(end)] for end in ("_bucket", "_sum", "_count") if name.endswith(end)), name)


def labels_of(metric: str) -> set[str]:
    if metric in readings.families:
        return set(readings.families[metric].labels)
    return set(counting.label_names[metric])


@pytest.mark.parametrize("expression", expressions(), ids=str)
def test_every_metric_and_label_that_is_asked_for_is_told(expression: str) -> None:
    for name in NAME.findall(expression):
        assert metric_of(name) in door.names(), f"{name} is no metric of ours"
    for name, selectors in SELECTED.findall(expression):
        asked = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", selectors))
        assert asked <= labels_of(metric_of(name)) | OURS, f"{name} has no such label"


def test_the_search_finds_what_is_asked() -> None:
    assert len(rules()) > 15 and len(list(queries())) > 30
    assert len({metric_of(name) for one in expressions() for name in NAME.findall(one)}) > 20


def test_every_metric_is_on_the_dashboard() -> None:
    shown = {metric_of(name) for one in queries() for name in NAME.findall(one)}
    assert door.names().keys() - shown <= {"parley_build_info", "parley_ingest_process_records_total"}


def test_every_metric_is_described() -> None:
    text = (CHECKOUT / "docs/monitoring.md").read_text()
    assert {name for name in door.names() if f"`{name}`" not in text} == set()
    assert set(re.findall(r"^\| `(parley_[a-z_]+)`", text, re.MULTILINE)) == door.names().keys()


def test_every_alert_about_something_leads_to_its_page() -> None:
    for rule in rules():
        page = rule["annotations"].get("page", "")
        named = set(re.findall(r"\{\{ \$labels\.(\w+) \}\}", page))
        grouped = set(re.findall(r"\w+", " ".join(re.findall(r"\bby \(([^)]*)\)", rule["expr"]))))
        assert named <= grouped, f"{rule['alert']} has no such labels"
        assert named or "assistant" not in grouped, f"{rule['alert']} does not lead to what it is about"
        if page:
            resolve(re.sub(r"\{\{[^}]*\}\}", "1", page))


def test_every_alert_says_what_is_wrong_and_how_to_mend_it() -> None:
    for rule in rules():
        assert rule["labels"]["severity"] in {"critical", "warning"}
        assert rule["annotations"].keys() - {"page"} == {"summary", "mend"}


def test_every_alert_fires_in_a_test() -> None:
    asked = [one for test in YAML(typ="safe").load(TESTS)["tests"] for one in test["promql_expr_test"]]
    fired = set(re.findall(r"Parley\w+", str([one for one in asked if one["exp_samples"]])))
    assert fired == {rule["alert"] for rule in rules()}
    assert len([one for one in asked if not one["exp_samples"]]) > 10  # moments at which none does
