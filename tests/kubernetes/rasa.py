"""A Rasa for Pods: the runtime of this machine, mounted into an image that has none (2.7 GB are much to import)."""

from typing import Any

from studio.rasa.runtime import Runtime
from tests.kubernetes.cluster import Cluster

IMAGE = "parley.test/rasa:3.6.21"


def load_image(cluster: Cluster, runtime: Runtime) -> None:
    cluster.load(IMAGE, environment={"PATH": f"{runtime.folder}/bin:/usr/local/bin:/usr/bin:/bin"})


def pod_template(runtime: Runtime) -> dict[str, Any]:
    """Its environment and the interpreter that this is of, at their places here."""
    places = {"runtime": runtime.folder, "interpreter": runtime.python.resolve().parents[1]}
    mounts = [{"name": name, "mountPath": str(path), "readOnly": True} for name, path in places.items()]
    volumes = [{"name": name, "hostPath": {"path": str(path)}} for name, path in places.items()]
    return {"spec": {"containers": [{"name": "rasa", "volumeMounts": mounts}], "volumes": volumes}}
