from collections.abc import Iterator

import pytest

from tests.rasa.servers import SmallServer
from tests.rasa_fixtures import (
    older_runtime,
    rasa_processes,
    rasa_runtime,
    rasa_server,
    trained_model,
    worker_id_or_main,
)

__all__ = ["older_runtime", "rasa_processes", "rasa_runtime", "rasa_server", "trained_model", "worker_id_or_main"]


@pytest.fixture
def server() -> Iterator[SmallServer]:
    """An HTTP server of this machine that answers what the test tells it to."""
    server = SmallServer()
    yield server
    server.close()
