"""Which permission each kind of file asks for. docs/permissions.md says the same to people.

What a file is, is read from its content by the parser: a name proves nothing.
"""

from collections.abc import Mapping
from pathlib import PurePosixPath

from models_app.data.check import YAML_SUFFIXES, Role, roles_of
from models_app.data.outline import only_responses
from models_app.data.packages import named_classes
from models_app.data.yaml_text import YamlError, compose, decode, top_level
from studio.access.permissions import Permission

SECTIONS = (b"pipeline", b"policies", b"importers")
VIEWS = frozenset({Permission.NLU_VIEW, Permission.STORIES_VIEW, Permission.RESPONSES_VIEW})
# Intents, slots, forms, the pipeline and whatever else is no one's alone: who may modify both sides of a dialogue.
BOTH = frozenset({Permission.NLU_MODIFY, Permission.STORIES_MODIFY})
TO_MODIFY = {
    Role.NLU: frozenset({Permission.NLU_MODIFY}),
    Role.STORIES: frozenset({Permission.STORIES_MODIFY}),
    Role.RULES: frozenset({Permission.STORIES_MODIFY}),
    Role.TESTS: frozenset({Permission.STORIES_MODIFY}),
    Role.RESPONSES: frozenset({Permission.RESPONSES_MODIFY}),
    Role.CODE: frozenset({Permission.CODE_MODIFY}),
    Role.CONFIG: BOTH,
    Role.DOMAIN: BOTH,
    Role.OTHER: BOTH,
}
TO_VIEW = {
    Role.NLU: Permission.NLU_VIEW,
    Role.STORIES: Permission.STORIES_VIEW,
    Role.RULES: Permission.STORIES_VIEW,
    Role.TESTS: Permission.STORIES_VIEW,
    Role.RESPONSES: Permission.RESPONSES_VIEW,
}


def needed_to_modify(path: str, data: bytes) -> frozenset[Permission]:
    return frozenset().union(*(TO_MODIFY[role] for role in _roles(path, data)))


def needed_for_change(old: Mapping[str, bytes], new: Mapping[str, bytes]) -> frozenset[Permission]:
    """What turning `old` into `new` asks for: the rights on every changed file as it was and as it becomes.

    Naming another class of one's own in the pipeline decides which code runs, so it counts as code.
    """
    needed: set[Permission] = set()
    for path in old.keys() | new.keys():
        if old.get(path) != new.get(path):
            for files in (old, new):
                if path in files:
                    needed |= needed_to_modify(path, files[path])
    if needed >= BOTH and _class_names(new) - _class_names(old):
        needed.add(Permission.CODE_MODIFY)
    return frozenset(needed)


def needed_to_view(roles: frozenset[Role]) -> frozenset[Permission]:
    """Every one of these; a kind that is nobody's alone is open to whoever may see any data."""
    return frozenset(TO_VIEW[role] for role in roles if role in TO_VIEW)


def _roles(path: str, data: bytes) -> frozenset[Role]:
    pure = PurePosixPath(path)
    if pure.suffix.lower() == ".py":
        return frozenset({Role.CODE})
    if pure.suffix.lower() not in YAML_SUFFIXES:
        return frozenset({Role.OTHER})
    try:
        keys = top_level(compose(decode(data)))
    except YamlError:
        return frozenset({Role.OTHER})
    roles = roles_of(pure, keys)
    return roles - {Role.DOMAIN} if only_responses(keys) else roles


def _class_names(files: Mapping[str, bytes]) -> set[str]:
    configs = {path: data for path, data in files.items() if any(section in data for section in SECTIONS)}
    return {named.name for named in named_classes(configs)}
