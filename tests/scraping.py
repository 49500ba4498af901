"""What /metrics says, for tests. Imports are inside the fixture: pytest loads this before Django is set up."""

from collections.abc import Callable
from concurrent.futures import Future

import pytest


@pytest.fixture
def scraped(db, settings, client, monkeypatch) -> Callable[[], dict[str, float]]:
    """What /metrics says now, by the text of each series; what processes count, less what was counted before.

    Rows are read within the test's own transaction.
    """
    from prometheus_client.parser import text_string_to_metric_families

    from studio.metrics import door, readings

    def at_once(work):
        done: Future = Future()
        done.set_result(work())
        return done

    monkeypatch.setattr(readings, "_in_thread", at_once)
    settings.METRICS_TOKEN = "prometheus-" * 3

    def is_counted(series: str) -> bool:
        return series.startswith(
            ("parley_http", "parley_model_polls", "parley_worker", "parley_ingest_batch", "parley_ingest_process")
        )

    before: dict[str, float] = {}

    def scrape() -> dict[str, float]:
        return {name: value - before.get(name, 0) for name, value in everything().items()}

    def everything() -> dict[str, float]:
        readings.kept.forget()
        door.page.forget()
        response = client.get("/metrics", headers={"Authorization": f"Bearer {settings.METRICS_TOKEN}"})
        assert response.status_code == 200, response.content
        assert response.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        families = text_string_to_metric_families(response.content.decode())
        return {
            f"{sample.name}{{{','.join(f'{k}={v}' for k, v in sorted(sample.labels.items()))}}}": sample.value
            for family in families
            for sample in family.samples
        }

    before.update({name: value for name, value in everything().items() if is_counted(name)})
    return scrape
