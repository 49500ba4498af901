"""What can be known about the starter assistant without training it."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[2]
STARTER = ROOT / "starter"


def load(path: str) -> dict:
    return YAML(typ="safe", pure=True).load(STARTER / path)


@pytest.fixture(scope="module")
def domain() -> dict:
    return load("domain.yml")


def names_of(declared: list) -> set[str]:
    return {name for entry in declared for name in (entry if isinstance(entry, dict) else [entry])}


def examples_by_intent() -> dict[str, list[str]]:
    found = {}
    for path in (STARTER / "data" / "nlu").glob("*.yml"):
        for block in load(str(path))["nlu"]:
            if "intent" in block:
                found[block["intent"]] = re.findall(r"^- (.+)$", block["examples"], re.MULTILINE)
    return found


def variations(domain: dict) -> Iterator[dict]:
    for response in domain["responses"].values():
        yield from response


def test_every_intent_has_enough_examples_and_none_twice(domain):
    examples = examples_by_intent()
    assert set(examples) == names_of(domain["intents"])
    assert {intent: len(texts) for intent, texts in examples.items() if len(texts) < 12} == {}
    everything = [text.lower() for texts in examples.values() for text in texts]
    assert sorted({text for text in everything if everything.count(text) > 1}) == []


def test_every_annotated_entity_is_declared(domain):
    texts = [text for texts in examples_by_intent().values() for text in texts]
    annotated = {name for text in texts for name in re.findall(r"\]\((\w+)\)", text)}
    assert annotated == set(domain["entities"])


def test_every_image_is_a_picture_of_ours_without_foreign_parts(domain):
    images = {variation["image"] for variation in variations(domain) if "image" in variation}
    assert images
    for image in images:
        assert image.startswith("/static/starter/")
        picture = ROOT / image.lstrip("/")
        assert ElementTree.parse(picture).getroot().tag.endswith("svg")
        assert "href" not in picture.read_text()


def test_every_button_says_an_intent_with_known_entities(domain):
    payloads = [button["payload"] for variation in variations(domain) for button in variation.get("buttons", [])]
    assert payloads
    for payload in payloads:
        intent, entities = re.fullmatch(r"/(\w+)(\{.*\})?", _as_rasa_sends(payload)).groups()
        assert intent in names_of(domain["intents"])
        assert set(json.loads(entities or "{}")) <= set(domain["entities"])


def _as_rasa_sends(payload: str) -> str:
    """Braces are doubled, since Rasa fills in slots here: a single one is sent as it is, and an error for each button
    stands in the server's log."""
    assert re.fullmatch(r"/\w+(\{\{[^{}]*\}\})?", payload), payload
    return payload.format()


def test_every_dish_and_diet_that_is_recognised_has_an_answer_of_its_own(domain):
    for slot, response in {"dish": "utter_price", "diet": "utter_diet"}.items():
        conditions = [entry for variation in domain["responses"][response] for entry in variation.get("condition", [])]
        assert {entry["name"] for entry in conditions} == {slot}
        assert len(conditions) == len({entry["value"] for entry in conditions}) >= 5
        assert "condition" not in domain["responses"][response][-1], "something has to be said about all others"


def test_every_question_of_the_menu_agrees_with_its_price(domain):
    menu = (ROOT / "static" / "starter" / "menu.svg").read_text().lower()
    for variation in domain["responses"]["utter_price"]:
        if "condition" in variation:
            price = re.search(r"€(\d+\.\d\d)", variation["text"]).group(1)
            dish = variation["condition"][0]["value"]
            assert re.search(rf">(?:fresh )?{dish}</text>\s*<text[^>]*>{price}</text>", menu), dish


def test_pictures_are_small():
    assert all(path.stat().st_size < 20_000 for path in (ROOT / "static" / "starter").iterdir())
