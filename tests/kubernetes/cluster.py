"""A real Kubernetes of one node for a test run: etcd, API server, controllers, scheduler, containerd, kubelet, proxy.

Its programs are built once (`build.sh`). Everything it writes is below one temporary folder; sockets, ports and the
bridge are its own, so that a Docker of the same machine is not disturbed. Needs root.
"""

import json
import secrets
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from kubernetes import client, config

from studio.embedded import child
from tests.kubernetes import images
from tests.stack.programs import free_port, need

HERE = Path(__file__).parent
NODE = "parley-node"
BRIDGE, PODS, SERVICES = "parleycni0", "10.213.0.0/24", "10.214.0.0/24"
API_SERVICE = "10.214.0.1"
START_SECONDS = 120
PAUSE = "parley.test/pause:1"
IMAGE = "parley.test/python:1"  # Debian with Python; its user is 10001


class Cluster:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.programs = Path(_output([str(HERE / "build.sh")]).strip())
        self.address = _own_address()
        self.token = secrets.token_urlsafe(24)
        self.etcd_port, self.etcd_peer_port, self.api_port = free_port(), free_port(), free_port()
        self.socket = folder / "c.sock"
        self._processes: list[tuple[str, subprocess.Popen[bytes]]] = []

    @property
    def url(self) -> str:
        return f"https://{self.address}:{self.api_port}"

    @property
    def kubeconfig(self) -> Path:
        return self.folder / "kubeconfig"

    @property
    def api(self) -> Any:
        return config.new_client_from_config(str(self.kubeconfig))

    @property
    def core(self) -> Any:
        return client.CoreV1Api(self.api)

    @property
    def batch(self) -> Any:
        return client.BatchV1Api(self.api)

    # --- Start and end --------------------------------------------------------------------------------------------

    def start(self) -> None:
        for program, package in {
            "containerd": "containerd",
            "runc": "runc",
            "iptables": "iptables",
            "conntrack": "conntrack",
            "/usr/lib/cni/bridge": "containernetworking-plugins",
        }.items():
            need(program, package)
        self._write_files()
        _let_pods_through("-I")
        self._run("etcd", *self._etcd())
        self._run("containerd", "containerd", "--config", str(self.folder / "containerd.toml"), found=True)
        self._run("kube-apiserver", *self._apiserver())
        self._await("the API server", self._api_is_ready)
        self._run("kube-controller-manager", *self._controllers())
        self._run("kube-scheduler", f"--kubeconfig={self.kubeconfig}", "--leader-elect=false", "--secure-port=0")
        self._await("containerd", self.socket.exists)
        self.load(PAUSE, command=("sleep", "infinity"))
        self._run("kubelet", *self._kubelet())
        self._run("kube-proxy", f"--config={self.folder}/proxy.json")
        self._await("the node", self._node_is_ready)

    def stop(self) -> None:
        """Containers first: what containerd has started outlives it."""
        for name, process in self._processes:
            if name.startswith("kube"):  # there is nothing that they would have to put away
                process.kill()
                process.wait()
        with suppress(subprocess.SubprocessError):
            self._end_containers()
        for _name, process in self._processes:
            _end(process)
        subprocess.run([str(self.programs / "kube-proxy"), "--cleanup"], check=False, capture_output=True)
        _let_pods_through("-D")
        subprocess.run(["ip", "link", "delete", BRIDGE], check=False, capture_output=True)
        for line in Path("/proc/mounts").read_text().splitlines()[::-1]:
            if (mount := line.split()[1]).startswith(f"{self.folder}/"):
                subprocess.run(["umount", "-l", mount], check=False, capture_output=True)

    def _end_containers(self) -> None:
        for task in self.ctr("task", "list", "-q").split():
            self.ctr("task", "kill", "-s", "SIGKILL", task, check=False)
        until = time.monotonic() + 10
        while self.ctr("task", "list", "-q").strip() and time.monotonic() < until:
            for task in self.ctr("task", "list", "-q").split():
                self.ctr("task", "delete", "-f", task, check=False)

    # --- Use ------------------------------------------------------------------------------------------------------

    def kubeconfig_for(self, namespace: str) -> Path:
        """One for commands that name no namespace."""
        content = self._kubeconfig()
        content["contexts"][0]["context"]["namespace"] = namespace
        path = self.folder / f"kubeconfig-{namespace}"
        _write(path, json.dumps(content))
        return path

    def load(self, name: str, layers: list[Path] | None = None, **options: Any) -> None:
        """Make an image of the base and these layers known to the node."""
        environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", **options.pop("environment", {})}
        archive = self.folder / "image.tar"
        images.write_image(archive, name, [images.base(), *(layers or [])], environment=environment, **options)
        self.ctr("images", "import", str(archive))
        archive.unlink()

    def ctr(self, *arguments: str, check: bool = True) -> str:
        command = ["ctr", "--address", str(self.socket), "--namespace", "k8s.io", *arguments]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        assert done.returncode == 0 or not check, done.stderr
        return done.stdout

    def log_of(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")[-3000:]

    # --- What its programs are started with -----------------------------------------------------------------------

    def _etcd(self) -> list[str]:
        here, peer = f"http://127.0.0.1:{self.etcd_port}", f"http://127.0.0.1:{self.etcd_peer_port}"
        return [
            *("--data-dir", str(self.folder / "etcd"), "--unsafe-no-fsync"),
            *("--listen-client-urls", here, "--advertise-client-urls", here),
            *(
                "--listen-peer-urls",
                peer,
                "--initial-advertise-peer-urls",
                peer,
                "--initial-cluster",
                f"default={peer}",
            ),
        ]

    def _apiserver(self) -> list[str]:
        key = self.folder / "accounts.pem"
        return [
            f"--etcd-servers=http://127.0.0.1:{self.etcd_port}",
            f"--secure-port={self.api_port}",
            f"--advertise-address={self.address}",
            f"--cert-dir={self.folder}/certificates",
            f"--service-cluster-ip-range={SERVICES}",
            f"--token-auth-file={self.folder}/tokens.csv",
            "--authorization-mode=RBAC",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-signing-key-file={key}",
            f"--service-account-key-file={key}",
            "--allow-privileged=true",
            "--kubelet-preferred-address-types=InternalIP",
            "--profiling=false",
        ]

    def _controllers(self) -> list[str]:
        return [
            f"--kubeconfig={self.kubeconfig}",
            f"--service-account-private-key-file={self.folder}/accounts.pem",
            f"--root-ca-file={self.folder}/certificates/apiserver.crt",
            "--leader-elect=false",
            "--secure-port=0",
        ]

    def _kubelet(self) -> list[str]:
        return [
            f"--config={self.folder}/kubelet.json",
            f"--kubeconfig={self.kubeconfig}",
            f"--root-dir={self.folder}/kubelet",
            f"--hostname-override={NODE}",
            f"--node-ip={self.address}",
        ]

    def _write_files(self) -> None:
        admin = f'{self.token},admin,admin,"system:masters"\n'
        _write(self.folder / "tokens.csv", admin)
        _write(self.folder / "accounts.pem", _private_key())
        _write(self.kubeconfig, json.dumps(self._kubeconfig()))
        _write(self.folder / "kubelet.json", json.dumps(self._kubelet_configuration()))
        _write(self.folder / "proxy.json", json.dumps(self._proxy_configuration()))
        _write(self.folder / "containerd.toml", self._containerd())
        network = self.folder / "cni"
        network.mkdir()
        _write(network / "10-parley.conflist", json.dumps(_network(self.folder)))

    def _kubeconfig(self) -> dict[str, Any]:
        cluster = {"server": self.url, "certificate-authority": f"{self.folder}/certificates/apiserver.crt"}
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": cluster}],
            "users": [{"name": "admin", "user": {"token": self.token}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "admin"}}],
            "current-context": "test",
        }

    def _kubelet_configuration(self) -> dict[str, Any]:
        return {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "address": "0.0.0.0",
            "port": free_port(),
            "healthzPort": 0,
            "readOnlyPort": 0,
            "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
            "authorization": {"mode": "AlwaysAllow"},
            "cgroupDriver": "cgroupfs",
            "cgroupsPerQOS": False,
            "enforceNodeAllocatable": [],
            "localStorageCapacityIsolation": False,
            "failSwapOn": False,
            "containerRuntimeEndpoint": f"unix://{self.socket}",
            "imageGCHighThresholdPercent": 100,
            "evictionHard": {"memory.available": "50Mi"},
            "nodeStatusUpdateFrequency": "5s",
            "syncFrequency": "5s",
            "resolvConf": "/etc/resolv.conf",
            "podLogsDir": str(self.folder / "pods"),
            "volumePluginDir": str(self.folder / "plugins"),
        }

    def _proxy_configuration(self) -> dict[str, Any]:
        return {
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "clientConnection": {"kubeconfig": str(self.kubeconfig)},
            "mode": "iptables",
            "hostnameOverride": NODE,
            "clusterCIDR": PODS,
            "iptables": {"masqueradeAll": True},  # answers come back this way, not straight over the bridge
            "conntrack": {"maxPerCore": 0, "min": 0},
            "healthzBindAddress": f"127.0.0.1:{free_port()}",
            "metricsBindAddress": f"127.0.0.1:{free_port()}",
        }

    def _containerd(self) -> str:
        return f"""
version = 2
root = "{self.folder}/containerd"
state = "{self.folder}/run"
[grpc]
  address = "{self.socket}"
[ttrpc]
  address = "{self.folder}/t.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE}"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{self.folder}/cni"
"""

    # --- Starting and waiting -------------------------------------------------------------------------------------

    def _run(self, name: str, *arguments: str, found: bool = False) -> None:
        program = [] if found else [str(self.programs / name)]
        # A test run that is killed takes its cluster with it.
        command = [sys.executable, "-I", child.__file__, "SIGKILL", "-", *program, *arguments]
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(command, cwd=self.folder, stdout=log, stderr=log, start_new_session=True)
        self._processes.append((name, process))

    def _await(self, what: str, is_there: Callable[[], bool]) -> None:
        until = time.monotonic() + START_SECONDS
        while not is_there():
            for name, process in self._processes:
                assert process.poll() is None, f"{name} ended: {self.log_of(name)}"
            assert time.monotonic() < until, f"{what} did not come up: {self.log_of(self._processes[-1][0])}"
            time.sleep(0.2)

    def _api_is_ready(self) -> bool:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with suppress(OSError), urllib.request.urlopen(f"{self.url}/readyz", timeout=3, context=context) as answer:
            return bool(answer.status == 200)
        return False

    def _node_is_ready(self) -> bool:
        conditions = [one for node in self.core.list_node().items for one in node.status.conditions or []]
        accounts = self.core.list_namespaced_service_account("default").items
        return bool(accounts) and any(one.type == "Ready" and one.status == "True" for one in conditions)


@contextmanager
def running() -> Iterator[Cluster]:
    folder = Path(tempfile.mkdtemp(prefix="parley-kubernetes-"))
    folder.chmod(0o755)
    cluster = Cluster(folder)
    try:
        cluster.start()
        cluster.load(IMAGE)
        yield cluster
    finally:
        cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _network(folder: Path) -> Mapping[str, Any]:
    bridge = {
        "type": "bridge",
        "bridge": BRIDGE,
        "isGateway": True,
        "hairpinMode": True,
        "ipam": {
            "type": "host-local",
            "dataDir": str(folder / "addresses"),
            "ranges": [[{"subnet": PODS}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }
    return {"cniVersion": "0.4.0", "name": "parley", "plugins": [bridge]}


def _let_pods_through(change: str) -> None:
    """A Docker of this machine forwards nothing but its own, also between two Pods."""
    for way in ("-i", "-o"):
        subprocess.run(
            ["iptables", "-w", change, "FORWARD", way, BRIDGE, "-j", "ACCEPT"], check=False, capture_output=True
        )


def _private_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    ).decode()


def _own_address() -> str:
    """Of this machine on its way out; a kubelet takes no loopback address."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        return str(probe.getsockname()[0])


def _write(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)


def _output(command: list[str]) -> str:
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def _end(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
