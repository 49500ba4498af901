"""A real Rasa for tests, made once per run and shared by all suites: import what you need in a conftest.

The runtime (2.7 GB) is kept outside the checkout: under PARLEY_RASA, else in the user's cache folder.
"""

import fcntl
import os
import secrets
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from studio.rasa.client import RasaClient, RasaError
from studio.rasa.commands import TOKEN_VARIABLE, free_port, run_arguments, train_arguments
from studio.rasa.files import credentials_yml
from studio.rasa.local import LocalProcesses
from studio.rasa.process import Handle, Spec
from studio.rasa.runtime import Progress, Runtime, Runtimes
from studio.rasa.signing import KeyPair, generate_key_pair, published_keys
from tests.rasa.servers import Reply, SmallServer

VERSION = "3.6.21"
OLDER = "3.6.20"  # its models do not load in the other; with uv's cache it takes a minute and 0.1 GB
STARTER = Path(__file__).resolve().parent.parent / "starter"
LOCALHOST = ("127.0.0.1", "localhost")


def runtime_folder() -> Path:
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(os.environ.get("PARLEY_RASA") or Path(cache) / "parley" / "rasa")


@pytest.fixture(scope="session")
def rasa_runtime() -> Runtime:
    """Rasa 3.6.21, installed when it is missing, with its progress on the terminal."""
    return _runtime(VERSION)


@pytest.fixture(scope="session")
def older_runtime(rasa_runtime: Runtime) -> Runtime:
    """Rasa 3.6.20, installed beside the other when it is missing."""
    return _runtime(OLDER)


def _runtime(version: str) -> Runtime:
    runtimes = Runtimes(runtime_folder(), os.environ.get("RASA_PYTHON") or None)
    found = runtimes.find(version)
    if found is not None:
        return found
    print(f"\nInstalling Rasa {version} under {runtimes.folder} (once)", file=sys.__stderr__, flush=True)
    return runtimes.install(version, _say_each_message_once())


def _say_each_message_once() -> Callable[[Progress], None]:
    said: set[str] = set()

    def report(progress: Progress) -> None:
        if progress.message not in said:
            said.add(progress.message)
            print(f"  {progress.message}", file=sys.__stderr__, flush=True)

    return report


@pytest.fixture(scope="session")
def rasa_processes(rasa_runtime: Runtime) -> LocalProcesses:
    return LocalProcesses(rasa_runtime.python, runtime_folder() / "home")


@pytest.fixture(scope="session")
def trained_model(
    rasa_processes: LocalProcesses, tmp_path_factory: pytest.TempPathFactory, worker_id_or_main: str
) -> Path:
    """The archive of the starter assistant, trained once per run also when several test processes share it."""
    base = tmp_path_factory.getbasetemp()
    shared = base if worker_id_or_main == "main" else base.parent
    archive = shared / "rasa-trained" / "starter.tar.gz"
    with _file_lock(shared / "rasa-trained.lock"):
        if not archive.exists():
            _train(rasa_processes, shared / "rasa-training", archive)
    return archive


@pytest.fixture(scope="session")
def worker_id_or_main() -> str:
    return os.environ.get("PYTEST_XDIST_WORKER", "main")


@contextmanager
def _file_lock(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _train(processes: LocalProcesses, folder: Path, archive: Path) -> None:
    shutil.copytree(STARTER, folder)
    arguments = train_arguments(
        config=folder / "config.yml",
        domain=folder / "domain.yml",
        data=[folder / "data"],
        out=folder / "out",
        model_name="starter",
    )
    handle = processes.start(Spec(arguments, folder, folder / "train.log"))
    status = wait_for_end(processes, handle, 1200)
    assert status.code == 0, (folder / "train.log").read_text()
    archive.parent.mkdir()
    shutil.move(folder / "out" / "starter.tar.gz", archive)


def wait_for_end(processes: LocalProcesses, handle: Handle, seconds: float):
    until = time.monotonic() + seconds
    while (status := processes.poll(handle)).running:
        if time.monotonic() > until:
            processes.stop(handle)
            raise AssertionError(processes.read_log(handle).text)
        time.sleep(0.1)
    return status


@dataclass
class RunningRasa:
    """A real server on this machine. `keys` is the pair whose public half it fetched."""

    client: RasaClient
    handle: Handle
    log: Path
    keys: KeyPair = field(repr=False)

    @property
    def url(self) -> str:
        return self.client.url

    @property
    def token(self) -> str:
        return self.client.token or ""


@contextmanager
def running_rasa(
    processes: LocalProcesses,
    folder: Path,
    *,
    endpoints: str | None = None,
    credentials: str | None = None,
    model: Path | None = None,
    keys: KeyPair | None = None,
    environment: dict[str, str] | None = None,
) -> Iterator[RunningRasa]:
    """Start a server, wait until it answers with our token, and end it afterwards."""
    folder.mkdir(parents=True, exist_ok=True)
    pair = keys or generate_key_pair()
    with publishing(pair) as channel_url:
        (folder / "endpoints.yml").write_text(endpoints or SQLITE_TRACKERS.format(folder=folder))
        (folder / "credentials.yml").write_text(credentials or credentials_yml(channel_url=channel_url))
        token, port = f"-{secrets.token_urlsafe(16)}", free_port()  # as one in 64 begins
        arguments = run_arguments(
            port=port, endpoints=folder / "endpoints.yml", credentials=folder / "credentials.yml", model=model
        )
        spec = Spec(arguments, folder, folder / "rasa.log", {TOKEN_VARIABLE: token, **(environment or {})})
        handle = processes.start(spec)
        server = RunningRasa(
            RasaClient(f"http://127.0.0.1:{port}", token, timeout=30, hosts=LOCALHOST), handle, spec.log, pair
        )
        try:
            _wait_until_it_answers(processes, server)
            yield server
        finally:
            processes.stop(handle)


@contextmanager
def publishing(keys: KeyPair) -> Iterator[str]:
    """Serve the public key as Parley does; gives the address for credentials.yml."""
    server = SmallServer()
    server.replies["/keys/version"] = Reply(body=published_keys(keys.public_pem))
    try:
        yield f"{server.url}/keys"
    finally:
        server.close()


def _wait_until_it_answers(processes: LocalProcesses, server: RunningRasa) -> None:
    until = time.monotonic() + 400
    while time.monotonic() < until and processes.poll(server.handle).running:
        try:
            if server.client.is_mine():
                return
        except RasaError:
            pass
        time.sleep(0.2)
    raise AssertionError(server.log.read_text())


@pytest.fixture(scope="session")
def rasa_server(
    rasa_processes: LocalProcesses, trained_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningRasa]:
    """A server with the trained model, the `rasa` channel and a token. Shared: leave its model alone."""
    with running_rasa(rasa_processes, tmp_path_factory.mktemp("rasa-server"), model=trained_model) as server:
        yield server


# What trains in seconds: no component learns from many examples.
SMALL = {
    "config.yml": b"recipe: default.v1\nlanguage: en\nassistant_id: small\n"
    b"pipeline:\n- name: KeywordIntentClassifier\npolicies:\n- name: RulePolicy\n",
    "domain.yml": b'version: "3.1"\nintents: [greet]\nresponses:\n  utter_greet:\n  - text: Hello\n',
    "data/nlu.yml": b'version: "3.1"\nnlu:\n- intent: greet\n  examples: |\n    - hi\n    - hello\n',
    "data/rules.yml": b'version: "3.1"\nrules:\n- rule: greet\n  steps:\n  - intent: greet\n  - action: utter_greet\n',
}


# Rasa's default, in memory, forgets what preceded a restart as soon as the conversation goes on.
SQLITE_TRACKERS = """\
tracker_store:
  type: sql
  dialect: sqlite
  db: {folder}/trackers.db
"""
