"""What people can do by a page, programs can do by the API: every service has a door there, or a reason why not."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
APPS = ("studio", "models_app", "environments", "conversations")
SERVICES = ("*/services/*.py", "access/services/*.py", "services/*.py", "chat/*.py")

# Services that no program calls by itself, and why.
NO_DOOR = {
    "environments.services.birth.create_environment": "add_environment, which also makes the table for its events",
    "environments.services.declared.apply": "a file of the operator's, applied by a command",
    "environments.services.environments.update_environment": "change_environment, which also changes whose server it is",
    "environments.services.managed.run_here": "change_environment",
    "environments.services.promotion.adopt": "create_environment, for a tag from before",
    "environments.services.slots.wake": "ask, for pages that ask again and again",
    "models_app.services.assistants.add_assistant": "create_assistant, which also makes the environments",
    "models_app.services.assistants.mark_deleted": "delete_assistant, which also asks about servers",
    "models_app.services.examples.save_examples": "accept, which also takes what waited out of the list",
    "models_app.services.revisions.save_revision": "save_edits, which also asks for the rights",
    "models_app.services.training.put_in_line": "request_training and request_test",
    "studio.access.services.people.change_password": "passwords.change_own, which also asks for the current one",
    "studio.access.services.people.create_person": "add_person",
    "studio.access.services.sessions.begin": "a browser signs in",
    "studio.access.services.sessions.end_others": "of a browser, which stays signed in",
    "studio.access.services.sessions.leave": "a browser signs out",
    "studio.access.services.sign_in.why_no_link": "changes nothing",
}


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def services() -> Iterator[str]:
    """Every public function with a keyword-only `actor`: somebody's act."""
    files = {file for app in APPS for pattern in SERVICES for file in (ROOT / app).glob(pattern)}
    for file in sorted(files):
        for node in ast.parse(file.read_text()).body:
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_") and _is_an_act(node):
                yield f"{module_of(file)}.{node.name}"


def _is_an_act(node: ast.FunctionDef) -> bool:
    return any(argument.arg == "actor" for argument in node.args.kwonlyargs)


def api_files() -> Iterator[Path]:
    for app in ("studio/access", "studio/audit", "studio/rasa", *APPS):
        folder = ROOT / app
        yield from folder.glob("api.py")
        yield from folder.glob("api/**/*.py")


def called_by_api() -> set[str]:
    return {name for file in api_files() for name in _mentioned(ast.parse(file.read_text()))}


def _mentioned(tree: ast.Module) -> Iterator[str]:
    """Dotted names of everything imported, and of attributes of what is imported."""
    known: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                known[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    yield from known.values()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in known:
            yield f"{known[node.value.id]}.{node.attr}"


def test_every_service_has_a_door_in_the_api() -> None:
    missing = set(services()) - called_by_api() - set(NO_DOOR)
    assert not missing, f"No operation of the API calls {', '.join(sorted(missing))}."


def test_the_exceptions_are_services_without_a_door() -> None:
    everything, called = set(services()), called_by_api()
    assert set(NO_DOOR) <= everything
    assert not set(NO_DOOR) & called


def test_the_search_finds_services_and_doors() -> None:
    assert "environments.services.birth.create_assistant" in set(services()) & called_by_api()
