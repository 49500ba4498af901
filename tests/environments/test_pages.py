import re
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from environments.models import Environment, ManagedServer, Replica
from environments.services.birth import create_environment
from environments.services.managed import run_here
from environments.services.promotion import promote
from models_app.models import Assistant
from studio.access.permissions import Scope
from studio.jobs.heartbeat import beat
from studio.jobs.models import Heartbeat
from tests.environments.polling import Poller
from tests.factories import environment_of, make_model, make_person

LIST = "/a/default/environments/"
PRODUCTION = "/a/default/environments/production"
HTMX = {"HX-Request": "true"}


@pytest.fixture
def admin(client: Client, assistant: Assistant) -> Client:
    client.force_login(make_person("admin"))
    return client


def page_of(client: Client, path: str, headers: dict[str, str] | None = None) -> str:
    response = client.get(path, headers=headers)
    assert response.status_code == 200
    return response.content.decode()


def test_the_list_says_what_is_live_where_and_offers_to_set_up_the_rest(
    admin: Client, assistant, promote_to_production
):
    promote_to_production(make_model(assistant, "otter"))
    page = page_of(admin, LIST)
    assert page.index(">production<") < page.index(">worker<")
    assert "otter" in page
    assert "worker is not set up" in page
    assert "Run here" in page and "Connect a server" in page


def test_the_list_costs_the_same_however_many_environments_there_are(
    admin: Client, assistant: Assistant, django_assert_max_num_queries: Any
):
    def grow(number: int) -> None:
        environment = create_environment(actor=None, assistant=assistant, name=f"more-{number}", kind="managed")
        Replica.objects.create(environment=environment, key="rasa-1", last_seen_at=timezone.now())

    grow(0)
    admin.get(LIST)  # the session writes down which assistant was looked at last, once
    with django_assert_max_num_queries(14):
        admin.get(LIST)
    for number in range(1, 5):
        grow(number)
    with django_assert_max_num_queries(14):
        admin.get(LIST)


def test_a_person_sees_the_environments_of_their_grants_alone(client: Client, assistant: Assistant):
    worker = environment_of(assistant, "worker")
    client.force_login(make_person("annotator", Scope(assistant.pk, worker.pk)))
    page = page_of(client, LIST)
    assert "/environments/worker" in page
    assert "/environments/production" not in page


def test_who_may_not_modify_production_gets_no_buttons_there(client: Client, assistant: Assistant):
    client.force_login(make_person("annotator"))
    page = page_of(client, PRODUCTION)
    for button in ("Promote…", "Edit…", "Remove…", "Run here"):
        assert button not in page
    assert "Promote…" in page_of(client, "/a/default/environments/worker")


def test_the_page_follows_a_promotion_from_switched_to_running(admin: Client, assistant, promote_to_production, poller):
    promote_to_production(make_model(assistant, "otter"))
    waiting = page_of(admin, PRODUCTION)
    assert "no server polls" in waiting
    Environment.objects.filter(name="production").update(kind="connected", url="http://rasa:5005")
    poller.poll()
    loading = page_of(admin, PRODUCTION, HTMX)
    assert "Rolling out 0 of 1" in loading
    assert "Loading" in loading
    assert "every 2s" in loading
    poller.poll()
    done = page_of(admin, PRODUCTION, HTMX)
    assert "Running 1 of 1" in done
    assert "every 10s" in done
    assert 'aria-label="under way"' not in done


def test_a_fragment_is_not_the_whole_page(admin: Client):
    assert "<html" in page_of(admin, PRODUCTION)
    assert "<html" not in page_of(admin, PRODUCTION, HTMX)
    assert "<html" not in page_of(admin, LIST, HTMX)


def test_a_model_that_does_not_load_is_red_with_the_way_back(admin: Client, assistant, promote_to_production, poller):
    promote_to_production(make_model(assistant, "otter"))
    poller.poll()
    poller.poll()
    poller.loads = False
    promote_to_production(make_model(assistant, "broken"))
    for _ in range(4):
        poller.poll()
    page = page_of(admin, PRODUCTION)
    assert "Did not load on 1 of 1" in page
    assert "Return to otter" in page

    broken = re.search(r'name="expected" value="(\d+)"', page)
    assert broken
    response = admin.post(f"{PRODUCTION}/return", {"expected": broken[1], "reason": "Returned"}, headers=HTMX)
    assert response.headers["HX-Redirect"] == PRODUCTION
    assert Environment.objects.get(name="production").tag.model.name == "otter"


def one_does_not_load_it(good: Poller, bad: Poller, assistant: Assistant, promote_to_production) -> None:
    """Both run one model, then of the next only the first."""
    promote_to_production(make_model(assistant, "otter"))
    for one in (good, bad) * 2:
        one.poll()
    bad.loads = False
    promote_to_production(make_model(assistant, "badger"))
    for one in (good, bad) * 4:
        one.poll()


def test_where_one_of_two_did_not_load_it_people_get_both(admin: Client, assistant, promote_to_production, poller):
    other = Poller(poller.client, poller.environment, "rasa-2")
    one_does_not_load_it(poller, other, assistant, promote_to_production)
    page = page_of(admin, PRODUCTION)
    assert "Did not load on 1 of 2" in page
    assert "goes on answering as before" not in page
    assert '<code class="anywhere">rasa-2</code> took the whole archive and goes on' in page
    assert "1 of 2 runs the new one: people get both" in page


def test_a_server_that_died_with_the_model_that_did_not_load_does_not_go_on(
    admin: Client, assistant, promote_to_production, poller
):
    other, third = (Poller(poller.client, poller.environment, name) for name in ("rasa-2", "rasa-3"))
    one_does_not_load_it(poller, other, assistant, promote_to_production)
    with time_machine.travel(timezone.now() + HOUR, tick=True):
        poller.poll()
        third.poll()  # in its place, and loads
        page = page_of(admin, PRODUCTION)
    assert '<code class="anywhere">rasa-2</code> took the whole archive and did not load it.' in page
    assert '<code class="anywhere">rasa-2</code> is silent now. Of 2 that poll, 1 runs the new one.' in page
    assert "on with the model" not in page


@pytest.mark.parametrize(("seconds", "is_said"), [(20, False), (90, True)])
def test_a_server_that_runs_and_does_not_answer_is_said(admin: Client, production: Environment, seconds, is_said):
    run_here(actor=None, environment=production)
    beat("controller")
    heard = timezone.now() - timedelta(seconds=seconds)
    ManagedServer.objects.update(state=ManagedServer.State.RUNNING, ready_at=heard, heartbeat_at=heard)
    page = page_of(admin, PRODUCTION)
    assert ("Does not answer" in page, "Rasa was last heard" in page) == (is_said, is_said)


def test_a_silent_replica_is_shown_as_silent(admin: Client, production: Environment):
    long_ago = timezone.now() - timedelta(hours=1)
    Replica.objects.create(environment=production, key="rasa-1", named=True, last_seen_at=long_ago, interval=5)
    page = page_of(admin, PRODUCTION)
    assert "Silent" in page
    assert "0 replicas" in page


def test_the_history_has_who_what_and_why(admin: Client, assistant, production: Environment):
    from environments.services.promotion import promote

    for name in ("otter", "heron"):
        promote(
            actor=None,
            environment=production,
            model=make_model(assistant, name),
            reason=f"Because {name}",
            actor_label="deploy",
        )
    page = page_of(admin, PRODUCTION)
    assert page.index("Because heron") < page.index("Because otter")
    assert "Replaced before it ran" in page
    assert "deploy" in page


def test_a_long_history_has_pages(admin: Client, assistant, production: Environment):
    from environments.services.promotion import promote

    models = [make_model(assistant), make_model(assistant)]
    for number in range(17):
        promote(actor=None, environment=production, model=models[number % 2], reason=f"number {number}.")
    first = page_of(admin, PRODUCTION)
    assert "number 16." in first and "number 1." not in first
    older = re.search(r'rel="next" href="(\?[^"]+)"', first)
    assert older
    assert "number 1." in page_of(admin, PRODUCTION + older[1])


def test_the_servers_log_is_for_who_may_read_conversations(client: Client, assistant: Assistant, settings, tmp_path):
    from environments.services.managed import log_path

    settings.SERVERS_DIR = tmp_path
    staging = create_environment(actor=None, assistant=assistant, name="staging", kind="managed")
    log_path(staging).parent.mkdir(parents=True)
    log_path(staging).write_text("first line\n")
    client.force_login(make_person("annotator"))
    page = page_of(client, f"{LIST}staging/log")
    assert "first line" in page
    log_path(staging).write_text("first line\nsecond line\n")
    more = page_of(client, f"{LIST}staging/log?offset=11", HTMX)
    assert "second line" in more and "first line" not in more


def test_the_menu_leads_to_what_was_changed_for_who_may_read_it(admin: Client, client: Client, production: Environment):
    history = f"/settings/audit/?kind=environment&amp;target={production.pk}"
    assert history in page_of(admin, PRODUCTION) and history in page_of(admin, LIST)
    assert production.name in page_of(admin, history.replace("&amp;", "&"))
    client.force_login(make_person("annotator"))
    assert "/settings/audit/" not in page_of(client, PRODUCTION)


def test_the_servers_log_can_be_searched_and_downloaded(client: Client, assistant: Assistant, settings, tmp_path):
    from environments.services.managed import log_path

    settings.SERVERS_DIR = tmp_path
    staging = create_environment(actor=None, assistant=assistant, name="staging", kind="managed")
    log_path(staging).parent.mkdir(parents=True)
    noise = "".join(f"2026-01-01 KeyError {number:06}\n" for number in range(5000))  # more than one piece
    log_path(staging).write_text(f"{noise}\x1b[31mOut of <memory>\x1b[0m\nand no line's en")
    client.force_login(make_person("annotator"))
    found = page_of(client, f"{LIST}staging/log?q=MEMORY")
    assert "1 line with" in found and "Out of &lt;<mark>memory</mark>&gt;" in found and "KeyError" not in found
    assert "every 2s" not in found, "what was found would be followed by what was not searched for"
    many = page_of(client, f"{LIST}staging/log?q=keyerror")
    assert "5000 lines" in many and "the last 500" in many and "004999" in many and "004499" not in many
    assert "No line holds" in page_of(client, f"{LIST}staging/log?q=Traceback")
    file = client.get(f"{LIST}staging/log/file")
    assert file["Content-Disposition"] == 'attachment; filename="default-staging.log"'
    assert b"".join(file).decode() == f"{noise}Out of <memory>\nand no line's en"


def test_the_model_list_learns_what_runs_where(admin: Client, assistant, promote_to_production, poller: Poller):
    live, former, never = (make_model(assistant, name) for name in ("live", "former", "never"))
    promote_to_production(former)
    poller.poll()
    poller.poll()
    promote_to_production(live)
    page = page_of(admin, f"{LIST}running/?models={live.pk},{former.pk},{never.pk},x,999")
    cells = dict(re.findall(r'id="now-(\d+)"[^>]*>(.*?)</span>\s*(?=<span id="now|$)', page, re.DOTALL))
    assert "Rolling out 0 of 1" in cells[str(live.pk)]
    assert "last live" in cells[str(former.pk)]
    assert "never live" in cells[str(never.pk)]


def test_the_model_list_names_the_environments_where_there_are_several(admin: Client, assistant, promote_to_production):
    live = make_model(assistant, "live")
    promote_to_production(live)
    promote(actor=None, environment=Environment.objects.get(assistant=assistant, name="worker"), model=live)
    page = page_of(admin, f"{LIST}running/?models={live.pk}")
    assert "production: not set up" in page
    assert "worker: not set up" in page


def test_a_model_too_old_for_an_environment_is_marked(admin: Client, assistant, production: Environment):
    Environment.objects.filter(pk=production.pk).update(server_version="3.7.0", server_minimum_version="3.7.0")
    model = make_model(assistant, "wren")
    assert "Too old for production" in page_of(admin, f"{LIST}running/?models={model.pk}")


def test_the_page_of_a_model_tells_where_it_went(admin: Client, assistant, promote_to_production):
    promote_to_production(make_model(assistant, "otter"))
    assert "/environments/production" in page_of(admin, "/a/default/models/otter/promotions")
    make_model(assistant, "heron")
    assert "never been live" in page_of(admin, "/a/default/models/heron/promotions")


def test_what_opens_a_dialog_never_inherits_how_its_surroundings_are_replaced(client: Client, assistant: Assistant):
    """Within a part that replaces itself (outerHTML), an answer would else take the place of the dialog element."""
    client.force_login(make_person("admin"))
    for page in ("", "production"):
        html = client.get(f"/a/default/environments/{page}").content.decode()
        openers = re.findall(r"<[^>]*hx-target=\"#dialog\"[^>]*>", html)
        assert openers
        assert all('hx-swap="innerHTML"' in opener for opener in openers)


def test_without_a_schedule_a_server_that_polls_is_live_all_the_same(
    admin: Client, assistant, promote_to_production, poller: Poller
):
    """It alone writes polls without news into the rows."""
    promote_to_production(make_model(assistant, "otter"))
    for _ in range(3):
        poller.poll()
    Replica.objects.update(last_seen_at=timezone.now() - timedelta(minutes=5), busy_until=None)
    assert "Running 1 of 1" in page_of(admin, PRODUCTION)
    assert "Running 1 of 1" in page_of(admin, LIST)


def test_without_redis_the_rows_are_believed(admin: Client, assistant, promote_to_production, poller, settings):
    promote_to_production(make_model(assistant, "otter"))
    poller.poll()
    poller.poll()
    Replica.objects.update(last_seen_at=timezone.now() - timedelta(minutes=5), busy_until=None)
    Environment.objects.filter(name="production").update(kind="connected", url="http://rasa:5005")
    settings.REDIS_URL = "redis://127.0.0.1:9/0"
    assert "No server polls" in page_of(admin, PRODUCTION)


def replica_of(environment: Environment, key: str, *, silent: timedelta = timedelta(0), age: timedelta) -> Replica:
    """One that runs what is promoted, polls every five seconds, and was heard first so long ago."""
    now, tag = timezone.now(), Environment.objects.select_related("tag__model").get(pk=environment.pk).tag
    assert tag is not None and tag.model is not None
    row = Replica.objects.create(
        environment=environment,
        key=key,
        named=True,
        last_seen_at=now - silent,
        interval=5,
        runs_etag=tag.model.artifact_id,
        model=tag.model,
    )
    Replica.objects.filter(pk=row.pk).update(first_seen_at=now - age)
    return row


DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)


@pytest.mark.parametrize("path", [LIST, PRODUCTION, "/a/default/"])
def test_one_of_two_servers_that_falls_silent_is_said_wherever_all_is_well_stood(
    admin: Client, assistant, production: Environment, promote_to_production, path: str
):
    promote_to_production(make_model(assistant, "otter"))
    replica_of(production, "rasa-1", age=DAY)
    replica_of(production, "rasa-2", silent=5 * MINUTE, age=DAY)
    page = page_of(admin, path)
    assert "Running 1 of 1 · 1 silent" in page
    assert "status-warning" in page


def test_a_server_that_was_taken_away_or_replaced_is_not_missed(
    admin: Client, assistant, production: Environment, promote_to_production
):
    promote_to_production(make_model(assistant, "otter"))
    replica_of(production, "pod-1", silent=2 * HOUR, age=DAY)
    replica_of(production, "pod-2", silent=5 * MINUTE, age=DAY)
    replica_of(production, "pod-3", age=6 * MINUTE)
    page = page_of(admin, PRODUCTION)
    assert "Running 1 of 1" in page
    assert "1 silent" not in page


def test_a_server_whose_place_was_taken_twice_is_not_missed(
    admin: Client, assistant, production: Environment, promote_to_production
):
    promote_to_production(make_model(assistant, "otter"))
    replica_of(production, "pod-1", silent=35 * MINUTE, age=DAY)
    replica_of(production, "pod-2", silent=5 * MINUTE, age=36 * MINUTE)
    replica_of(production, "pod-3", age=6 * MINUTE)
    page = page_of(admin, PRODUCTION)
    assert "Running 1 of 1" in page
    assert "silent" not in page.partition("Replicas")[0]


def test_a_server_that_died_soon_after_it_began_is_missed(
    admin: Client, assistant, production: Environment, promote_to_production
):
    promote_to_production(make_model(assistant, "otter"))
    replica_of(production, "pod-1", age=DAY)
    replica_of(production, "pod-2", silent=3 * MINUTE, age=8 * MINUTE)
    assert "1 silent" in page_of(admin, PRODUCTION)


def test_what_is_live_is_not_offered_again_because_nobody_polls(
    admin: Client, assistant, production: Environment, promote_to_production
):
    promote_to_production(make_model(assistant, "otter"))
    replica_of(production, "rasa-1", silent=MINUTE, age=DAY)
    dialog = page_of(admin, f"{PRODUCTION}/promote")
    assert re.search(r'value="otter"[^>]* disabled', dialog)


def statuses(page: str) -> list[tuple[str, str]]:
    """Kind and word of each status on it."""
    return re.findall(r'class="status status-(\w+)"[^>]*><svg.*?</svg>([^<]+)<', page)


@pytest.mark.parametrize("path", [LIST, PRODUCTION, "/a/default/"])
def test_an_outage_is_red_and_a_server_that_never_came_amber(
    admin: Client, assistant, production: Environment, promote_to_production, path: str
):
    Environment.objects.filter(pk=production.pk).update(kind="connected", url="http://rasa:5005")
    promote_to_production(make_model(assistant, "otter"))
    assert ("warning", "No server polls") in statuses(page_of(admin, path))
    replica_of(production, "rasa-1", silent=MINUTE, age=DAY)
    page = page_of(admin, path)
    assert ("failed", "No server polls") in statuses(page)
    assert "did not load" not in page


def test_an_outage_that_lasts_longer_than_replicas_are_remembered_stays_red(
    admin: Client, assistant, promote_to_production, poller: Poller
):
    Environment.objects.filter(name="production").update(kind="connected", url="http://rasa:5005")
    promote_to_production(make_model(assistant, "otter"))
    poller.poll()
    poller.poll()
    Replica.objects.all().delete()
    assert ("failed", "No server polls") in statuses(page_of(admin, PRODUCTION))


def test_a_server_that_hangs_is_red_in_its_card_too_unless_nobody_asks_it(
    admin: Client, assistant, production: Environment, promote_to_production
):
    run_here(actor=None, environment=production)
    promote_to_production(make_model(assistant, "otter"))
    replica_of(production, "managed", silent=MINUTE, age=DAY)
    heard = timezone.now() - MINUTE
    ManagedServer.objects.update(state=ManagedServer.State.RUNNING, ready_at=heard, heartbeat_at=heard)
    beat("controller")
    assert {("failed", "No server polls"), ("failed", "Does not answer")} <= set(statuses(page_of(admin, PRODUCTION)))
    Heartbeat.objects.all().delete()
    page = page_of(admin, PRODUCTION)
    assert ("warning", "Not known") in statuses(page)
    assert "manage.py controller" in page


def test_one_that_ended_by_itself_is_red_until_it_starts(admin, assistant, production, promote_to_production):
    run_here(actor=None, environment=production)
    promote_to_production(make_model(assistant, "otter"))
    ManagedServer.objects.update(state=ManagedServer.State.WAITING, failures=2)
    shown = statuses(page_of(admin, PRODUCTION))
    assert shown.count(("failed", "Not running")) == 3  # at the top, in the card, in the history
    ManagedServer.objects.update(state=ManagedServer.State.STARTING)
    assert "failed" not in {kind for kind, _ in statuses(page_of(admin, PRODUCTION))}


def test_the_card_says_why_a_server_ended_also_when_it_runs_again(admin: Client, production: Environment):
    run_here(actor=None, environment=production)
    ManagedServer.objects.update(
        state=ManagedServer.State.RUNNING, last_end="It was ended by SIGKILL.", last_ended_at=timezone.now() - MINUTE
    )
    page = page_of(admin, PRODUCTION)
    assert "Ended by itself" in page and "It was ended by SIGKILL." in page
