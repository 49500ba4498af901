"""Every block of the documentation is run or says why not; what it names is there.

A block of shell has `<!-- run: tests/… -->` or `<!-- not run: why -->` on the line before it (or before its empty line),
or its page has it below the title. Readers see neither.
"""

import ast
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from ruamel.yaml import YAML

from environments.services.connecting import START
from tests.docs.commands import complaints
from tests.docs.pages import CHECKOUT, Block, block_of, blocks, blocks_of, code_in_text, pages, text_of
from tests.house.test_settings import in_documentation

LANGUAGES = {"sh", "yaml", "json", "properties", "ini", "nginx", "html", "text"}
OURS = re.compile(r"^(?:\w+=\S* )*(?:\.venv/bin/python )?(?:manage\.py|make|parley|python -m bench) ")


def test_every_block_says_what_it_is() -> None:
    wrong = [str(block) for block in blocks() if block.language not in LANGUAGES]
    assert not wrong, f"Write one of {sorted(LANGUAGES)} behind the opening ``` of these blocks: {wrong}"


@pytest.mark.parametrize("page", pages())
def test_no_block_is_made_by_indentation(page: str) -> None:
    found = [token.content for token in MarkdownIt("commonmark").parse(text_of(page)) if token.type == "code_block"]
    assert not found, f"Put these lines between ``` and say what they are: {found}"


def test_every_block_of_shell_is_run_or_says_why_not() -> None:
    wrong = [str(block) for block in blocks("sh") if not block.mark]
    assert not wrong, f"Put <!-- run: tests/… --> or <!-- not run: the reason --> above these blocks: {wrong}"


@pytest.mark.parametrize("block", [one for one in blocks() if one.mark == "run"], ids=str)
def test_the_test_that_runs_a_block_reads_it_from_its_page(block: Block) -> None:
    for name in block.reason.split(", "):
        test = CHECKOUT / name
        assert test.is_file(), f"{block} names {name}, which is not there"
        assert block.page in test.read_text(), f"{name} does not name {block.page}: does it run {block}?"


@pytest.mark.parametrize("block", [one for one in blocks("sh") if one.mark == "run"], ids=str)
def test_a_block_that_is_said_to_be_run_is_read_by_its_tests(block: Block) -> None:
    read = any(_reads((CHECKOUT / name).read_text(), block) for name in block.reason.split(", "))
    assert read, f"No test of {block.reason} reads {block}: name its beginning there"


def _reads(test: str, block: Block) -> bool:
    """Whether it goes through all blocks of that language, or asks for this one by its beginning: `block_of(…)`, or a
    function that calls that, its own or one of its neighbours'."""
    tree = ast.parse(test)
    askers = {"block_of", *_askers(tree), *_askers_of_all()}
    for name, words in _calls(tree):
        if name == "blocks" and (not words or block.language in words):
            return True
        if name in askers and any(word and block.text.startswith(word) for word in words):
            return True
    return False


def _askers(tree: ast.AST) -> set[str]:
    functions = [one for one in ast.walk(tree) if isinstance(one, ast.FunctionDef)]
    return {one.name for one in functions if any(name == "block_of" for name, _ in _calls(one))}


@cache
def _askers_of_all() -> frozenset[str]:
    texts = (path.read_text() for path in (CHECKOUT / "tests").rglob("*.py"))
    return frozenset(name for text in texts if "block_of(" in text for name in _askers(ast.parse(text)))


def _calls(tree: ast.AST) -> Iterator[tuple[str, list[str]]]:
    """Of each call the function or method, and the texts that it is given."""
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name | ast.Attribute):
            words = [one.value for one in call.args if isinstance(one, ast.Constant) and isinstance(one.value, str)]
            yield call.func.id if isinstance(call.func, ast.Name) else call.func.attr, words


def test_a_block_that_no_test_reads_is_noticed() -> None:
    test = """
def typed(beginning): run(block_of(PAGE, beginning))
def test_it(): typed("make run"); other("make demo")
@pytest.mark.parametrize("block", blocks("ini"))
def test_units(block): ...
"""
    lines = {"make run\n": True, "make demo\n": False, "make test\n": False}
    assert {text: _reads(test, Block("docs/a.md", 1, "sh", text)) for text in lines} == lines
    assert _reads(test, Block("docs/a.md", 1, "ini", "[Unit]\n"))


def test_a_mark_right_before_a_block_is_that_block_s_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fence = "```sh\n:\n```\n\n"
    for name, beginning in {
        "of-block": f"<!-- run: a.py -->\n{fence}",
        "of-page": "<!-- run: a.py -->\n\nText.\n\n",
    }.items():
        (tmp_path / name).write_text(f"# Title\n\n{beginning}{fence}")
    monkeypatch.setattr("tests.docs.pages.CHECKOUT", tmp_path)
    assert [one.mark for one in blocks_of("of-block")] == ["run", ""]
    assert [one.mark for one in blocks_of("of-page")] == ["run"]


def test_a_reason_is_a_sentence() -> None:
    wrong = [str(block) for block in blocks() if block.mark == "not run" and len(block.reason.split()) < 3]
    assert not wrong, f"Say why these are not run: {wrong}"


@pytest.mark.parametrize("block", blocks("sh"), ids=str)
def test_what_a_block_of_shell_calls_is_there(block: Block) -> None:
    joined = block.text.replace("\\\n", " ")
    assert [wrong for line in joined.splitlines() for wrong in complaints(line)] == []


def test_what_the_text_tells_to_type_is_there() -> None:
    wrong = [f"{page}: {one}" for page, code in code_in_text() if OURS.match(code) for one in complaints(code)]
    assert not wrong


def test_a_command_or_option_that_is_not_there_is_noticed() -> None:
    lines = {
        "manage.py demolish": "manage.py has no command demolish",
        "A=1 .venv/bin/python manage.py backup s3://x --quickly": "manage.py backup has no option --quickly",
        "parley relase x": "parley has no command relase",
        "M=$(parley train --teste) && parley status": "parley train has no option --teste",
        "parley conversations export --filtre intent=greet": "parley export has no option --filtre",
        "PORT=1 make runn": "make has no target runn",
        "python -m bench pol": "there is no benchmark pol",
    }
    assert {line: list(complaints(line)) for line in lines} == {line: [wrong] for line, wrong in lines.items()}


def test_a_rasa_server_is_started_as_its_page_in_parley_says() -> None:
    assert block_of("docs/connect-your-rasa.md", "PARLEY_REPLICA") == f"{START}\n"


@pytest.mark.parametrize("block", blocks("yaml"), ids=str)
def test_yaml_can_be_read(block: Block) -> None:
    assert YAML(typ="safe").load(block.text)


@pytest.mark.parametrize("block", blocks("json"), ids=str)
def test_json_can_be_read(block: Block) -> None:
    assert json.loads(block.text)


@pytest.mark.parametrize("block", blocks("properties"), ids=str)
def test_settings_in_blocks_are_settings(block: Block) -> None:
    named = set(re.findall(r"^([A-Z][A-Z0-9_]+)=", block.text, re.MULTILINE))
    assert named and named <= in_documentation()


def test_settings_in_the_text_are_settings() -> None:
    known = {*in_documentation(), *_variables_of_others()}
    named = re.compile(r"(?<![A-Z_])PARLEY_[A-Z0-9_]+")
    wrong = {f"{page}: {one}" for page, code in code_in_text() for one in named.findall(code) if one not in known}
    assert not {one for one in wrong if not one.endswith("_")}


def _variables_of_others() -> set[str]:
    """Of Rasa servers, the command, make and the shell: no settings of ours."""
    files = {f"{name}_FILE" for name in in_documentation()}
    return files | {"PARLEY_REPLICA", "PARLEY_EVENTS_PASSWORD", "PARLEY_TOKEN", "PARLEY_PROJECT", "PARLEY_PROFILE"}
