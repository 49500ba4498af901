"""The tables of settings, permissions and roles say what the code says."""

import ast
import re
from collections.abc import Iterator

import pytest

from studio.access.permissions import DEFAULT_ROLES, Permission
from studio.access.ready_made import READY_MADE, ReadyMade
from tests.docs.pages import CHECKOUT, text_of
from tests.house.test_settings import READING

PERMISSIONS, SETTINGS = "docs/permissions.md", "docs/settings.md"
BEGINNING = {name: permissions for name, _, permissions in DEFAULT_ROLES}
TRAINING_DATA = {one for one in Permission if one.startswith(("nlu.", "stories.", "responses."))}


def rows(page: str, heading: str) -> Iterator[list[str]]:
    """Cells of the table whose first line begins so, and of others with the same head."""
    for table in re.findall(rf"^\| {heading}.*\n\|[-| ]+\n((?:\|.*\n)+)", text_of(page), re.MULTILINE):
        for line in table.splitlines():
            yield [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def defaults() -> dict[str, str]:
    """Of each setting whose default is written out in the code: that, as one would write the setting."""
    found: dict[str, str] = {}
    for path in READING:
        for node in ast.walk(ast.parse((CHECKOUT / path).read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("env.") and len(node.args) == 2:
                name, default = (_value(one) for one in node.args)
                if isinstance(name, str) and default is not None:
                    found[name] = str(int(default)) if isinstance(default, bool) else str(default)
    return found


def _value(node: ast.expr) -> object:
    """None for what is worked out from other settings."""
    try:
        return eval(compile(ast.Expression(node), "", "eval"), {"__builtins__": {}})
    except (NameError, AttributeError):
        return None


def test_defaults_are_found() -> None:
    found = defaults()
    assert (found["PORT"], found["PARLEY_STARTER"], found["PARLEY_TRAINING_SECONDS"]) == ("8000", "1", "14400")


@pytest.mark.parametrize("row", list(rows(SETTINGS, r"name \| default")), ids=lambda row: row[0].strip("`"))
def test_a_setting_s_default_is_that_of_the_code(row: list[str]) -> None:
    in_code = defaults().get(row[0].strip("`"))
    if re.fullmatch(r"`[^`]*`", row[1]):
        assert in_code is None or row[1] == f"`{in_code}`"
    else:
        assert in_code in (None, "", "0"), f"its default is {in_code}: write that into the table"


def test_every_permission_has_a_line_with_the_roles_of_the_beginning() -> None:
    told = {cells[0].strip("`"): [bool(cell) for cell in cells[2:]] for cells in rows(PERMISSIONS, "permission")}
    names = ("admin", "annotator", "tester")
    assert told == {str(one): [one in BEGINNING[name] for name in names] for one in Permission}


@pytest.mark.parametrize("offer", [one for one in READY_MADE if one.name not in BEGINNING], ids=lambda one: one.name)
def test_a_ready_made_role_holds_what_its_line_says(offer: ReadyMade) -> None:
    [line] = [cells for cells in rows(PERMISSIONS, "role") if cells[0] == f"`{offer.name}`"]
    if line[2] == "everything":
        assert set(offer.permissions) == set(Permission)
        return
    told = {Permission(one) for one in re.findall(r"`([a-z._]+)`", line[2])}
    if "the training data to see and to change" in line[2]:
        told |= TRAINING_DATA
    elif "the training data to see" in line[2]:
        told |= {one for one in TRAINING_DATA if one.endswith(".view")}
    assert told == set(offer.permissions)
