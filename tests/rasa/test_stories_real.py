"""Our stories and trackers, read by Rasa itself and compared with what its own writer makes of the same events."""

import json
import subprocess
from pathlib import Path

import pytest

from conversations.presentation.stories import file_yaml, stories_of
from conversations.presentation.tracker import tracker_json
from tests.conversations.events import action, bot, event, slot, user
from tests.conversations.test_presentation import rows
from tests.rasa_fixtures import STARTER

pytestmark = pytest.mark.rasa

READ = """
import json, sys, warnings
from pathlib import Path
from rasa.shared.core.domain import Domain
from rasa.shared.core.trackers import DialogueStateTracker
from rasa.shared.core.training_data.story_reader.yaml_story_reader import YAMLStoryReader
from rasa.shared.core.training_data.story_writer.yaml_story_writer import YAMLStoryWriter

domain = Domain.load(sys.argv[1])
tracker = json.load(open("tracker.json"))
theirs = DialogueStateTracker.from_dict(tracker["sender_id"], tracker["events"], domain.slots)
written = {}
warnings.simplefilter("error", UserWarning)  # that is how its reader complains
for kind, is_test in (("stories", False), ("test_stories", True)):
    own = theirs.export_stories(YAMLStoryWriter(), e2e=is_test)
    Path(f"their_{kind}.yml").write_text(own)
    steps = {}
    for whose in ("their", "our"):
        reader = YAMLStoryReader(domain)
        steps[whose] = [
            [str(type(one).__name__), one.as_dict().get("name"), one.as_dict().get("value"), getattr(one, "text", None),
             getattr(one, "intent_name", None), sorted(str(e.get("entity")) + str(e.get("value")) for e in getattr(one, "entities", []))]
            for part in reader.read_from_file(f"{whose}_{kind}.yml", skip_validation=False) for one in part.events
        ]
    written[kind] = steps
print(json.dumps({"steps": written, "slots": theirs.current_slot_values(), "count": len(theirs.events)}))
"""

ODD = 'it\'s: "7" # pm? Ä [no](x'  # Rasa's own writer breaks at tabs and at U+2028
EVENTS = [
    action("action_session_start", 1.0, None),
    event("session_started", 1.1),
    action("action_listen", 1.2, None),
    user(ODD, 2.0, intent="ask_menu"),
    action("utter_menu", 2.1),
    bot("Soup.", 2.2),
    action("action_listen", 2.3),
    user(
        "table for two on Sunday",
        3.0,
        intent="book_table",
        entities=[
            {"entity": "people", "value": "2", "start": 10, "end": 13},
            {"entity": "day", "value": "Sunday", "start": 17, "end": 23},
        ],
    ),
    slot("people", "2", 3.1),
    action("book_table_form", 3.2),
    event("active_loop", 3.3, name="book_table_form"),
    slot("requested_slot", "time", 3.4),
    bot("When?", 3.5),
    action("action_listen", 3.6),
    user("do you have wifi", 4.0, intent="ask_wifi"),
    event("action_execution_rejected", 4.1, name="book_table_form", policy=None, confidence=None),
    action("utter_wifi", 4.2),
    action("book_table_form", 4.3),
    action("action_listen", 4.4),
    user("??", 5.0, intent="nlu_fallback"),
    action("action_unlikely_intent", 5.1),
    event("active_loop", 5.2, name=None),
    action("action_listen", 5.3),
]


def test_rasa_reads_our_stories_as_it_reads_its_own(rasa_runtime, tmp_path: Path):
    files = {
        "tracker.json": "".join(tracker_json("anna", rows(*EVENTS))),
        "our_stories.yml": file_yaml(stories_of(rows(*EVENTS), "training", "conversation 7")),
        "our_test_stories.yml": file_yaml(stories_of(rows(*EVENTS), "test", "conversation 7")),
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    command = [str(rasa_runtime.python), "-W", "ignore", "-c", READ, str(STARTER / "domain.yml")]
    home = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, cwd=tmp_path, env=home, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    read = json.loads(done.stdout.splitlines()[-1])
    for kind, steps in read["steps"].items():
        assert len(steps["our"]) > 10, kind
        assert steps["our"] == steps["their"], kind
    assert read["slots"]["people"] == "2" and read["count"] == len(EVENTS)
