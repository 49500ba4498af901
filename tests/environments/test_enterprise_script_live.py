"""The lines of curl with which a team's CI releases a model to Rasa Enterprise, as they stand in such scripts, against a
web of ours with real sockets."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from environments.models import Environment, Promotion
from models_app.models import Model
from models_app.services.assistants import DEFAULT_SLUG
from tests.factories import make_assistant, make_person
from tests.models_app.archives import model_archive
from tests.models_app.conftest import files_in
from tests.models_app.test_upload_live import Server, running

__all__ = ["running"]

pytestmark = pytest.mark.django_db(transaction=True)
PASSWORD = "correct-horse-battery"
SCRIPT = """
set -euo pipefail
field() { python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"; }

curl -sS -k -f "$RASA_X_URL/api/health" > health.json
curl -sS -k -f "$RASA_X_URL/api/version" > version.json
TOKEN=$(curl -sS -k -f -X POST "$RASA_X_URL/api/auth" -H "Content-Type: application/json" \\
  -d "{\\"username\\": \\"$RASA_X_USERNAME\\", \\"password\\": \\"$RASA_X_PASSWORD\\"}" | field access_token)

curl -sS -k -f -X PUT "$RASA_X_URL/api/environments" -H "Authorization: Bearer $TOKEN" -H "Content-Type: application/json" \\
  -d '[{"name": "production", "url": "http://rasa-production.example.com:5005", "token": "s3cret"}]' > environments.json

curl -sS -k -f -F "model=@models/$MODEL.tar.gz" "$RASA_X_URL/api/projects/default/models?api_token=$TOKEN" > uploaded.json
curl -sS -k -f -X PUT "$RASA_X_URL/api/projects/default/models/$MODEL/tags/production" -H "Authorization: Bearer $TOKEN"
curl -sS -k -f -D headers -H "Authorization: Bearer $TOKEN" \\
  "$RASA_X_URL/api/projects/default/models?limit=1&offset=0&tag=production" > models.json
curl -sS -k -f -o live.tar.gz "$RASA_X_URL/api/projects/default/models/tags/production" -H "Authorization: Bearer $TOKEN"

# once more, as a pipeline that is run again does
curl -sS -k -o /dev/null -w '%{http_code}' -H "Transfer-Encoding: chunked" -F "model=@models/$MODEL.tar.gz" \\
  "$RASA_X_URL/api/projects/default/models" -H "Authorization: Bearer $TOKEN" > again
curl -sS -k -o wrong.json -w '%{http_code}' "$RASA_X_URL/api/projects/default/models" -H "Authorization: Bearer no" > wrong
"""


@pytest.fixture
def server(running: Server) -> Iterator[Server]:
    yield running
    for path in files_in(running.store):
        path.unlink()


def test_a_model_is_released_by_a_script_for_rasa_enterprise(server: Server, tmp_path: Path) -> None:
    make_assistant(slug=DEFAULT_SLUG)
    ci = make_person("admin", username="ci")
    ci.set_password(PASSWORD)
    ci.save()
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "calm-otter.tar.gz").write_bytes(model_archive())
    said = {"RASA_X_URL": f"http://127.0.0.1:{server.port}", "RASA_X_USERNAME": "ci", "RASA_X_PASSWORD": PASSWORD}
    ended = subprocess.run(
        ["bash", "-c", SCRIPT],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], **said, "MODEL": "calm-otter"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ended.returncode == 0, ended.stderr

    def answer(name: str) -> dict:
        return json.loads((tmp_path / name).read_text())

    model = Model.objects.get()
    assert Promotion.objects.get().to_model == model
    assert Environment.objects.get(name="production").url == "http://rasa-production.example.com:5005"
    assert {"production", "worker", "database_migration"} <= answer("health.json").keys()
    assert answer("version.json")["enterprise"] is True
    assert [one["token"] for one in answer("environments.json")] == ["", ""]
    assert (answer("uploaded.json")["model"], answer("uploaded.json")["hash"]) == ("calm-otter", model.artifact_id)
    assert [(one["model"], one["tags"]) for one in answer("models.json")] == [("calm-otter", ["production"])]
    assert "x-total-count: 1" in (tmp_path / "headers").read_text().lower()
    assert (tmp_path / "live.tar.gz").read_bytes() == model_archive()
    assert (tmp_path / "again").read_text() == "409"
    assert (tmp_path / "wrong").read_text() == "401" and answer("wrong.json")["status"] == "failure"
