"""Examples from conversations, read by Rasa's own loader out of the files that we changed."""

import json
import subprocess
from pathlib import Path

import pytest

from models_app.data.examples import Annotation, write
from models_app.data.nlu_edits import add_examples, add_names, new_file
from tests.rasa_fixtures import STARTER

pytestmark = pytest.mark.rasa

READ = """
import json, sys, warnings
warnings.simplefilter("error", UserWarning)
from rasa.shared.core.domain import Domain
from rasa.shared.nlu.training_data.loading import load_data
data = load_data("data/nlu")
warnings.simplefilter("ignore")
print(json.dumps({
    "examples": [[m.get("intent"), m.get("text"), m.get("entities", [])] for m in data.training_examples],
    "intents": Domain.load("domain.yml").intents,
    "entities": Domain.load("domain.yml").entities,
}))
"""
NEW = [
    ("book_table", "tisch für zwei in Köln 🍰", [Annotation(10, 14, "people", "2"), Annotation(18, 22, "city", role="where", group="g")]),
    ("book_table", "a } and a { for you", [Annotation(2, 3, "people", "}")]),
    ("greet", "- moin: # [no annotation] \"quoted\" 'twice' \\ {x}", []),
    ("greet", "two\nlines\tand\u2028more", []),
    ("is_vegan", "is it vegan?", []),
    ("no", "no way", []),
]  # fmt: skip


def test_rasa_reads_what_was_written(rasa_runtime, tmp_path: Path):
    before = {path.name: path.read_bytes() for path in (STARTER / "data/nlu").glob("*.yml")}
    lines = [(intent, write(text, annotations)) for intent, text, annotations in NEW]
    booking = add_examples(
        before["booking.yml"], {"book_table": [line for intent, line in lines if intent == "book_table"]}
    )
    smalltalk = add_examples(before["smalltalk.yml"], {"greet": [line for intent, line in lines if intent == "greet"]})
    others = new_file({intent: [line] for intent, line in lines[4:]})
    domain = add_names((STARTER / "domain.yml").read_bytes(), "intents", ["is_vegan", "no"])
    domain = add_names(domain, "entities", ["city"])
    folder = tmp_path / "data" / "nlu"
    folder.mkdir(parents=True)
    for name, data in {**before, "booking.yml": booking, "smalltalk.yml": smalltalk, "others.yml": others}.items():
        (folder / name).write_bytes(data)
    (tmp_path / "domain.yml").write_bytes(domain)
    read = _as_rasa_reads(rasa_runtime, tmp_path)
    assert {"is_vegan", "no"} <= set(read["intents"]) and "city" in read["entities"]
    found = {(intent, text): entities for intent, text, entities in read["examples"]}
    for intent, text, annotations in NEW:
        plain = text.replace("\n", " ").replace("\t", " ").replace("\u2028", " ")
        wanted = [
            (one.start, one.end, one.entity, one.role or None, one.group or None, one.value) for one in annotations
        ]
        entities = found[intent, plain]
        assert [(e["start"], e["end"], e["entity"], e.get("role"), e.get("group"), e["value"]) for e in entities] == [
            (*rest, value or plain[rest[0] : rest[1]]) for *rest, value in wanted
        ]


def _as_rasa_reads(rasa_runtime, folder: Path) -> dict:
    home = {"HOME": str(folder), "PATH": "/usr/bin:/bin"}
    command = [str(rasa_runtime.python), "-c", READ]
    done = subprocess.run(command, cwd=folder, env=home, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])
