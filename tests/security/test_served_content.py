"""What people upload comes back as a file to keep, never as a page that runs."""

import pytest
from django.test import Client

from models_app.services.revisions import save_revision
from tests.clients import client_of
from tests.factories import make_assistant, make_model, make_person

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_client")]
EVIL = b"<script>alert(document.cookie)</script>"


@pytest.fixture
def client(settings, tmp_path) -> Client:
    settings.ARTIFACTS_DIR = tmp_path
    cafe = make_assistant("cafe")
    files = {"domain.yml": b"{}\n", "data/page.html": EVIL, "data/picture.svg": b"<svg onload='alert(1)'/>"}
    save_revision(actor=None, assistant=cafe, files=files, message="", parent_number=None)
    make_model(cafe, "otter")
    return client_of(make_person("admin"))


@pytest.mark.parametrize(
    "path",
    [
        "/a/cafe/data/raw/data/page.html",
        "/a/cafe/data/raw/data/picture.svg",
        "/a/cafe/data/download",
        "/a/cafe/models/otter/download",
    ],
)
def test_uploads_are_attachments_that_no_browser_takes_for_a_page(client, path) -> None:
    answer = client.get(path)
    assert answer.status_code == 200
    assert answer["Content-Disposition"].startswith("attachment")
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Type"].split(";")[0] in {"application/octet-stream", "application/zip", "application/gzip"}
    assert "sandbox" in answer["Content-Security-Policy"] and "default-src 'none'" in answer["Content-Security-Policy"]
    assert b"".join(answer) if answer.streaming else answer.content


def test_the_page_of_a_file_shows_its_text_and_runs_none_of_it(client) -> None:
    page = client.get("/a/cafe/data/file/data/page.html").content.decode()
    assert "<script>alert" not in page and "alert" in page


@pytest.mark.parametrize("name", ['x".html', "a\r\nSet-Cookie: a=b.yml", "../../etc/passwd", "%2e%2e/x"])
def test_a_name_breaks_out_of_no_header_and_no_folder(client, name) -> None:
    answer = client.get(f"/a/cafe/data/raw/{name}")
    assert answer.status_code in {400, 404} and "Set-Cookie" not in answer.headers
