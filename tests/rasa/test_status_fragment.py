"""What pages that need Rasa say while it is not there: they ask again until somebody has to act."""

import pytest
from django.urls import reverse

from studio.rasa.models import RasaRuntime
from tests.factories import make_person

pytestmark = pytest.mark.django_db
State = RasaRuntime.State


@pytest.mark.parametrize(
    ("state", "asks_again"),
    [
        (State.MISSING, True),
        (State.WANTED, True),
        (State.INSTALLING, True),
        (State.READY, False),
        (State.FAILED, False),
    ],
)
def test_it_asks_again_as_long_as_something_may_change_by_itself(client, settings, state, asks_again):
    RasaRuntime.objects.update_or_create(version=settings.RASA_VERSION, defaults={"state": state})
    client.force_login(make_person("admin"))
    page = client.get(reverse("rasa:status")).content.decode()
    assert ('hx-trigger="every 2s"' in page) is asks_again


def test_a_failure_says_what_happened_and_what_to_do(client, settings):
    facts = {"state": State.FAILED, "message": "The disk is full.", "mend": "Free 4 GB."}
    RasaRuntime.objects.update_or_create(version=settings.RASA_VERSION, defaults=facts)
    client.force_login(make_person("admin"))
    page = client.get(reverse("rasa:status")).content.decode()
    assert all(words in page for words in ("The disk is full.", "Free 4 GB.", "Try again"))
