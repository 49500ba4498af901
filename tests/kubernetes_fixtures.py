"""A real Kubernetes for a test run. tests/conftest.py imports it, so that all folders share one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.kubernetes.cluster import Cluster


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """Clients of it find it by KUBECONFIG, those in processes that a test starts as well."""
    from tests.kubernetes import cluster

    with cluster.running() as running, pytest.MonkeyPatch.context() as patch:
        patch.setitem(os.environ, "KUBECONFIG", str(running.kubeconfig))
        yield running
