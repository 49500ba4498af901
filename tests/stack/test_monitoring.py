"""Prometheus' own tool reads our rules, their tests, every query of the dashboard, and what /metrics says."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from tests.metrics.test_deploy import CHECKOUT, queries
from tests.scraping import scraped
from tests.stack.programs import eventually, free_port, need

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


class Prometheus:
    """A real server of our example configuration, every five seconds instead of every fifteen."""

    def __init__(self, folder: Path, target: str, token: str) -> None:
        need("prometheus", "prometheus")
        shutil.copytree(FOLDER, folder, dirs_exist_ok=True)
        example = folder / "prometheus.yml"
        example.write_text(example.read_text().replace("localhost:8000", target).replace("15s", "5s"))
        (folder / "parley-metrics-token").write_text(token)
        self.url = f"http://127.0.0.1:{free_port()}"
        address = self.url.removeprefix("http://")
        options = (f"--web.listen-address={address}", f"--storage.tsdb.path={folder / 'data'}")
        with (folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                ["prometheus", "--config.file=prometheus.yml", *options], cwd=folder, stdout=log, stderr=log
            )

    def ask(self, path: str, **query: str) -> dict[str, Any]:
        try:
            answer = requests.get(f"{self.url}/api/v1/{path}", params=query, timeout=20)
        except requests.RequestException:  # it starts
            return {}
        return answer.json()["data"] if answer.status_code == 200 else {}

    def value(self, query: str) -> float:
        found = self.ask("query", query=query).get("result", [])
        return float(found[0]["value"][1]) if found else -1.0

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(20)


def test_a_real_prometheus_takes_what_is_told_and_our_rules(live_server, settings, tmp_path, redis_client) -> None:
    settings.METRICS_TOKEN = "a-token-of-32-letters-for-prometheus"
    prometheus = Prometheus(tmp_path / "prometheus", urlsplit(live_server.url).netloc, settings.METRICS_TOKEN)
    try:
        eventually(lambda: prometheus.value("up") == 1)
        eventually(lambda: prometheus.value("sum(parley_http_requests_total)") > 1)
        readers = "(sum(parley_reader_up) == count(parley_reader_up)) > 5"
        eventually(lambda: prometheus.value(readers) > 5)
        rules = [rule for group in prometheus.ask("rules")["groups"] for rule in group["rules"]]
        assert len(rules) > 15
        eventually(lambda: prometheus.value('count(ALERTS{alertname="ParleyProcessMissing"})') == 3)  # none runs here
        rules = [rule for group in prometheus.ask("rules")["groups"] for rule in group["rules"]]
        assert {rule["health"] for rule in rules} == {"ok"}
        settings.METRICS_TOKEN = "another-token-of-at-least-16-letters"
        eventually(lambda: prometheus.value("up") == 0)
        eventually(lambda: "401" in prometheus.ask("targets")["activeTargets"][0]["lastError"])
    finally:
        prometheus.close()
