"""Every process is replaced, one after the other, while people, servers and a broker go on: nothing of it is lost.

Beside each other run 4 processes of the web behind nginx, 2 workers of each kind, 3 ingests, 2 schedules, 2 controllers.
"""

import os
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest
import requests

from conversations.ingest.kafka_settings import KafkaSettings
from tests.conversations.events import raw, small_talk
from tests.models_app.archives import model_archive
from tests.models_app.test_upload_live import large_archive
from tests.stack.kafka import Kafka
from tests.stack.programs import free_port, need
from tests.stack.training_house import House
from tests.stack.training_house import house as a_house

pytestmark = [pytest.mark.stack, pytest.mark.faults]

MB = 1024 * 1024
WEBS, INGESTS = 2, 3
NGINX = """
daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log; {user}
events {{ worker_connections 256; }}
http {{
  access_log off; client_max_body_size 0; client_body_temp_path {folder}/a; proxy_temp_path {folder}/b;
  fastcgi_temp_path {folder}/c; uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
  upstream web {{ {servers} }}
  server {{
    listen 127.0.0.1:{port};
    location / {{ proxy_pass http://web; proxy_request_buffering off; proxy_set_header Host $http_host; }}
  }}
}}
"""
INSTALL = """
import io
from environments.models import Environment
from environments.services.promotion import promote
from models_app.models import Assistant
from models_app.services.models import add_model
from studio.access.models import Role
from studio.access.services.api_sign_in import token_for
from studio.access.services.grants import grant
from studio.access.services.people import create_person
from studio.access.services.roles import ensure_default_roles
from studio.crypto import decrypt

ensure_default_roles()
person = create_person(actor=None, username="anna", password=None)
grant(actor=None, person=person, role=Role.objects.get(name="admin"))
assistant = Assistant.objects.get(slug="default")
with open({archive!r}, "rb") as file:
    model = add_model(actor=None, assistant=assistant, source=file, file_name="first.tar.gz", origin="uploaded").model
production = Environment.objects.get(assistant=assistant, name="production")
promote(actor=person, environment=production, model=model)
print("token", token_for(person))
print("pull", decrypt(production.model_token_encrypted))
print("etag", model.etag)
"""


class Town:
    """A house with a web of several processes behind nginx."""

    def __init__(self, house: House, folder: Path) -> None:
        self.house, self.stage = house, house.stage
        self.ports = [free_port() for _ in range(WEBS)]
        self.port = free_port()
        servers = " ".join(f"server 127.0.0.1:{port} max_fails=0;" for port in self.ports)
        user = "user root;" if os.geteuid() == 0 else ""
        (folder / "nginx.conf").write_text(NGINX.format(folder=folder, servers=servers, port=self.port, user=user))
        self.nginx = subprocess.Popen(["nginx", "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")])

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def web(self, number: int) -> subprocess.Popen[bytes]:
        bind = f"127.0.0.1:{self.ports[number]}"
        program = ("-m", "gunicorn", "--config", "studio/gunicorn_conf.py", "--bind", bind, "studio.wsgi:application")
        process = self.stage.ingest(*program, PARLEY_WEB_WORKERS="2", PARLEY_WEB_GRACE="40")
        self.stage.eventually(lambda: _answers(f"http://{bind}/healthz"))
        return process

    def starts(self) -> list[Callable[[], subprocess.Popen[bytes]]]:
        """How each process is started; all of them are to run beside each other."""
        kinds = [
            ("worker", "training"),
            ("worker", "running"),
            ("worker", "background"),
            ("schedule",),
            ("controller",),
        ]
        commands = [*kinds, *kinds, *[("ingest",)] * INGESTS]
        return [
            *(partial(self.web, number) for number in range(WEBS)),
            *(partial(self.stage.ingest, "manage.py", *command) for command in commands),
        ]


def _answers(address: str) -> bool:
    try:
        return requests.get(address, timeout=2).status_code == 200
    except requests.RequestException:
        return False


@dataclass
class Load:
    """Threads that ask until they are told to stop, and note what was not answered as it should be."""

    address: str
    token: str
    pull: str
    etag: str
    answers: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> "Load":
        work = [self.poll, self.poll, self.read, self.read, self.write, self.upload, self.download]
        self.threads = [threading.Thread(target=self._repeat, args=[one], daemon=True) for one in work]
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.over.set()
        for thread in self.threads:
            thread.join(60)

    def _repeat(self, act: Callable[[], str]) -> None:
        while not self.over.is_set():
            name = act.__name__
            try:
                problem = act()
            except requests.RequestException as error:
                problem = repr(error)
            self.answers[name] += 1
            if problem:
                self.wrong.append(f"{name}: {problem}")

    def poll(self) -> str:
        """As a Rasa server does, some fifty times as often."""
        address = f"{self.address}/api/projects/default/models/tags/production"
        seen = requests.get(address, params={"token": self.pull}, headers={"If-None-Match": self.etag}, timeout=30)
        time.sleep(0.1)
        return "" if seen.status_code == 304 else f"{seen.status_code} {seen.text[:200]}"

    def read(self) -> str:
        seen = self._send("GET", "models")
        time.sleep(0.1)
        return "" if seen.status_code == 200 else f"{seen.status_code} {seen.text[:200]}"

    def write(self) -> str:
        """A tag moves: what was answered must be so afterwards."""
        name = f"tag-{uuid4().hex[:12]}"
        seen = self._send("PUT", f"models/first/tags/{name}")
        time.sleep(0.05)
        return "" if seen.status_code in (200, 201, 204) else f"{seen.status_code} {seen.text[:200]}"

    def upload(self) -> str:
        """For three seconds, so that it lies across the end of a process."""
        name, content = f"up-{uuid4().hex[:8]}", model_archive(model_id=uuid4().hex)
        pieces = [content[at : at + len(content) // 30 + 1] for at in range(0, len(content), len(content) // 30 + 1)]
        seen = self._send("PUT", f"models/{name}", data=_slowly(pieces), headers={"Content-Type": "application/gzip"})
        return "" if seen.status_code == 201 else f"{seen.status_code} {seen.text[:200]}"

    def download(self) -> str:
        began, size = time.monotonic(), 0
        with self._send("GET", "models/first", stream=True) as seen:
            for piece in seen.iter_content(MB):
                size += len(piece)
                time.sleep(0.1)
            whole = int(seen.headers["Content-Length"])
        return "" if size == whole else f"{size} of {whole} bytes after {time.monotonic() - began:.1f} s"

    def _send(
        self, method: str, path: str, headers: dict[str, str] | None = None, **options: object
    ) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.token}", **(headers or {})}
        return requests.request(
            method, f"{self.address}/api/projects/default/{path}", headers=headers, timeout=30, **options
        )


def _slowly(pieces: list[bytes]) -> Iterator[bytes]:
    for piece in pieces:
        yield piece
        time.sleep(0.1)


class Speaking:
    """Publishes conversations until it is told to stop."""

    def __init__(self, kafka: Kafka, topic: str) -> None:
        self.kafka, self.topic, self.spoken = kafka, topic, 0
        self.over = threading.Event()

    def __enter__(self) -> "Speaking":
        self.thread = threading.Thread(target=self._speak, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.over.set()
        self.thread.join(60)

    def _speak(self) -> None:
        while not self.over.is_set():
            talks = [raw(*small_talk(1_790_000_000.0 + self.spoken, f"guest-{self.spoken + at}")) for at in range(10)]
            self.kafka.publish(self.topic, [event for talk in talks for event in talk])
            self.spoken += len(talks)
            time.sleep(1)


@pytest.fixture
def town(kafka: Kafka, tmp_path: Path) -> Iterator[Town]:
    need("nginx", "nginx")
    tmp_path.chmod(0o755)
    with a_house(tmp_path) as house:
        made = Town(house, tmp_path)
        try:
            yield made
        finally:
            made.nginx.terminate()
            made.nginx.wait(10)


def test_nothing_is_lost_while_every_process_is_replaced(town: Town, kafka: Kafka, tmp_path: Path) -> None:
    topic = f"rasa-{uuid4().hex[:8]}"
    kafka.make_topic(topic)
    town.stage.add_source(KafkaSettings(servers=(kafka.servers,), topics=(topic,)))
    archive = tmp_path / "first.tar.gz"
    archive.write_bytes(large_archive(20 * MB))
    said = town.stage.manage("shell", "-v0", "-c", INSTALL.format(archive=str(archive)))
    facts = dict(line.split(" ", 1) for line in said.splitlines() if " " in line)
    running = [(start, start()) for start in town.starts()]
    (job,) = town.house.ask()
    town.house.await_training(job)
    beating = len(running) - WEBS  # a process that was told to stop before it can listen is not what is asked here
    town.stage.eventually(lambda: town.stage.one("SELECT count(*) FROM jobs_heartbeat") >= beating)
    with Speaking(kafka, topic) as speaking, Load(town.address, facts["token"], facts["pull"], facts["etag"]) as load:
        time.sleep(5)
        for start, process in running:
            process.terminate()
            assert process.wait(120) == 0
            start()
        time.sleep(5)
    assert load.wrong == []
    assert not any(thread.is_alive() for thread in load.threads)
    assert load.answers.keys() == {"poll", "read", "write", "upload", "download"}
    assert min(load.answers.values()) >= 3
    town.stage.has(8 * speaking.spoken)
    town.stage.is_right()
    assert town.stage.one("SELECT count(*) FROM models_app_tag WHERE name LIKE 'tag-%%'") == load.answers["write"]
    town.stage.eventually(lambda: town.house.is_in(job, "training"))
    attempt = town.house.job(job)["attempt"]
    assert attempt in (2, 3)  # given back once or twice, as the workers took it
    town.house.open()
    town.house.ends_well(job, attempts=attempt)
