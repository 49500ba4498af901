"""Where Rasa processes run: on this machine, or as Jobs of a cluster (PARLEY_PROCESSES)."""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from django.conf import settings

from studio.rasa.local import LocalProcesses
from studio.rasa.process import Processes

if TYPE_CHECKING:
    from studio.rasa.cluster.processes import Place

LOCAL, KUBERNETES = "local", "kubernetes"


def processes_of(python: Path, home: Path, image: str = "") -> Processes:
    """`python` and `home` are for processes of this machine, `image` is for those of a cluster."""
    if not in_cluster():
        return LocalProcesses(python, home)
    from studio.rasa.cluster.processes import KubernetesProcesses  # takes half a second, and memory

    return KubernetesProcesses(place(image))


def in_cluster() -> bool:
    return settings.PROCESSES == KUBERNETES


def place(image: str = "") -> "Place":
    from studio.rasa.cluster.processes import Place

    return Place(
        image=image,
        namespace=settings.KUBERNETES_NAMESPACE,
        template=settings.KUBERNETES_TEMPLATE,
        address=settings.KUBERNETES_ADDRESS,
        port=settings.KUBERNETES_PORT,
        owner=settings.KUBERNETES_OWNER,
        context=settings.KUBERNETES_CONTEXT,
        installation=hashlib.sha256(settings.SECRET_KEY.encode()).hexdigest(),
        start_seconds=settings.KUBERNETES_START_SECONDS,
        server_resources=settings.KUBERNETES_SERVER_RESOURCES,
    )
