"""The API does what its description says: every operation is asked with what the description allows, and with worse.

No answer is a fault of ours, and each has the status and the shape that the description gives it.
"""

import json
import os
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
import schemathesis
from django.conf import settings
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections, transaction
from hypothesis import HealthCheck, Phase
from hypothesis import settings as hypothesis_settings
from schemathesis.specs.openapi.checks import positive_data_acceptance  # a name may be taken, a cursor be none

from studio.api import api
from tests.house.world import World, make_world

pytestmark = [pytest.mark.django_db, pytest.mark.addresses]
FILE = Path(__file__).resolve().parents[2] / "docs" / "openapi.json"
EXAMPLES = 8
# Boundaries of every parameter are 9,500 requests more. Each run asks one in so many of them, the same ones each time:
# PARLEY_DESCRIBED_EVERY=1 asks all, in ten minutes.
EVERY = int(os.environ.get("PARLEY_DESCRIBED_EVERY", "4"))

described = schemathesis.openapi.from_wsgi("/api/openapi.json", get_wsgi_application())
# Parameters that nobody asked for are passed over, and the token is always shown: neither makes a request a bad one.
described.config.generation.allow_extra_parameters = False
described.config.generation.with_security_parameters = False


@schemathesis.serializer("application/gzip", "application/zip")
def as_it_is(_context: object, value: object) -> bytes:
    """A body that is a file."""
    return value if isinstance(value, bytes) else str(value).encode()


# What there is in tests/house/world.py, by the names of path parameters: half of the requests ask for these.
THERE: dict[str, object] = {"slug": "cafe", "name": "worker", "model": "otter", "number": 1, "role": "reader"}
THERE |= {"sender": "anna", "timestamp": 1_790_000_001.0, "tag": "vip", "incident": 1}


@described.hook
def map_path_parameters(context: schemathesis.HookContext, path_parameters: dict[str, object]) -> dict[str, object]:
    if zlib.crc32(repr(path_parameters).encode()) % 2:
        return path_parameters
    return {name: _there(name, value) for name, value in path_parameters.items()}


def _there(name: str, value: object) -> object:
    """What is of another kind was meant to be wrong."""
    known = THERE.get(name, value)
    return known if type(known) is type(value) else value


@pytest.fixture(scope="module")
def world(django_db_setup, django_db_blocker, tmp_path_factory) -> Iterator[World]:
    # Django's own test client does the same: else each request would end with the connection of the test.
    request_started.disconnect(close_old_connections)
    request_finished.disconnect(close_old_connections)
    with pytest.MonkeyPatch.context() as patch, django_db_blocker.unblock(), transaction.atomic():
        patch.setattr(settings, "ARTIFACTS_DIR", tmp_path_factory.mktemp("artifacts"))
        yield make_world()
        transaction.set_rollback(True)
    request_started.connect(close_old_connections)
    request_finished.connect(close_old_connections)


def test_the_file_is_what_the_running_api_says() -> None:
    running = json.loads(json.dumps(api.get_openapi_schema()))
    assert json.loads(FILE.read_text()) == running, "Write it anew: make openapi"


# schemathesis does not close what it has read, so files that are sent stay open until the collector comes.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@described.parametrize()
@hypothesis_settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    print_blob=False,
    suppress_health_check=list(HealthCheck),
)
def test_every_answer_is_as_described(case, world: World, redis_client) -> None:
    asked = (case.method, case.path_parameters, case.query, case.headers, case.cookies, case.body)
    if case.meta.phase.name == "coverage" and zlib.crc32(repr(asked).encode()) % EVERY:
        return
    with transaction.atomic():
        token = {"Authorization": f"Bearer {world.tokens['admin']}"}
        case.call_and_validate(headers=token, excluded_checks=[positive_data_acceptance])
        transaction.set_rollback(True)
