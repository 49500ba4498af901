"""Two targets side by side."""

from collections.abc import Iterator

import pytest
from django.test import Client

from conversations.models import TalkSession
from environments.models import Environment
from models_app.models import Assistant
from studio.access.permissions import Scope
from tests.conversations.events import action, bot, small_talk, user
from tests.conversations.fake_channel import Channel, say
from tests.factories import environment_of, make_model, make_person
from tests.rasa.servers import SmallServer


@pytest.fixture
def worker(assistant: Assistant, redis_client: object) -> Iterator[Channel]:
    channel = Channel(SmallServer())
    channel.replies = [{"text": "Moin!"}]
    channel.connect(environment_of(assistant, "worker"))
    yield channel
    channel.server.close()


@pytest.fixture
def address(assistant: Assistant, person: object) -> str:
    return f"/a/{assistant.slug}/talk/compare"


def test_two_environments_are_compared_and_named_in_the_address(
    client: Client, address: str, channel: Channel, worker: Channel
):
    page = client.get(address, {"left": "environment:worker", "right": "environment:production"}).content.decode()
    left, right = page.split("data-side-of=")[1:3]
    assert 'data-name="worker"' in left
    assert 'data-name="production"' in right


def test_without_an_address_another_environment_stands_on_the_right(
    client: Client, address: str, channel: Channel, worker: Channel
):
    page = client.get(address).content.decode()
    assert {part.split('data-name="')[1].split('"')[0] for part in page.split("data-side-of=")[1:3]} == {
        "worker",
        "production",
    }


@pytest.mark.parametrize("asked", ["environment:nowhere", "model:x", "nonsense", ":", "environment:"])
def test_what_is_not_there_is_not_chosen(client: Client, address: str, channel: Channel, worker: Channel, asked: str):
    assert client.get(address, {"left": asked}).status_code == 200


def test_one_environment_alone_says_so(client: Client, assistant: Assistant, channel: Channel, worker: Channel):
    chosen = Environment.objects.get(name="worker")
    client.force_login(make_person("tester", Scope(assistant.pk, chosen.pk)))
    page = client.get(f"/a/{assistant.slug}/talk/compare", {"right": "environment:production"}).content.decode()
    assert "one environment alone" in page
    assert 'data-name="production"' not in page


def test_the_address_leads_back_to_both_conversations(
    client: Client, assistant: Assistant, address: str, channel: Channel, worker: Channel, stored
):
    base = f"/a/{assistant.slug}/talk"
    for name in ("production", "worker"):
        say(client, f"{base}/{name}/say")
    mine, other = (TalkSession.objects.get(environment__name=name).sender_id for name in ("production", "worker"))
    stored(*small_talk(sender=mine))
    sides = {"left": "environment:production", "right": "environment:worker", "left_talk": mine, "right_talk": other}
    page = client.get(address, sides).content.decode()
    assert page.count('data-fact="intent" data-value="greet"') == 1
    assert "Was not told this" in page
    client.force_login(make_person("admin"))
    assert "Hello!" not in client.get(address, sides).content.decode(), "somebody else's conversation is not shown"


def test_what_one_of_them_says_unasked_shifts_nothing(
    client: Client, assistant: Assistant, address: str, channel: Channel, worker: Channel, stored
):
    base = f"/a/{assistant.slug}/talk"
    for name in ("production", "worker"):
        say(client, f"{base}/{name}/say")
    mine, other = (TalkSession.objects.get(environment__name=name).sender_id for name in ("production", "worker"))
    last = 1_790_000_060.0
    for sender in (mine, other):
        stored(
            *small_talk(sender=sender),
            user("goodbye", last, intent="bye", sender=sender),
            bot("See you!", last + 1, sender=sender),
            action("action_listen", last + 2, sender=sender),
        )
    stored(bot("Still there?", last - 30, sender=mine))
    sides = {"left": "environment:production", "right": "environment:worker", "left_talk": mine, "right_talk": other}
    page = client.get(address, sides).content.decode()
    first, unasked, second = page.split("<section ")[1:4]
    assert first.count('data-value="greet"') == 2
    assert 'data-row="alone"' in unasked
    assert "Still there?" in unasked
    assert "Was not told this" not in page
    assert second.count('data-value="bye"') == 2


def test_a_model_may_stand_on_a_side(client: Client, assistant: Assistant, address: str, channel: Channel):
    make_model(assistant, "otter")
    page = client.get(address, {"left": "model:otter", "right": "environment:production"}).content.decode()
    assert '<option value="model:otter" selected>' in page
    assert f'data-say-url="/a/{assistant.slug}/try/otter/say"' in page
    assert f'hx-post="/a/{assistant.slug}/try/otter/slot"' in page
