"""Secrets are found by their digest or compared in constant time, never letter by letter."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
SECRET = re.compile(r"(?<![a-z])(token|secret|password|digest|proof|signature|mac|code)s?(?![a-z])", re.IGNORECASE)

# Comparisons whose words look like secrets, and why they may be plain.
PLAIN = {
    "conversations/api/talking.py": "words of errors",
    "conversations/ingest/compare.py": "digests of events",
    "conversations/ingest/kafka_greeting.py": "numbers of errors",
    "conversations/services/intake.py": "names of settings",
    "environments/services/pointers.py": "digests of tokens: nobody can choose one that is almost right",
    "environments/model_server.py": "whether the proof is that of every tag, which no caller can show",
    "conversations/services/ratings.py": "digest of what somebody said, by which their rating is found again",
    "environments/controller/supervisor.py": "digest of the code that a server runs",
    "models_app/services/revisions.py": "digest of training data",
    "models_app/training/attempt.py": "exit codes",
    "models_app/training/finetune.py": "digest of a configuration",
    "models_app/training/validate.py": "exit codes",
    "studio/access/api/tokens.py": "rows, not their secrets",
    "studio/access/views/command_line.py": "names of ways to sign in",
    "studio/operators/tables.py": "names of columns",
}


def comparisons(path: Path):
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Compare):
            continue
        if any(isinstance(op, ast.Eq | ast.NotEq | ast.In | ast.NotIn) for op in node.ops):
            yield node


def is_variable(node: ast.expr) -> bool:
    """Something with a value of its own; comparing with a constant tells nothing about a secret."""
    return isinstance(node, ast.Name | ast.Attribute | ast.Call | ast.Subscript | ast.Tuple | ast.IfExp | ast.BoolOp)


def names_of(node: ast.AST) -> str:
    """What the values are called: `id` of `token.id`, `digest` of `bytes(row.digest)`."""
    if isinstance(node, ast.Attribute):
        return node.attr.replace("_", " ")
    if isinstance(node, ast.Name):
        return node.id.replace("_", " ")
    return " ".join(names_of(child) for child in ast.iter_child_nodes(node))


@cache
def found() -> dict[str, list[str]]:
    wrong: dict[str, list[str]] = {}
    for folder in ("studio", "models_app", "environments", "conversations"):
        for path in sorted((CHECKOUT / folder).rglob("*.py")):
            for node in comparisons(path):
                sides = [node.left, *node.comparators]
                if all(map(is_variable, sides)) and any(SECRET.search(names_of(side)) for side in sides):
                    wrong.setdefault(path.relative_to(CHECKOUT).as_posix(), []).append(ast.unparse(node))
    return wrong


def test_no_secret_is_compared_letter_by_letter() -> None:
    wrong = {path: lines for path, lines in found().items() if path not in PLAIN}
    assert not wrong, f"Use hmac.compare_digest, or find the row by crypto.digest(secret): {wrong}"


@pytest.mark.parametrize("path", PLAIN)
def test_every_exception_is_still_needed(path) -> None:
    assert path in found()
