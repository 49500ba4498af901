"""A link for one model: it is started for guests in a slot when they come."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from conversations import loaders
from conversations.chat.links import LinkState, create_link, revoke_link, state_of
from conversations.models import ShareLink, TalkSession
from environments.models import Environment, Slot
from environments.services import slots, trying
from models_app.models import Assistant, Model
from models_app.services.models import delete_model
from studio.access.permissions import Scope
from studio.errors import Conflict
from tests.conversations.fake_channel import TOKEN, Channel
from tests.conversations.guest_fixtures import page_of, say
from tests.factories import make_assistant, make_model, make_person
from tests.rasa.servers import SmallServer


@pytest.fixture(autouse=True)
def _redis(redis_client: object) -> None:
    """Limits, messages and what wakes workers are there."""


@pytest.fixture
def model(assistant: Assistant) -> Model:
    return make_model(assistant, "otter")


@pytest.fixture
def link(assistant: Assistant, model: Model) -> ShareLink:
    place = trying.place_of(assistant)
    return create_link(actor=make_person("admin"), environment=place, model=model, name="friends")


def serve(slot: Slot, server: SmallServer) -> Channel:
    """The slot answers at `server` from now on."""
    channel = Channel(server)
    channel.public_key = slot.environment.public_key
    held = slots.claim(worker="here")
    assert held == slot
    port = int(server.url.rpartition(":")[2])
    slots.begin(held, host="127.0.0.1", port=port, token=TOKEN, rasa="3.6.21", rasa_version="3.6.21")
    slots.ready(held)
    return channel


def test_a_link_is_made_for_a_model_by_who_may_share_in_the_whole_assistant(
    client: Client, assistant: Assistant, model: Model, environment: Environment
):
    address = f"/a/{assistant.slug}/share/new"
    data = {"target": "model:otter", "name": "friends", "takes_ratings": "on"}
    client.force_login(make_person("admin", Scope(assistant.pk, environment.pk)))
    assert client.post(address, data).status_code == 422
    client.force_login(make_person("admin", Scope(assistant.pk)))
    assert client.post(address, data).status_code == 302
    link = ShareLink.objects.get()
    assert (link.model, link.environment) == (model, trying.place_of(assistant))
    assert "otter" in client.get(f"/a/{assistant.slug}/share/{link.pk}").content.decode()
    assert 'value="model:otter" selected' in client.get(f"/a/{assistant.slug}/share/{link.pk}/edit").content.decode()


def test_any_model_can_be_named_also_one_that_is_not_offered(
    client: Client, assistant: Assistant, model: Model, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(loaders, "MODELS_OFFERED", 1)
    make_model(assistant, "newer")
    make_model(make_assistant("inn"), "theirs")
    address = f"/a/{assistant.slug}/share/new"
    client.force_login(make_person("admin"))
    page = client.get(address).content.decode()
    assert 'value="model:newer"' in page and 'value="model:otter"' not in page
    assert '<option value="otter"></option>' in page and "theirs" not in page
    assert 'value="model:otter" selected' in client.get(f"{address}?model=otter").content.decode()
    data = {"target": "model:newer", "name": "friends", "other_model": "theirs"}
    refused = client.post(address, data)
    assert (refused.status_code, "There is no model of this name" in refused.content.decode()) == (422, True)
    assert client.post(address, data | {"other_model": " otter "}).status_code == 302
    link = ShareLink.objects.get()
    assert link.model == model
    edit = f"/a/{assistant.slug}/share/{link.pk}/edit"
    assert 'value="model:otter" selected' in client.get(edit).content.decode()
    assert client.post(edit, {"target": "model:otter", "name": "friends of Anna"}).status_code == 302
    link.refresh_from_db()
    assert (link.model, link.name) == (model, "friends of Anna")


def test_with_few_models_nobody_types_a_name(client: Client, assistant: Assistant, model: Model):
    client.force_login(make_person("admin"))
    assert "other_model" not in client.get(f"/a/{assistant.slug}/share/new").content.decode()


def test_a_guest_wakes_the_model_and_the_message_waits_for_it(client: Client, link: ShareLink):
    page = page_of(link)
    answer = say(client, page, nonce="one")
    assert (answer.status_code, answer.json()["code"]) == (202, "waking")
    slot = Slot.objects.get()
    assert slot.requested_by_label == "guests of friends"
    server = SmallServer()
    try:
        serve(slot, server)
        answer = say(client, page, nonce="one")  # the same once more
        assert "Hello!" in answer.json()["html"]
    finally:
        server.close()
    [session] = TalkSession.objects.all()
    assert (session.model, session.share_link) == (link.model, link)


def test_opening_the_page_wakes_it_too(client: Client, link: ShareLink):
    client.post(f"{page_of(link)}/hello")
    assert Slot.objects.filter(model=link.model).exists()


def test_what_has_just_failed_is_not_started_by_every_guest(client: Client, link: ShareLink):
    say(client, page_of(link))
    held = slots.claim(worker="here")
    assert held is not None
    slots.fail(held, "It does not load.")
    assert say(client, page_of(link)).json()["code"] == "away"
    assert Slot.objects.count() == 1
    Slot.objects.update(ended_at=timezone.now() - timedelta(minutes=2))
    assert say(client, page_of(link)).json()["code"] == "waking"


def test_its_model_is_kept_until_the_link_is_revoked(link: ShareLink, model: Model):
    admin = make_person("admin")
    with pytest.raises(Conflict, match="by the link friends"):
        delete_model(actor=admin, model=model)
    revoke_link(actor=admin, link=link)
    delete_model(actor=admin, model=model)


def test_a_link_whose_model_is_gone_is_closed(client: Client, link: ShareLink, model: Model):
    Model.objects.filter(pk=model.pk).update(deleted_at=timezone.now())
    assert state_of(ShareLink.objects.select_related("model", "environment__assistant").get()) is LinkState.GONE
    assert client.get(page_of(link)).status_code == 410
