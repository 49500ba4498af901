"""Django is imported inside the fixtures: pytest reads this file before tests/conftest.py has set it up."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.s3_fixtures import s3, s3_of_the_run, s3_place

__all__ = ["s3", "s3_of_the_run", "s3_place"]

if TYPE_CHECKING:
    from models_app.models import Assistant


@pytest.fixture(autouse=True)
def artifacts_dir(settings: Any, tmp_path: Path) -> Path:
    """An artifact store of the test's own."""
    settings.ARTIFACTS_DIR = tmp_path / "artifacts"
    return settings.ARTIFACTS_DIR


@pytest.fixture
def assistant(db: None) -> "Assistant":
    from tests.factories import make_assistant

    return make_assistant(slug="cafe", title="Café Lumen")


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]
