"""What lists say that a file holds."""

import pytest

from models_app.data.outline import outline


@pytest.mark.parametrize(
    ("text", "kinds", "words"),
    [
        ("nlu:\n- intent: a\n  examples: |\n    - x\n    - y\n- synonym: z\n  examples: |\n    - zz\n", "nlu", "1 intent, 1 synonym, 3 examples"),
        ("nlu:\n  - intent: a\n    examples: |\n      - x\n  - intent: a\n    examples: |\n      - y\n", "nlu", "1 intent, 2 examples"),
        ("intents: [a, b]\nslots:\n  x:\n    type: text\n  y:\n    type: text\n", "domain", "2 intents, 2 slots"),
        ("intents: [\n  a,\n  b\n]\n", "domain", "2 intents"),
        ("responses:\n  utter_a:\n  - text: x\n", "responses", "1 response"),
        ("rules:  # ours\n\n# more\n- rule: a\n  steps: []\n", "rules", "1 rule"),
        ("pipeline:\npolicies:\n- name: A\n", "config", "1 policy"),
        ("{stories: []}", "stories", ""),
        ("nonsense: [", "other", ""),
        ("", "other", ""),
    ],
)  # fmt: skip
def test_yaml_is_counted(text: str, kinds: str, words: str):
    found = outline("data/x.yml", text.encode())
    assert (" ".join(found.kinds), found.words) == (kinds, words)


def test_stories_whose_name_says_so_are_tests():
    assert outline("tests/test_stories.yml", b"stories:\n- story: a\n  steps: []\n").kinds == ["tests"]


def test_code_is_counted_in_lines():
    assert outline("a/b.py", b"x = 1\ny = 2\n").words == "2 lines"
