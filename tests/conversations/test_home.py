"""Home: where a person lands, and what it says first."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from conversations.onboarding import setup_steps
from environments.models import Environment, Replica
from environments.services.overview import overviews
from environments.services.promotion import promote
from models_app.services.revisions import save_revision
from models_app.services.training import request_training
from studio.access.permissions import Scope
from studio.jobs import heartbeat
from studio.rasa.models import RasaRuntime
from tests.clients import client_of
from tests.conversations.events import user
from tests.factories import environment_of, make_assistant, make_model, make_person, store_events

pytestmark = pytest.mark.django_db


@pytest.fixture
def assistant():
    return make_assistant(slug="cafe")


def steps_of(assistant, person):
    return {step.title: step.state for step in setup_steps(assistant, overviews(assistant, person), rasa="")}


def test_the_root_leads_to_the_assistant_looked_at_last(client, assistant):
    other = make_assistant(slug="bakery")
    client.force_login(make_person("admin"))
    assert client.get("/").url == reverse("conversations:home", args=["cafe"])
    client.get(reverse("conversations:home", args=[other.slug]))
    assert client.get("/").url == reverse("conversations:home", args=["bakery"])


def test_a_person_without_any_grant_is_told_whom_to_ask(client):
    client.force_login(make_person())
    assert "Ask an admin" in client.get("/").content.decode()


def test_an_assistant_of_others_is_not_found(client, assistant):
    hidden = make_assistant(slug="hidden")
    client.force_login(make_person("annotator", Scope(assistant.pk)))
    assert client.get(reverse("conversations:home", args=[hidden.slug])).status_code == 404


def test_setting_up_is_told_step_by_step(assistant):
    admin = make_person("admin")
    assert steps_of(assistant, admin) == {
        "Rasa": "now",
        "Training data": "todo",
        "Model": "todo",
        "Live": "todo",
        "First conversation": "todo",
    }
    RasaRuntime.objects.update_or_create(version="3.6.21", defaults={"state": "ready"})
    save_revision(actor=admin, assistant=assistant, files={"a.yml": b"x"}, message="", parent_number=None)
    job = request_training(actor=admin, assistant=assistant)
    assert steps_of(assistant, admin)["Model"] == "now"
    type(job).objects.update(state="failed")
    assert steps_of(assistant, admin)["Model"] == "failed"
    make_model(assistant)
    assert steps_of(assistant, admin)["Live"] == "now"


def test_home_does_not_say_that_rasa_is_being_installed_when_that_failed(client, assistant):
    client.force_login(make_person("admin"))
    RasaRuntime.objects.update_or_create(version="3.6.21", defaults={"state": "failed", "message": "No Python."})
    page = client.get(reverse("conversations:home", args=["cafe"])).content.decode()
    assert "is being installed" not in page
    assert "What to do is said above" in page


def test_home_promises_no_training_where_no_worker_runs(client, assistant):
    RasaRuntime.objects.update_or_create(version="3.6.21", defaults={"state": "ready", "python": "/p"})
    save_revision(actor=None, assistant=assistant, files={"domain.yml": b"{}"}, message="", parent_number=None)
    client.force_login(make_person("admin"))
    home = reverse("conversations:home", args=["cafe"])
    assert "No training worker is running" in client.get(home).content.decode()
    heartbeat.beat("training-worker")
    text = client.get(home).content.decode()
    assert "takes about a minute" in text and "No training worker" not in text


def test_home_asks_for_no_promotion_while_one_is_under_way(client, assistant):
    admin = make_person("admin")
    RasaRuntime.objects.update_or_create(version="3.6.21", defaults={"state": "ready"})
    save_revision(actor=admin, assistant=assistant, files={"a.yml": b"x"}, message="", parent_number=None)
    promote(actor=admin, environment=environment_of(assistant), model=make_model(assistant))
    client.force_login(admin)
    page = client.get(reverse("conversations:home", args=["cafe"])).content.decode()
    assert "Go to the models" not in page
    assert "A model is promoted" in page


def test_home_says_what_was_written_of_the_data_that_trains(client, assistant):
    admin = make_person("admin")
    files = {"a.yml": b"x"}
    save_revision(actor=admin, assistant=assistant, files=files, message="Winter hours", parent_number=None)
    request_training(actor=admin, assistant=assistant)
    client.force_login(admin)
    assert "Winter hours" in client.get(reverse("conversations:home", args=["cafe"])).content.decode()


def test_home_shows_what_is_live_in_few_queries(client, assistant, django_assert_max_num_queries):
    admin = make_person("admin")
    model = make_model(assistant, "calm-heron")
    promote(actor=admin, environment=environment_of(assistant), model=model)
    client.force_login(admin)
    client.get(
        reverse("conversations:home", args=["cafe"])
    )  # the session remembers it, and the row of its Rasa is made
    with django_assert_max_num_queries(15):
        page = client.get(reverse("conversations:home", args=["cafe"])).content.decode()
    assert "calm-heron" in page
    assert "Getting started" in page
    fragment = client.get(reverse("conversations:home", args=["cafe"]), headers={"HX-Request": "true"}).content.decode()
    assert fragment.lstrip().startswith('<div id="home-live"')


def test_home_says_of_an_outage_what_it_is(client, assistant):
    admin = make_person("admin")
    RasaRuntime.objects.update_or_create(version="3.6.21", defaults={"state": "ready"})
    save_revision(actor=admin, assistant=assistant, files={"a.yml": b"x"}, message="", parent_number=None)
    production = environment_of(assistant)
    Environment.objects.filter(pk=production.pk).update(kind="connected", url="http://rasa:5005")
    promote(actor=admin, environment=production, model=make_model(assistant))
    Replica.objects.create(environment=production, key="rasa-1", last_seen_at=timezone.now() - timedelta(hours=2))
    client.force_login(admin)
    page = client.get(reverse("conversations:home", args=["cafe"])).content.decode()
    assert "could load the model" not in page
    assert "No server polls. <a" in page


def waiting_for(person, assistant) -> str:
    """What the home page asks for when it is there."""
    client, home = client_of(person), reverse("conversations:home", args=[assistant.slug])
    assert f'hx-get="{home}waiting" hx-trigger="load"' in client.get(home).content.decode()
    return client.get(f"{home}waiting").content.decode()


def test_home_says_what_waits_in_the_inbox_and_leads_there(assistant):
    annotator, now = make_person("annotator"), timezone.now().timestamp()
    assert not waiting_for(annotator, assistant).strip()
    store_events(environment_of(assistant), user("a flat white", now - 60, sender="one", confidence=0.3))
    text = waiting_for(annotator, assistant)
    assert f'<a href="{reverse("conversations:inbox", args=["cafe"])}">1 message waits in the inbox</a>' in text
    store_events(environment_of(assistant), user("two teas", now - 50, sender="two", confidence=0.3))
    assert "2 messages wait in the inbox" in waiting_for(annotator, assistant)


def test_home_says_which_changes_were_not_trained(assistant):
    admin = make_person("admin")
    first = save_revision(actor=admin, assistant=assistant, files={"a.yml": b"x"}, message="", parent_number=None)
    assert "not trained" not in waiting_for(admin, assistant)  # the first steps speak of the first training
    job = request_training(actor=admin, assistant=assistant)
    type(job).objects.update(state="done")
    assert "not trained" not in waiting_for(admin, assistant)
    files = {"a.yml": b"y", "b.yml": b"x"}
    save_revision(actor=admin, assistant=assistant, files=files, message="", parent_number=first.number)
    text = waiting_for(admin, assistant)
    assert f'<a href="{reverse("models:data-since-training", args=["cafe"])}">2 changes not trained</a>' in text


def test_home_tells_nobody_of_what_they_may_not_see(assistant):
    """A tester neither reads what others said nor sees the data; an annotator of another environment not this one's."""
    admin = make_person("admin")
    save_revision(actor=admin, assistant=assistant, files={"a.yml": b"x"}, message="", parent_number=None)
    type(request_training(actor=admin, assistant=assistant)).objects.update(state="done")
    save_revision(actor=admin, assistant=assistant, files={"a.yml": b"y"}, message="", parent_number=1)
    said = user("a flat white", timezone.now().timestamp() - 60, sender="one", confidence=0.3)
    store_events(environment_of(assistant), said)
    assert "1 message waits in the inbox" in (text := waiting_for(admin, assistant)) and "1 change not trained" in text
    assert not waiting_for(make_person("tester"), assistant).strip()
    elsewhere = Scope(assistant.pk, environment_of(assistant, "worker").pk)
    assert "inbox" not in waiting_for(make_person("annotator", elsewhere), assistant)
