"""A Parley that is made of dictionaries: quick, and it breaks on request. The tests that it shares with the real one
keep it honest."""

import hashlib
import io
import json
import re
import sys
import threading
import time
import zipfile
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

Answer = tuple[int, Any, dict[str, str]]
P = "/api/projects/default"


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class Refused(Exception):
    def __init__(self, status: int, reason: str, message: str, **details: object) -> None:
        self.status, self.reason, self.message, self.details = status, reason, message, details


class Asked:
    def __init__(self, handler: BaseHTTPRequestHandler, cuts: list[int]) -> None:
        parts = urlsplit(handler.path)
        self.method, self.path, self.headers = handler.command, unquote(parts.path), handler.headers
        self.query = {key: values[0] for key, values in parse_qs(parts.query, keep_blank_values=True).items()}
        length = int(handler.headers.get("Content-Length") or 0)
        self.is_cut = self.method == "PATCH" and bool(cuts)
        self.body = handler.rfile.read(min(length, cuts.pop(0)) if self.is_cut else length)
        self.is_cut = self.is_cut or len(self.body) < length

    @property
    def json(self) -> Any:
        return json.loads(self.body or b"{}")


class FakeParley:
    token = "parley_fake.secret"

    def __init__(self) -> None:
        self.models: dict[str, bytes] = {}
        self.tags: dict[str, str] = {}
        self.revisions: list[tuple[str, dict[str, bytes]]] = []
        self.promotions: list[dict[str, Any]] = []
        self.jobs: list[dict[str, Any]] = []
        self.logs: dict[int, list[str]] = {}
        self.links: list[dict[str, Any]] = []
        self.said: list[str] = []
        self.replies: list[Any] = []
        self.exports: list[dict[str, Any]] = []
        self.is_quick = False  # what one waits for has happened by the next request
        self.export_is_large, self.export_polls = False, 0  # so many are answered before it is done
        self.servers: list[bool] = []
        self.clock = 0.0  # seconds that it is ahead
        self.trouble: list[Answer] = []  # answered before all else
        self.restarts_after, self.away = -1, 30  # so many requests it does not answer so many; never when negative
        self.uploads: dict[str, dict[str, Any]] = {}
        self.begun: dict[str, dict[str, Any]] = {}  # those that have become models too
        self.upload_cuts: list[int] = []  # of each next body of an upload
        self.busy = 0  # so many bodies of uploads are not taken
        self.loses_answer = False  # to the last part of an upload
        self.damages = False  # the last byte of an upload
        self.longest_body = sys.maxsize  # a proxy refuses longer ones
        self.cuts: list[int] = []  # of each next download, after how many bytes the connection breaks
        self.asked: list[str] = []
        self.sign_in: dict[str, Any] | None = None
        self.device_answers: list[dict[str, Any]] = []
        self._to_promote, self._end = "", ("", "", "")
        self._test: tuple[int, int] | None = None
        self.tests: list[dict[str, Any]] = []
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()

    # --- Steering, as worlds.World has it ---

    def archive(self, name: str) -> bytes:
        return name.encode() * 50_000

    def add_model(self, name: str) -> bytes:
        self.models[name] = self.archive(name)
        return self.models[name]

    def save(self, **files: str) -> int:
        changed = {f"{name.replace('__', '/')}.yml": text.encode() for name, text in files.items()}
        self.revisions.append(("somebody", {**self._newest(), **changed}))
        return len(self.revisions)

    def server(self, *, loads: bool = True) -> None:
        self.servers.append(loads)
        self.advance()

    def promotes(self, model: str) -> None:
        self._to_promote = model

    def training_ends(self, state: str, *, lines: str = "", model: str = "") -> None:
        self._end = (state, lines, model)

    def test_ends(self, correct: int, stories: int) -> None:
        self._test = (correct, stories)

    def advance(self) -> None:
        if self._to_promote:
            self.promote(self._to_promote, "production", "somebody")
            self._to_promote = ""
        for row in self.promotions if self.servers else []:
            if row["state"] == "switched":
                row["state"] = "running" if all(self.servers) else "failed"
        state, lines, model = self._end
        waiting = [job for job in self.jobs if job["state"] == "queued"]
        if not state and self._test and waiting:
            self._measure(waiting[0], *self._test)
        if state and waiting:
            if state == "done":
                self.models.setdefault(model, self.archive(model))
            waiting[0].update(state=state, model=model or None, is_ended=True, message=_ENDS[state])
            self.logs[waiting[0]["number"]] += lines.splitlines()
            self._end = ("", "", "")
            if state == "done" and waiting[0]["with_tests"]:
                self.add_job("test", tested=model)

    def _measure(self, job: dict[str, Any], correct: int, stories: int) -> None:
        job.update(state="done", is_ended=True)
        faults = [{"name": f"story {number}", "is_warning": False} for number in range(correct, stories)]
        self.tests.append({
            "number": job["number"], "model": job["tested"], "stories": stories, "stories_correct": correct,
            "stories_note": "", "accuracy": None, "nlu_note": "No examples.", "faults": faults,
        })  # fmt: skip
        self._test = None

    # --- Facts ---

    def add_job(self, kind: str, **facts: object) -> dict[str, Any]:
        number = len(self.jobs) + 1
        self.logs[number] = []
        job = {"number": number, "kind": kind, "state": "queued", "model": None, "is_ended": False, "message": ""}
        words = {"revision": len(self.revisions), "outlook": "starts at once", "state_text": "Waits"}
        self.jobs.append({**job, **words, "with_tests": False, "tested": None, **facts})
        return self.jobs[-1]

    def _newest(self) -> dict[str, bytes]:
        return self.revisions[-1][1] if self.revisions else {}

    def model_facts(self, name: str) -> dict[str, Any]:
        content = self.models[name]
        return {
            "model": name, "hash": sha256(content), "trained_at": 1740824430.5, "version": "3.6.21",
            "tags": sorted(tag for tag, model in self.tags.items() if model == name), "is_compatible": True,
            "size": len(content), "origin": "uploaded", "revision": None, "training": None,
            "created_at": time.time(), "created_by": "ada", "kept": None,
        }  # fmt: skip

    def data_facts(self, number: int | None) -> dict[str, Any]:
        number = number or len(self.revisions)
        if not number:
            return {"number": None, "message": "", "author": "", "created_at": None, "digest": "", "files": []}
        author, files = self.revisions[number - 1]
        rows = [{"path": path, "size": len(text), "sha256": sha256(text)} for path, text in sorted(files.items())]
        return {"number": number, "message": "", "author": author, "created_at": 1.0, "digest": "d", "files": rows}

    def promote(self, model: str, environment: str, actor: str) -> dict[str, Any]:
        live = self.tags.get(environment)
        if model == live:
            raise Refused(409, "AlreadyLive", f"{model} is live in {environment} already.")
        for row in self.promotions:
            if row["environment"] == environment and row["state"] == "switched":
                row["state"] = "superseded"
        self.tags[environment] = model
        number = len(self.promotions) + 1
        self.promotions.append({
            "project": "default", "environment": environment, "number": number, "state": "switched", "model": model,
            "hash": None, "from_model": live, "actor": actor, "reason": "", "requested_at": 1.0, "ended_at": None,
            "url": f"{P}/environments/{environment}/promotions/{number}",
        })  # fmt: skip
        return self.promotion_facts(self.promotions[-1])

    def promotion_facts(self, row: dict[str, Any]) -> dict[str, Any]:
        current = row is [one for one in self.promotions if one["environment"] == row["environment"]][-1]
        running = len(self.servers) if row["state"] == "running" else 0
        return {
            **row, "ended": row["state"] in ("running", "failed", "superseded"), "current": current,
            "message": row["state"].title(), "live": len(self.servers) if current else 0, "running": running,
            "transitions": [], "replicas": [],
        }  # fmt: skip

    # --- What it answers ---

    def answer(self, asked: Asked) -> Answer:
        if self.is_quick:
            self.advance()
        self.asked.append(f"{asked.method} {asked.path}")
        self.restarts_after -= 1
        if self.restarts_after == -1:
            self.trouble = [(503, b"<html>nginx</html>", {})] * self.away
        if self.trouble:
            return self.trouble.pop(0)
        if self.busy and asked.method == "PATCH":
            self.busy -= 1
            raise Refused(503, "Busy", "As many files are on their way as may be.")
        for method, pattern, operation in ROUTES:
            match = re.fullmatch(pattern, asked.path)
            if match and method == asked.method:
                if asked.path not in OPEN and asked.headers.get("Authorization") != f"Bearer {self.token}":
                    raise Refused(401, "NotAuthenticated", "Show a valid API token: Authorization: Bearer parley_…")
                return operation(self, asked, *match.groups())
        raise Refused(404, "NotFound", "The API has nothing at this address.")


_ENDS = {"done": "", "failed": "Rasa could not train it.", "cancelled": "Cancelled.", "lost": "The worker went silent."}
OPEN = {"/api/version", "/api/auth", "/api/sign-in-ways", "/readyz", "/sso/device", "/sso/token"}
Operation = Callable[..., Answer]
ROUTES: list[tuple[str, str, Operation]] = []


def route(method: str, pattern: str) -> Callable[[Operation], Operation]:
    def register(operation: Operation) -> Operation:
        ROUTES.append((method, pattern.replace("P/", f"{P}/"), operation))
        return operation

    return register


@route("GET", "/api/version")
def version(fake: FakeParley, asked: Asked) -> Answer:
    return 200, {"rasa": {}, "rasa-x": "0.1.0", "enterprise": True, "keys": []}, {}


@route("GET", "/readyz")
def readyz(fake: FakeParley, asked: Asked) -> Answer:
    return 200, {"status": "ok", "parts": {"database": {"status": "ok"}}}, {}


@route("GET", "/api/sign-in-ways")
def sign_in_ways(fake: FakeParley, asked: Asked) -> Answer:
    return 200, {"password": True, "single_sign_on": fake.sign_in}, {}


@route("POST", "/sso/(?:device|token)")
def single_sign_on(fake: FakeParley, asked: Asked) -> Answer:
    answer = dict(fake.device_answers.pop(0))
    return answer.pop("status", 400 if "error" in answer else 200), answer, {}


@route("POST", "/api/auth")
def auth(fake: FakeParley, asked: Asked) -> Answer:
    if asked.json != {"username": "ada", "password": "correct-horse-battery"}:
        raise Refused(401, "NotAuthenticated", "The user name or the password is wrong.")
    return 200, {"access_token": fake.token}, {}


@route("GET", "/api/user")
def user(fake: FakeParley, asked: Asked) -> Answer:
    token = {"name": "cli", "key": "k", "project": None, "environment": None, "permissions": [], "created_at": 1.0}
    facts = {"username": "ada", "name": "", "email": "", "kind": "person", "roles": ["admin"], "grants": []}
    return 200, {**facts, "token": {**token, "expires_at": None}}, {}


@route("GET", "/api/projects/([^/]+)")
def project(fake: FakeParley, asked: Asked, name: str) -> Answer:
    if name != "default":
        raise Refused(404, "NotFound", "No Assistant matches the given query.")
    return 200, {"name": name, "title": "Café", "created_at": 1.0}, {}


@route("GET", "P/models")
def models(fake: FakeParley, asked: Asked) -> Answer:
    tag, name = asked.query.get("tag"), asked.query.get("name", "")
    rows = [fake.model_facts(one) for one in reversed(fake.models) if name in one]
    rows = [row for row in rows if tag is None or tag in row["tags"]]
    limit, start = int(asked.query["limit"]), int(asked.query.get("cursor", 0))
    more = {"X-Next-Cursor": str(start + limit)} if len(rows) > start + limit else {}
    return 200, rows[start : start + limit], more


@route("GET", "P/models/([^/]+)/about")
def about(fake: FakeParley, asked: Asked, name: str) -> Answer:
    _known(fake, name)
    return 200, {**fake.model_facts(name), "warnings": []}, {}


def _known(fake: FakeParley, name: str) -> bytes:
    if name not in fake.models:
        raise Refused(404, "NotFound", "No Model matches the given query.")
    return fake.models[name]


@route("POST", "P/uploads")
def begin_upload(fake: FakeParley, asked: Asked) -> Answer:
    for upload in fake.uploads.values():
        if upload["key"] == asked.json["key"]:
            return 201, _upload(fake, upload), {}
    number = str(len(fake.begun) + 1)
    fake.uploads[number] = {**asked.json, "id": number, "url": f"{P}/uploads/{number}", "content": b""}
    fake.begun[number] = fake.uploads[number]
    return 201, _upload(fake, fake.uploads[number]), {}


def _upload(fake: FakeParley, upload: dict[str, Any]) -> dict[str, Any]:
    facts = {key: value for key, value in upload.items() if key != "content"}
    return facts | {"offset": upload["size"] if _has_become(fake, upload) else len(upload["content"])}


def _has_become(fake: FakeParley, upload: dict[str, Any]) -> bool:
    return len(fake.models.get(upload["name"].removesuffix(".tar.gz"), b"")) == upload["size"]


@route("GET", r"P/uploads/(\d+)")
def get_upload(fake: FakeParley, asked: Asked, number: str) -> Answer:
    if number not in fake.begun:
        raise Refused(404, "NotFound", "There is no such upload of yours.")
    return 200, _upload(fake, fake.begun[number]), {}


@route("PATCH", r"P/uploads/(\d+)")
def go_on(fake: FakeParley, asked: Asked, number: str) -> Answer:
    if len(asked.body) > fake.longest_body:
        return 413, b"<html>Request Entity Too Large</html>", {}
    upload = fake.begun[number]
    name = upload["name"].removesuffix(".tar.gz")
    if int(asked.headers["Upload-Offset"]) == upload["size"] and _has_become(fake, upload):
        return 200, {**fake.model_facts(name), "warnings": []}, {}
    if int(asked.headers["Upload-Offset"]) != len(upload["content"]):
        raise Refused(409, "Offset", "Another number of bytes has arrived.", offset=len(upload["content"]))
    upload["content"] += asked.body
    if asked.is_cut:
        raise ConnectionAbortedError
    if len(upload["content"]) < upload["size"]:
        return 200, _upload(fake, upload), {}
    fake.models[name] = fake.uploads.pop(number)["content"]
    if fake.damages:
        fake.models[name] = fake.models[name][:-1] + b"x"
    if fake.loses_answer:
        raise ConnectionAbortedError
    return 201, {**fake.model_facts(name), "warnings": []}, {}


@route("DELETE", r"P/uploads/(\d+)")
def give_up(fake: FakeParley, asked: Asked, number: str) -> Answer:
    fake.uploads.pop(number, None)
    del fake.begun[number]
    return 204, None, {}


@route("DELETE", "P/models/([^/]+)")
def delete_model(fake: FakeParley, asked: Asked, name: str) -> Answer:
    _known(fake, name)
    del fake.models[name]
    return 204, None, {}


@route("HEAD", "P/models/([^/]+)")
@route("GET", "P/models/([^/]+)")
def get_model(fake: FakeParley, asked: Asked, name: str) -> Answer:
    content = _known(fake, name)
    headers = {"ETag": f'"{sha256(content)}"', "Content-Type": "application/gzip"}
    found = re.fullmatch(r"bytes=(\d+)-", asked.headers.get("Range", ""))
    if found and asked.headers.get("If-Range") == headers["ETag"]:
        return 206, content[int(found[1]) :], headers
    return 200, content, headers


@route("GET", "P/tags")
def list_tags(fake: FakeParley, asked: Asked) -> Answer:
    rows = [
        {"tag": tag, "kind": "free", "model": model, "hash": None, "moved_at": 1.0}
        for tag, model in sorted(fake.tags.items())
    ]
    return 200, rows, {}


@route("PUT", "P/models/([^/]+)/tags/([^/]+)")
def put_tag(fake: FakeParley, asked: Asked, name: str, tag: str) -> Answer:
    _known(fake, name)
    if "expected_current" in asked.json and asked.json["expected_current"] != fake.tags.get(tag):
        raise Refused(409, "Stale", f"{tag} points at {fake.tags.get(tag)} by now.")
    fake.tags[tag] = name
    return 204, None, {}


@route("DELETE", "P/models/([^/]+)/tags/([^/]+)")
def delete_tag(fake: FakeParley, asked: Asked, name: str, tag: str) -> Answer:
    if asked.query.get("expected_current", name) != name:
        raise Refused(409, "Stale", f"{tag} points at {fake.tags.get(tag)} by now.")
    if fake.tags.get(tag) != name:
        raise Refused(404, "NotFound", f"{name} has no tag {tag}.")
    del fake.tags[tag]
    return 204, None, {}


ENVIRONMENT = "P/environments/(production|worker)"


@route("POST", f"{ENVIRONMENT}/promotions")
def promote(fake: FakeParley, asked: Asked, environment: str) -> Answer:
    wanted = asked.json
    _expect(fake, asked, environment)
    if wanted["model"] not in fake.models:
        raise Refused(422, "NoModel", f"There is no model {wanted['model']}, or you may not see it.")
    return 201, fake.promote(wanted["model"], environment, "ada"), {}


def _expect(fake: FakeParley, asked: Asked, environment: str) -> None:
    live = fake.tags.get(environment)
    if asked.json.get("expected_current", live) != live:
        raise Refused(409, "Stale", f"{live} is live by now.")


@route("GET", f"{ENVIRONMENT}/promotions")
def promotions(fake: FakeParley, asked: Asked, environment: str) -> Answer:
    rows = [fake.promotion_facts(row) for row in reversed(fake.promotions) if row["environment"] == environment]
    return 200, rows[: int(asked.query["limit"])], {}


@route("GET", rf"{ENVIRONMENT}/promotions/(\d+)")
def promotion(fake: FakeParley, asked: Asked, environment: str, number: str) -> Answer:
    return 200, fake.promotion_facts(fake.promotions[int(number) - 1]), {}


@route("POST", f"{ENVIRONMENT}/rollback")
def rollback(fake: FakeParley, asked: Asked, environment: str) -> Answer:
    mine = [row for row in fake.promotions if row["environment"] == environment]
    _expect(fake, asked, environment)
    others = [row["model"] for row in mine if row["state"] == "running" and row["model"] != fake.tags.get(environment)]
    if not others:
        raise Refused(409, "NothingRan", "No other model has run in production yet, or those that did are deleted.")
    return 201, fake.promote(others[-1], environment, "ada"), {}


@route("GET", "(?:/api|/api/projects/default)/status")
def status(fake: FakeParley, asked: Asked) -> Answer:
    live = fake.tags.get("production")
    last = fake.promotions[-1]["state"] if fake.promotions else ""
    running = len(fake.servers) if last == "running" else 0
    word = {"running": "running", "failed": "failed"}.get(last, "silent")
    model = {**fake.model_facts(live)} if live else None
    row = {
        "project": "default", "environment": "production", "kind": "unset", "protected": True, "model": model,
        "status": word, "message": word.title(), "live": len(fake.servers), "running": running, "promotion": None,
        "replicas": [], "health": word, "health_message": word.title(),
    }  # fmt: skip
    worker = {**row, "environment": "worker", "model": None, "live": 0, "running": 0}
    return 200, [row, {**worker, **dict.fromkeys(("status", "health"), "silent")}], {}


@route("GET", "P/environments/production/checks")
def checks(fake: FakeParley, asked: Asked) -> Answer:
    one = {"status": "failed", "word": "Bad", "message": "No server answers.", "mend": "Start it.", "line": "rasa run"}
    return 200, {"good": False, "checks": [{**one, "at": None}]}, {}


@route("GET", "P/environments/production/connection")
def connection(fake: FakeParley, asked: Asked) -> Answer:
    return 200, {"endpoints_yml": f"models:\n  url: {fake.url}/models\n"}, {}


@route("GET", "P/data")
def data(fake: FakeParley, asked: Asked) -> Answer:
    return 200, fake.data_facts(int(asked.query.get("revision", 0))), {}


@route("GET", "P/data/archive")
def archive(fake: FakeParley, asked: Asked) -> Answer:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as packed:
        for path, text in fake.revisions[int(asked.query["revision"]) - 1][1].items():
            packed.writestr(f"top/{path}", text)
    return 200, buffer.getvalue(), {"Content-Type": "application/zip"}


@route("POST", "P/data/archive")
def save(fake: FakeParley, asked: Asked) -> Answer:
    with zipfile.ZipFile(io.BytesIO(asked.body)) as packed:
        files = {name.partition("/")[2]: packed.read(name) for name in packed.namelist()}
    base_number, newest = int(asked.query.get("base", 0)), len(fake.revisions)
    base = fake.revisions[base_number - 1][1] if base_number else {}
    edits = {path: files.get(path) for path in files.keys() | base.keys() if files.get(path) != base.get(path)}
    seen = fake._newest()
    if asked.query["dry_run"] == "true":
        problems = [
            {"severity": "error", "message": "no YAML", "path": path, "line": 1}
            for path, text in files.items()
            if text.startswith(b"{")
        ]
        return 200, {
            "newest": newest or None, "missing": [], "problems": problems,
            "added": sorted(path for path, text in edits.items() if text is not None and path not in seen),
            "changed": sorted(path for path in edits.keys() & seen.keys() if edits[path] not in (None, seen[path])),
            "removed": sorted(path for path in edits.keys() & seen.keys() if edits[path] is None),
        }, {}  # fmt: skip
    both = {path for path in edits if seen.get(path) != base.get(path)}
    if base_number != newest and (both or asked.query["merge"] == "false"):
        raise Refused(409, "NewerRevision", f"somebody saved revision {newest} meanwhile.", newest=newest)
    after = {path: text for path, text in {**seen, **edits}.items() if text is not None}
    fake.revisions.append(("ada", after))
    beneath = newest if base_number != newest else None
    return 201, {**fake.data_facts(None), "changed": True, "on_top_of": beneath}, {}


@route("POST", "P/training")
def train(fake: FakeParley, asked: Asked) -> Answer:
    done = [job["model"] for job in fake.jobs if job["state"] == "done" and job["kind"] == "training"]
    if done and not asked.json["force"]:
        raise Refused(409, "TrainedAlready", "This model exists already.", model=done[-1], job=None)
    return 202, fake.add_job("training", with_tests=asked.json["with_tests"]), {}


@route("GET", "P/models/([^/]+)/tests")
def tests_of(fake: FakeParley, asked: Asked, model: str) -> Answer:
    rows = [row for row in reversed(fake.tests) if row["model"] == model]
    return 200, rows[: int(asked.query["limit"])], {}


@route("POST", "P/models/([^/]+)/tests")
def test_model(fake: FakeParley, asked: Asked, model: str) -> Answer:
    for job in fake.jobs:
        if job["tested"] == model and not job["is_ended"]:
            raise Refused(409, "UnderWay", f"Test {job['number']} of this model is under way.", job=job["number"])
    return 202, fake.add_job("test", tested=model), {}


@route("GET", r"P/training/(\d+)/tests")
def tests_of_training(fake: FakeParley, asked: Asked, number: str) -> Answer:
    return 200, [row for row in fake.tests if row["number"] == int(number)], {}


@route("GET", r"P/training/(\d+)")
def training(fake: FakeParley, asked: Asked, number: str) -> Answer:
    if int(number) > len(fake.jobs):
        raise Refused(404, "NotFound", "No TrainingJob matches the given query.")
    return 200, fake.jobs[int(number) - 1], {}


@route("POST", r"P/training/(\d+)/cancel")
def cancel(fake: FakeParley, asked: Asked, number: str) -> Answer:
    job = fake.jobs[int(number) - 1]
    job.update(state="cancelled", is_ended=True, message="Cancelled.")
    return 202, job, {}


@route("GET", r"P/training/(\d+)/log")
def log(fake: FakeParley, asked: Asked, number: str) -> Answer:
    job, lines = fake.jobs[int(number) - 1], fake.logs[int(number)]
    start = int(asked.query.get("after", "0.0").partition(".")[2])
    rows = [{"number": at + 1, "text": lines[at]} for at in range(start, len(lines))]
    return 200, {"lines": rows, "next": f"0.{len(lines)}", "is_ended": job["is_ended"], "state": job["state"]}, {}


@route("POST", "P/chat")
def chat(fake: FakeParley, asked: Asked) -> Answer:
    fake.said.append(asked.json["message"])
    reply = fake.replies.pop(0)
    if isinstance(reply, Refused):
        raise reply
    return 200, reply, {"X-Conversation-Id": "chat-1"}


@route("GET", "P/share")
def links(fake: FakeParley, asked: Asked) -> Answer:
    return 200, list(reversed(fake.links)), {}


@route("POST", "P/share")
def share(fake: FakeParley, asked: Asked) -> Answer:
    number = len(fake.links) + 1
    link = {"number": number, "state": "open", "wrote": 0, "created_at": 1.0, "address": f"{fake.url}/s/{number}"}
    fake.links.append({"model": None, "environment": None, "expires_at": None, **asked.json, **link})
    return 201, fake.links[-1], {}


@route("DELETE", r"P/share/(\d+)")
def revoke(fake: FakeParley, asked: Asked, number: str) -> Answer:
    fake.links[int(number) - 1].update(state="revoked", address="")
    return 204, None, {}


@route("GET", "P/conversations/export")
def export(fake: FakeParley, asked: Asked) -> Answer:
    if unknown := asked.query.keys() - {"format", "environment"}:
        raise Refused(422, "UnknownFilter", f"There is no filter called {unknown.pop()}.")
    run = {"number": 7, "state": "waiting", "total": 2, "done": 0, "message": "", "file": None}
    if fake.export_is_large:
        return 202, run, {}
    return 200, b'{"sender_id": "one"}\n', {"Content-Type": "application/x-ndjson"}


@route("GET", "P/exports/7")
def export_run(fake: FakeParley, asked: Asked) -> Answer:
    fake.export_polls -= 1
    if fake.export_polls >= 0:
        return 200, {"number": 7, "state": "running", "total": 2, "done": 1, "message": "", "file": None}, {}
    return 200, {"number": 7, "state": "done", "total": 2, "done": 2, "message": "", "file": f"{P}/exports/7/file"}, {}


@route("DELETE", "P/exports/7")
def cancel_export(fake: FakeParley, asked: Asked) -> Answer:
    fake.export_is_large = False
    return 204, None, {}


@route("GET", "P/exports/7/file")
def export_file(fake: FakeParley, asked: Asked) -> Answer:
    return 200, b'{"sender_id": "many"}\n' * 2, {"Content-Type": "application/x-ndjson"}


def _handler(fake: FakeParley) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            asked = Asked(self, fake.upload_cuts)
            try:
                status, body, headers = fake.answer(asked)
            except ConnectionAbortedError:
                self.close_connection = True
                return
            except Refused as refused:
                status, headers = refused.status, {}
                body = {
                    "version": "0.1.0", "status": "failure", "message": refused.message, "reason": refused.reason,
                    "details": refused.details, "help": None, "code": refused.status,
                }  # fmt: skip
            content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
            self.send_response_only(status)
            self.send_header("Date", self.date_time_string(int(time.time() + fake.clock)))
            for name, value in {"X-Request-Id": "req-1", "Content-Type": "application/json", **headers}.items():
                self.send_header(name, value)
            if status != 204:
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command == "HEAD":
                return
            if fake.cuts and status in (200, 206) and headers.get("ETag"):
                self.wfile.write(content[: fake.cuts.pop(0)])
                self.close_connection = True
                return
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = _answer  # noqa: N815

        def log_message(self, *words: object) -> None: ...

    return Handler
