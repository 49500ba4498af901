"""An assistant that carries a program in Rasa's place: it trains in no time, and does what a test wants it to.

The assistant's own folder comes first on the path of its training, so `python -m rasa` finds this one. It stands where
what is tested is not Rasa's training but everything around it; the same with a real Rasa is marked so.
"""

import sys
from pathlib import Path

VERSION = "3.6.21"
# Like `rasa train`: says which component it is at, and leaves one archive. `what.py` is run first.
PROGRAM = """
import json, os, pathlib, runpy, sys, tarfile, time, uuid

print("2026-11-28 10:00:00 INFO     rasa.engine.training.hooks  - Starting to train component 'RulePolicy'.", flush=True)
sys.path.insert(0, "")
runpy.run_path("what.py")
name = pathlib.Path("model-" + os.path.basename(os.getcwd()) + ".tar.gz")
facts = pathlib.Path("metadata.json")
facts.write_text(json.dumps(METADATA | {"model_id": uuid.uuid4().hex}))
os.makedirs("models", exist_ok=True)
with tarfile.open("models/" + name.name + ".part", "w:gz") as archive:
    archive.add("metadata.json")
    archive.add("config.yml", "components/train_RulePolicy0/rule_policy.json")
os.rename("models/" + name.name + ".part", "models/" + name.name)
print("Your Rasa model is trained.", flush=True)
"""
METADATA = {
    "domain": {"intents": ["greet"], "responses": {}, "actions": []},
    "trained_at": "2026-11-28T10:00:00.000000",
    "assistant_id": "stand-in",
    "rasa_open_source_version": VERSION,
    "training_type": 3,
    "project_fingerprint": "c0ffee",
    "language": "en",
}


def files(what: str = "") -> dict[str, bytes]:
    """The data of an assistant whose training runs `what`, Python code, and then makes a model."""
    return {
        "config.yml": b"assistant_id: stand-in\npipeline:\n- name: WhitespaceTokenizer\npolicies:\n- name: RulePolicy\n",
        "domain.yml": b"intents: [greet]\n",
        "data/nlu.yml": b"nlu: []\n",
        "what.py": what.encode(),
        "rasa/__init__.py": b"",
        "rasa/__main__.py": f"METADATA = {METADATA!r}\n{PROGRAM}".encode(),
    }


def install(folder: Path) -> None:
    """A "runtime" whose interpreter is the one that runs us, without our packages."""
    place = folder / VERSION
    (place / "bin").mkdir(parents=True)
    (place / "bin" / "python").symlink_to(Path(sys.executable).resolve())
    (place / ".complete").write_text(f'{{"version": "{VERSION}", "minimum_compatible_version": "3.5.0"}}')
