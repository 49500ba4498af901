"""Every line of docs/api.md, asked of a Parley by curl in one shell, from the top of the page to its end; and that of
docs/api-tokens.md."""

import os
import re
import subprocess
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import pytest
from django.db import connection, transaction
from django.db.models import Model
from django.utils import timezone

from conversations.models import ErasureRun, RetentionRule, ShareLink
from environments.services import pointers, polls, transitions
from environments.services.promotion import promote
from environments.services.transitions import State
from models_app.models import Assistant
from models_app.models import Model as TrainedModel
from models_app.services.revisions import save_revision
from models_app.services.tags import set_tag
from studio.access.models import Role, User
from studio.access.permissions import EVERYWHERE, Permission
from studio.access.services import tokens
from studio.access.services.grants import grant
from studio.access.services.people import create_person
from studio.access.services.roles import ensure_default_roles
from tests.conversations.events import small_talk
from tests.conversations.fake_channel import Channel
from tests.docs.pages import block_of, blocks
from tests.factories import PASSWORD, environment_of, make_assistant, make_model, store_events
from tests.models_app.archives import model_archive
from tests.rasa.servers import SmallServer

PAGE = "docs/api.md"
pytestmark = [pytest.mark.stack, pytest.mark.django_db(transaction=True)]
CURL = """#!/bin/sh
exec "$REAL_CURL" --no-progress-meter --max-time 60 --write-out '%{stderr}%{http_code} %{method} %{url_effective}\\n' "$@" 2>>"$LOG"
"""
SETS = re.compile(r"^(?:TOKEN=|[A-Z]=|api\(\))")  # what later sections of the page count on


class Asked(NamedTuple):
    code: int
    what: str  # method and path, without the query


@pytest.fixture
def shell(live_server, redis_client, tmp_path: Path):
    """Runs lines as somebody types them who is signed in; gives what was asked and answered."""
    folder, log = tmp_path / "bin", tmp_path / "log"
    folder.mkdir()
    (folder / "curl").write_text(CURL)
    (folder / "curl").chmod(0o755)
    real = subprocess.run(["bash", "-c", "command -v curl"], capture_output=True, text=True, check=True).stdout.strip()
    environment = {
        "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}",
        "REAL_CURL": real,
        "LOG": str(log),
        "PARLEY_URL": str(live_server),
        "PARLEY_PASSWORD": PASSWORD,
    }

    def run(lines: str) -> list[Asked]:
        log.write_text("")
        ended = subprocess.run(
            ["bash", "-e", "-c", lines], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120
        )
        assert ended.returncode == 0, f"{lines}{ended.stdout}{ended.stderr}"
        return [_asked(line, str(live_server)) for line in log.read_text().splitlines()]

    return run


def _asked(line: str, url: str) -> Asked:
    code, method, address = line.split(" ", 2)
    return Asked(int(code), f"{method} {address.removeprefix(url).partition('?')[0]}")


@pytest.fixture
def house(transactional_db, redis_client, tmp_path: Path) -> Iterator[Assistant]:
    """What the page speaks of: two assistants with models, data and conversations, and a server of production."""
    pointers.breaker.until = 0.0
    polls._written.clear()
    admin = create_person(actor=None, username="admin", password=PASSWORD)
    ensure_default_roles()
    grant(actor=None, person=admin, role=Role.objects.get(name="admin"), scope=EVERYWHERE)
    default, cafe = make_assistant("default"), make_assistant("cafe")
    for name in ("calm-otter", "brave-heron"):
        make_model(default, name)
    for assistant in (default, cafe):
        files = {"domain.yml": b"{}\n", "data/old.yml": b"nlu: []\n"}
        save_revision(actor=admin, assistant=assistant, files=files, message="", parent_number=None)
        store_events(environment_of(assistant), *small_talk(1_790_000_000.25))
    store_events(environment_of(cafe), *small_talk(sender="bert"), under="staging")
    store_events(environment_of(cafe), b"no JSON")
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "brisk-otter.tar.gz").write_bytes(model_archive(model_id="brisk-otter"))
    servers = [SmallServer(), SmallServer()]
    for server, assistant in zip(servers, (default, cafe), strict=True):
        Channel(server).connect(environment_of(assistant))
    yield default
    for server in servers:
        server.close()


def _numbers(model: type[Model], number: int) -> None:
    """The next row of it gets the number that the page has."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT setval(pg_get_serial_sequence(%s, 'id'), %s, false)", [model._meta.db_table, number])


def _model(assistant: Assistant, name: str) -> TrainedModel:
    return TrainedModel.objects.get(assistant=assistant, name=name)


def _before_promotions(default: Assistant) -> dict[str, str]:
    for name in ("brave-heron", "calm-otter", "brave-heron"):
        ran = promote(actor=None, environment=environment_of(default), model=_model(default, name))
        with transaction.atomic():
            transitions.add(ran, State.RUNNING, timezone.now())
    return {"/promotions/7": f"/promotions/{environment_of(default).promotions.count() + 1}"}


def _before_tags(default: Assistant) -> dict[str, str]:
    set_tag(actor=None, model=_model(default, "calm-otter"), name="baseline")
    return {}


def _before_upload(_default: Assistant) -> dict[str, str]:
    content = model_archive(model_id="brisk-otter")
    return {
        "25165824": str(len(content)),
        '"sha256": "…"': f'"sha256": "{sha256(content).hexdigest()}"',
        "+8388609": "+1",
        "Upload-Offset: 8388608": "Upload-Offset: 0",
    }


def _before_deletions(_default: Assistant) -> dict[str, str]:
    _numbers(ErasureRun, 3)
    _numbers(RetentionRule, 2)
    return {}


def _before_sharing(_default: Assistant) -> dict[str, str]:
    _numbers(ShareLink, 7)
    return {}


def _before_tokens(_default: Assistant) -> dict[str, str]:
    return {"$KEY": _token().removeprefix("parley_").partition(".")[0]}


def _token() -> str:
    admin = User.objects.get(username="admin")
    return tokens.make(
        actor=admin, user=admin, name="old", scope=EVERYWHERE, permissions=list(Permission), expires_at=None
    ).text


def _again(_default: Assistant) -> dict[str, str]:
    """`anna` was deleted above, for good."""
    store_events(environment_of(_default), *small_talk(1_790_000_000.25, "berta"))
    return {"conversations/anna": "conversations/berta"}


# What has to be there before a section is typed, and which of its examples stand for other words here.
BEFORE: dict[str, Callable[[Assistant], dict[str, str]]] = {
    "/tags/baseline": _before_tags,
    "/promotions/7": _before_promotions,
    "/uploads": _before_upload,
    "/training/7": lambda _default: {"/training/7": "/training/1"},
    "/data/revisions/12": lambda _default: {
        '"base": 12': '"base": 1',
        "base=12": "base=1",
        "revisions/12": "revisions/1",
    },
    "/reviewStatus": _again,
    "/share/7": _before_sharing,
    "/deletions/3": _before_deletions,
    "/tokens/$KEY": _before_tokens,
}
# What a Parley without workers refuses with good reason.
REFUSED = {"POST /api/projects/cafe/deletions/3/confirm": 409}


def test_every_line_is_answered(shell, house: Assistant) -> None:
    before, refused = "", []
    for block in blocks("sh"):
        if block.page != PAGE:
            continue
        lines = block.text
        for part, prepare in BEFORE.items():
            if part in lines:
                for old, new in prepare(house).items():
                    assert old in lines
                    lines = lines.replace(old, new)
        refused += [(block.line, *asked) for asked in shell(before + lines) if not _is_well(asked)]
        before += "".join(f"{line}\n" for line in _sets(lines))
    assert not refused, "\n".join(map(str, refused))


def test_the_line_about_tokens_is_answered_to_who_has_one(shell, house: Assistant) -> None:
    line = block_of("docs/api-tokens.md", "curl", {"https://parley.example": "$PARLEY_URL"})
    assert shell(line.replace("parley_<key>.<secret>", _token())) == [Asked(200, "GET /api/user")]
    assert shell(line) == [Asked(401, "GET /api/user")]


def _is_well(asked: Asked) -> bool:
    return asked.code < 400 or REFUSED.get(asked.what) == asked.code


def _sets(text: str) -> list[str]:
    return [line for line in text.replace("\\\n", " ").splitlines() if SETS.match(line)]
