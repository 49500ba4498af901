from pathlib import Path

import pytest

from tests.scraping import scraped

__all__ = ["scraped"]


@pytest.fixture
def folder(tmp_path: Path, settings) -> Path:
    """Counters of this test's own processes."""
    settings.METRICS_DIR = tmp_path / "metrics"
    return settings.METRICS_DIR
