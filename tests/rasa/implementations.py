"""The ways of running a Rasa process, and a small program in Rasa's place where what it does is not Rasa's business."""

import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from studio.rasa.local import LocalProcesses
from studio.rasa.process import Handle, Processes, Spec, Status


def _of_cluster(folder: Path) -> Processes:
    """Of the cluster that KUBECONFIG names; the test's folder for ticks is the one thing that Pods share with us."""
    from studio.rasa.cluster.desk import Desk
    from studio.rasa.cluster.processes import KubernetesProcesses, Place
    from tests.kubernetes.cluster import IMAGE

    mount = {"name": "ticks", "mountPath": str(folder / "ticks")}
    template = {
        "spec": {
            "containers": [{"name": "rasa", "volumeMounts": [mount]}],
            "volumes": [{"name": "ticks", "hostPath": {"path": str(folder / "ticks"), "type": "DirectoryOrCreate"}}],
        }
    }
    return KubernetesProcesses(Place(image=IMAGE, template=template), Desk())  # each as if in a process of its own


# Each makes a supervisor; two made for the same folder are the one before a restart and the one after it.
IMPLEMENTATIONS: dict[str, Callable[[Path], Processes]] = {
    "local": lambda folder: LocalProcesses(Path(sys.executable), folder / "home"),
    "kubernetes": _of_cluster,
}
KINDS = ["local", pytest.param("kubernetes", marks=pytest.mark.kubernetes)]
START_SECONDS = {"local": 0.0, "kubernetes": 6.0}  # till a process runs

WAIT = "import time; print('up', flush=True); time.sleep(60)\n"

# One that lives on appends to a file: that shows wherever it runs, while a number of a process is one of its machine.
TICK = "import sys, time\nwhile True:\n    open(sys.argv[1], 'a').write('.')\n    time.sleep(0.02)\n"
_DETACHED = "start_new_session=True" if sys.platform == "linux" else ""
LEAVES_ITS_GROUP = f"import os, subprocess, sys\nsubprocess.Popen([sys.executable, '-c', {TICK!r}, os.environ['TICKS']], {_DETACHED})\n"
LEAVES_ITS_PARENT = f"""
import os, sys
if os.fork() == 0:
    if sys.platform == 'linux':
        os.setsid()
    if os.fork() == 0:
        os.execv(sys.executable, [sys.executable, '-c', {TICK!r}, os.environ['TICKS']])
    os._exit(0)
os.wait()
"""


def spec(folder: Path, code: str, *arguments: str, **options) -> Spec:
    """A `rasa` that is the given code, which runs in `folder / "work"`."""
    package = folder / "packages" / "rasa"
    package.mkdir(parents=True, exist_ok=True)
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(code)
    (folder / "ticks").mkdir(exist_ok=True)
    (folder / "ticks").chmod(0o777)  # a Pod writes there as a user of its own
    options.setdefault("python_path", (package.parent,))
    options["environment"] = {"TICKS": str(folder / "ticks" / "file"), **options.get("environment", {})}
    return Spec(arguments, folder / "work", folder / "rasa.log", **options)


def eventually(condition: Callable[[], object], seconds: float = 60) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.02)
    return False


def wait_for_text(processes: Processes, handle: Handle, text: str) -> str:
    assert eventually(lambda: text in processes.read_log(handle).text), processes.read_log(handle).text
    return processes.read_log(handle).text


def ended(processes: Processes, handle: Handle) -> Status:
    assert eventually(lambda: not processes.poll(handle).running)
    return processes.poll(handle)


def ticks(folder: Path) -> int:
    file = folder / "ticks" / "file"
    return file.stat().st_size if file.exists() else 0


def is_still(folder: Path) -> bool:
    """It ticked, and does no more."""
    before = ticks(folder)
    time.sleep(0.3)
    return 0 < before == ticks(folder)
