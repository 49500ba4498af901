import time

import pytest
from django.utils import timezone

from conversations.ingest.write import Binding, Record, store_batch
from conversations.models import IngestState
from conversations.services.arrivals import arrivals
from tests.conversations.events import raw, small_talk
from tests.factories import environment_of, make_assistant

pytestmark = pytest.mark.django_db


def test_it_says_when_events_came_and_which_names_nobody_has():
    production = environment_of(make_assistant())
    now = timezone.now()
    IngestState.objects.create(environment=production, last_event_at=now, last_error="Full.")
    binding = Binding(production.assistant_id, None, "RASA_ENVIRONMENT_NOT_SET", "test")
    store_batch([Record(line, binding) for line in raw(*small_talk(sender="anna", start=time.time()))])
    seen = arrivals([production])[production.pk]
    assert (seen.last_at, seen.error, seen.strangers) == (now, "Full.", ("RASA_ENVIRONMENT_NOT_SET",))
