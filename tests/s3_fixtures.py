"""A real S3 server for a test run, and a bucket for a test. Each folder's conftest.py that wants them imports them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from models_app.storage.s3_client import Place
    from tests.stack.s3 import S3Server


@pytest.fixture(scope="session")
def s3_of_the_run() -> Iterator[S3Server]:
    from tests.stack import s3  # it asks for Django, which is not ready when pytest reads this file

    with s3.running() as server:
        yield server


@pytest.fixture
def s3(s3_of_the_run: S3Server) -> Iterator[S3Server]:
    s3_of_the_run.ensure_running()
    yield s3_of_the_run


@pytest.fixture
def s3_place(s3: S3Server) -> Place:
    """A bucket of the test's own."""
    return s3.place(bucket=s3.make_bucket())
