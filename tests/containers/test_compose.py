"""docker-compose.yml by hand, on a machine where nothing of Parley was before: docs/containers.md, typed block by block.

The tests are the hours of one day, in their order: each goes on from where the one before ended.
"""

import re
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import chromium, watched
from tests.browser.test_main_flow import EVENTS, LONG, NEW, OLD, QUESTION, SOON, promote_to_production, talk, train
from tests.containers import house as houses
from tests.containers import images
from tests.containers.house import House
from tests.stack.test_squashed_migrations import HALFWAY

__all__ = ["chromium"]
pytestmark = pytest.mark.containers

# Of all processes of its container, the one that takes events.
KILL = """
import os, pathlib, signal
for file in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
    if b"manage.py\\0ingest" in file.read_bytes() and int(file.parent.name) not in (1, os.getpid()):
        os.kill(int(file.parent.name), signal.SIGKILL)
"""
COUNT = """
from conversations.models import Event
from models_app.models import Model
print(Event.objects.count(), Model.objects.count())
"""
PERSON, FIRST_PASSWORD, PASSWORD = "mara", "a-first-password", "correct-horse-battery"  # the page's, and one of her own
S3_BACKUPS = "/srv/s3/backups"
NEWS = "docs/news.md"
SECRETS_THAT_TRAVEL = ("tls_certificate", "tls_authority")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with images.daemon():
        images.prepare()
        with houses.running(tmp_path_factory.mktemp("house")) as house:
            yield house


@pytest.fixture(scope="module")
def backups(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("backups")
    folder.chmod(0o777)  # the user of the containers writes here
    return folder


@pytest.fixture(scope="module")
def page(house: House, chromium: Browser) -> Iterator[Page]:
    """Its certificate is one that no browser knows; whether it is the right one, curl is asked."""
    with watched(chromium, base_url=house.url, ignore_https_errors=True) as context:
        context.set_default_timeout(SOON)
        yield context.new_page()


def status_of(house: House, path: str) -> int:
    """As seen from outside, with the certificate checked."""
    host = f"parley.localhost:{house.port}"
    command = [
        "curl",
        "-sS",
        "-o",
        "/dev/null",
        "-w",
        "%{http_code}",
        "--cacert",
        house.folder / "secrets/tls_authority",
    ]
    command += ["--resolve", f"{host}:127.0.0.1", f"{house.url}{path}"]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def events_by_kafka(house: House) -> int:
    return int(
        house.python(
            "from conversations.models import IntakeSource as S; print(S.objects.get(kind='kafka').events_total)"
        )
    )


def sign_in(page: Page) -> None:
    enter(page, PASSWORD)
    is_in(page)


def enter(page: Page, password: str) -> None:
    page.goto("/sign-in")
    page.get_by_role("link", name="Sign in with Keycloak").click()
    page.locator("#username").fill(PERSON)
    page.locator("#password").fill(password)
    page.locator("#kc-login").click()


def is_in(page: Page) -> None:
    expect(page).not_to_have_url(re.compile("/sso/"), timeout=SOON)
    expect(page.get_by_role("heading", level=1)).to_be_visible(timeout=SOON)


def read_and_talk(page: Page) -> None:
    """What was said before is there, and what is said now arrives."""
    page.goto("/a/default/environments/production")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Running 1 of 1", timeout=LONG)
    page.goto("/a/default/conversations/")
    page.get_by_role("link", name=QUESTION).first.click()
    expect(page.get_by_text(NEW).first).to_be_visible()
    page.goto("/a/default/talk/production")
    expect(talk(page, QUESTION)).to_contain_text(NEW)
    expect(page.locator("[data-conversation]")).to_have_attribute("href", EVENTS, timeout=LONG)


def test_without_secrets_nothing_starts_and_the_command_is_named(house: House) -> None:
    refused = house.try_compose("up", "--detach")
    assert refused.returncode and "Run scripts/secrets.sh" in refused.stderr


def test_three_lines_build_and_start_all_of_it(house: House) -> None:
    house.typed("cp .env.example .env")
    house.await_health()


def test_the_images_alone_are_built_by_two_lines(house: House) -> None:
    """For the first block Compose built them: hardly anything is done again."""
    examples = {"docker build": f"docker build {' '.join(images.BASES)}", "-t parley ": f"-t {images.APP} "}
    house.typed("docker build --target app", {**examples, "-t parley-rasa ": f"-t {images.RASA} "})
    assert images.has(images.APP) and images.has(images.RASA)


def test_the_secrets_are_kept_when_they_are_made_once_more(house: House) -> None:
    first = {path.name: path.read_text() for path in (house.folder / "secrets").iterdir()}
    house.make_secrets()
    assert {path.name: path.read_text() for path in (house.folder / "secrets").iterdir()} == first
    assert len(set(first.values())) == len(first) - 1  # the authority is the certificate
    assert (house.folder / "secrets").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("content", ["", "change-me-please-change-me-please"], ids=["empty", "that of an example"])
def test_a_secret_that_is_none_is_refused_by_the_command_that_makes_one(house: House, content: str) -> None:
    file = house.folder / "secrets" / "secret_key"
    kept = file.read_text()
    file.unlink()
    file.write_text(content)
    refused = house.try_compose("run", "--rm", "--no-deps", "migrate", "check")
    file.write_text(kept)
    assert refused.returncode and "scripts/secrets.sh" in refused.stdout + refused.stderr


def test_a_database_of_an_older_schema_is_brought_up_to_date_before_anything_uses_it(house: House) -> None:
    older = replace(house, project=f"{house.project}-older")
    try:
        older.compose("up", "--detach", "--wait", "postgres", "redis", "s3")
        older.compose("run", "--rm", "--no-deps", "migrate", "shell", "-v0", "-c", HALFWAY)
        behind = older.try_compose("run", "--rm", "--no-deps", "migrate", "manage", "migrate", "--check")
        assert behind.returncode, "the database should be behind"
        older.compose("up", "--detach", "--wait", "web")
        assert "No migrations to apply" in older.inside("web", "python", "-W", "ignore", "manage.py", "migrate")
    finally:
        older.remove()


def test_no_process_is_root_or_can_write_beside_its_data(house: House) -> None:
    for service in ("web", "worker-training", "ingest", "rasa-production"):
        assert house.inside(service, "id", "-u").strip() == "10001"
        refused = house.try_compose("exec", "--no-TTY", service, "touch", "/srv/parley/new")
        assert "Read-only file system" in refused.stderr


def test_no_secret_is_in_a_container_s_settings(house: House) -> None:
    containers = house.compose("ps", "--all", "--quiet").split()
    described = images.docker("inspect", *containers).stdout
    secret = [path.name for path in (house.folder / "secrets").iterdir() if path.name not in SECRETS_THAT_TRAVEL]
    assert [name for name in secret if house.secret(name) in described] == []


def test_only_the_proxy_is_reached_from_outside(house: House) -> None:
    ports = images.docker(
        "ps", "--filter", f"label=com.docker.compose.project={house.project}", "--format", "{{.Names}} {{.Ports}}"
    )
    published = [line.split()[0] for line in ports.stdout.splitlines() if "->" in line]
    assert published == [f"{house.project}-proxy-1"]
    assert status_of(house, "/healthz") == 200
    assert status_of(house, "/sso/realms/parley/.well-known/openid-configuration") == 200
    closed = (
        "/sso/admin/",
        "/sso/realms/master/.well-known/openid-configuration",
        "/sso/admin/realms/parley/users",
        "/sso/",
    )
    assert [status_of(house, path) for path in closed] == [404] * len(closed)


def test_somebody_signs_in_through_keycloak(house: House, page: Page) -> None:
    house.typed("docker compose exec keycloak")
    enter(page, FIRST_PASSWORD)
    page.locator("#password-new").fill(PASSWORD)
    page.locator("#password-confirm").fill(PASSWORD)
    page.get_by_role("button", name="Submit").click()
    is_in(page)
    assert (
        house.python(
            f"from studio.access.models import User as U; print(U.objects.get(username='{PERSON}').grants.get().role.name)"
        )
        == "admin"
    )


def test_the_starter_is_trained_kept_in_s3_and_runs(house: House, page: Page) -> None:
    page.goto("/a/default/environments/production")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Running 1 of 1", timeout=2 * LONG)
    digest = house.python("from models_app.models import Model as M; print(M.objects.get().artifact_id)")
    assert digest in house.inside("s3", "find", "/srv/s3/parley", "-type", "f")
    folder = house.inside("web", "find", "/data/artifacts", "-type", "f", "-size", "+1k")
    assert digest not in folder


def test_a_change_is_trained_promoted_and_said_and_its_events_come_by_kafka(house: House, page: Page) -> None:
    page.goto("/a/default/data/edit/domain.yml")
    editor = page.get_by_label("Text of domain.yml")
    editor.fill(editor.input_value().replace(OLD, NEW))
    page.keyboard.press("Control+s")
    expect(page.get_by_text("Saved as revision")).to_be_visible(timeout=SOON)
    train(page)
    page.get_by_role("link", name="Promote…").click(timeout=2 * LONG)
    promote_to_production(page)
    before = events_by_kafka(house)
    page.goto("/a/default/talk/production")
    expect(talk(page, QUESTION)).to_contain_text(NEW)
    expect(page.locator("[data-conversation]")).to_have_attribute("href", EVENTS, timeout=SOON)
    assert events_by_kafka(house) > before


def test_a_model_is_tried_in_a_slot_of_another_container(house: House, page: Page) -> None:
    page.goto("/a/default/models/")
    page.get_by_role("button", name=re.compile("^Actions for")).first.click()
    page.get_by_role("menuitem", name="Try it").click()
    expect(page.get_by_role("heading", name=re.compile("^Try "))).to_be_visible()
    page.get_by_label("Message").fill(QUESTION)
    page.keyboard.press("Enter")
    expect(page.locator(".turn").last).to_contain_text(NEW, timeout=2 * LONG)
    expect(page.locator("[data-slot]")).to_contain_text("Running", timeout=SOON)
    host = house.python("from environments.models import Slot; print(Slot.objects.latest('pk').host)")
    assert host == house.inside("worker-running", "hostname").strip()


def test_a_process_that_is_killed_comes_back(house: House) -> None:
    container = house.compose("ps", "--quiet", "ingest").strip()

    def restarts() -> int:
        return int(images.docker("inspect", "--format", "{{.RestartCount}}", container).stdout)

    before = restarts()
    house.try_compose("exec", "--no-TTY", "ingest", "python", "-c", KILL)
    house.eventually(lambda: restarts() == before + 1, 60)
    house.await_health()


def test_after_down_an_update_and_up_again_every_event_and_model_is_there(house: House) -> None:
    before = house.python(COUNT)
    house.compose("down")
    assert house.compose("ps", "--all", "--quiet") == ""
    house.publish(NEWS, "# News\n\nThis came with an update.\n")
    house.typed("git pull")
    house.await_health()
    assert "with an update" in house.inside("web", "cat", NEWS)
    assert house.python(COUNT) == before


def test_who_was_signed_in_still_is_and_the_person_signs_in_elsewhere(
    house: House, page: Page, chromium: Browser
) -> None:
    read_and_talk(page)
    with watched(chromium, base_url=house.url, ignore_https_errors=True) as context:
        sign_in(context.new_page())


def test_a_backup_goes_to_another_s3_server_and_to_a_folder(house: House, backups: Path) -> None:
    """The S3 server is the one that is here, by settings that name it as another."""
    house.inside("s3", "mkdir", "-p", S3_BACKUPS)
    house.typed(
        "docker compose run --rm --no-deps",
        {"https://s3.example.com": "http://s3:7070", "/srv/backups": str(backups)},
        PARLEY_BACKUP_S3_ACCESS_KEY_ID="parley",
        PARLEY_BACKUP_S3_SECRET_ACCESS_KEY=house.secret("s3_secret_access_key"),
    )
    assert "manifest.json" in house.inside("s3", "ls", f"{S3_BACKUPS}/parley/2026-03-01")
    assert (backups / "2026-03-01" / "manifest.json").is_file()


def test_what_a_disk_has_lost_a_backup_brings_back(house: House, chromium: Browser, backups: Path) -> None:
    """Keycloak has lost its people: the first account has its password still."""
    before = house.python(COUNT)
    house.compose("down", "--volumes")
    house.typed("docker compose down", {"/srv/backups": str(backups)})
    house.await_health()
    assert house.python(COUNT) == before
    with watched(chromium, base_url=house.url, ignore_https_errors=True) as context:
        page = context.new_page()
        page.goto("/sign-in?local=1")
        page.get_by_label("User name").fill("admin")
        page.get_by_label("Password", exact=True).fill(house.secret("admin_password"))
        page.get_by_role("button", name="Sign in", exact=True).click()
        is_in(page)
        read_and_talk(page)
