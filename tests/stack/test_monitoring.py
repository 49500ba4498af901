"""Prometheus' own tool reads our rules, their tests, every query of the dashboard, and what /metrics says."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.metrics.test_deploy import CHECKOUT, queries
from tests.scraping import scraped
from tests.stack.programs import need

__all__ = ["scraped"]
pytestmark = pytest.mark.stack
FOLDER = CHECKOUT / "deploy/prometheus"


def promtool(*arguments: str, given: str | None = None, folder: Path = FOLDER) -> str:
    need("promtool", "prometheus")
    ended = subprocess.run(["promtool", *arguments], cwd=folder, input=given, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout + ended.stderr


def test_the_rules_and_the_example_can_be_loaded(tmp_path: Path) -> None:
    shutil.copytree(FOLDER, tmp_path / "prometheus")
    (tmp_path / "prometheus/parley-metrics-token").write_text("a-token")
    assert "FAILED" not in promtool("check", "config", "prometheus.yml", folder=tmp_path / "prometheus")


def test_the_alerts_fire_when_they_should_and_never_else() -> None:
    assert "SUCCESS" in promtool("test", "rules", "parley.test.yml")


def test_the_tests_notice_a_rule_that_is_wrong(tmp_path: Path) -> None:
    shutil.copytree(FOLDER, tmp_path / "prometheus")
    rules = tmp_path / "prometheus/parley.rules.yml"
    rules.write_text(rules.read_text().replace("offset 30m", "offset 2h"))
    with pytest.raises(AssertionError, match="FAILED"):
        promtool("test", "rules", "parley.test.yml", folder=tmp_path / "prometheus")


def test_every_query_of_the_dashboard_can_be_parsed(tmp_path: Path) -> None:
    """As the expressions of recording rules, with what Grafana puts in place of its variables."""
    asked = [re.sub(r"\$__rate_interval", "5m", one) for one in queries() if not one.startswith("label_values")]
    lines = [f"      - {{ record: 'asked:{number}', expr: {json.dumps(one)} }}" for number, one in enumerate(asked)]
    (tmp_path / "asked.yml").write_text("\n".join(["groups:", "  - name: asked", "    rules:", *lines]))
    assert f"{len(asked)} rules found" in promtool("check", "rules", "asked.yml", folder=tmp_path)


@pytest.mark.django_db
def test_what_is_told_follows_prometheus_conventions(client, scraped, settings) -> None:
    scraped()
    text = client.get("/metrics", headers={"Authorization": f"Bearer {settings.METRICS_TOKEN}"}).content.decode()
    assert promtool("check", "metrics", given=text) == ""
