"""Records that cannot be read, for tests."""

import json

from conversations.ingest.places import SourcePlaces
from conversations.ingest.records import Offset, Record, read
from conversations.ingest.write import store
from conversations.models import DeadLetter
from environments.models import Environment
from tests.conversations.events import raw, user
from tests.factories import source_of

HI = raw(user("hi", 1_790_000_000.0))[0]
CUT = HI[:-20]
NO_TIME = json.dumps({"sender_id": "anna", "event": "user", "text": "hi"}).encode()


def make_letter(environment: Environment, record: bytes, under: str | None = None, **fields: object) -> DeadLetter:
    """A dead letter that came by the way of all records; `under` is the environment's name that it claims."""
    places = SourcePlaces(source_of(environment.assistant))
    places.refresh()
    claimed = environment.name if under is None else under
    place = {"offset": Offset("rasa", 2, 4711), "headers": (("RASA_ENVIRONMENT", claimed.encode()),), **fields}
    assert store(read([Record(record, claimed, **place)]), places).dead == 1
    return DeadLetter.objects.latest("pk")
