"""Judges a project before it is kept or trained: what each file is, and what would stop Rasa."""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePosixPath

from ruamel.yaml.nodes import Node, ScalarNode

from models_app.data.yaml_text import YamlError, compose, decode, is_utf8, top_level

YAML_SUFFIXES = frozenset({".yml", ".yaml"})
NEWEST_FORMAT = "3.1"  # of training data; Rasa 3.6 reads older ones too, and skips newer ones with a warning
FORMAT = re.compile(r"\d{1,3}(\.\d{1,3}){0,2}")


class Role(StrEnum):
    CONFIG = "config"
    DOMAIN = "domain"
    NLU = "nlu"
    STORIES = "stories"
    RULES = "rules"
    RESPONSES = "responses"
    TESTS = "tests"
    CODE = "code"
    OTHER = "other"


ROLES_BY_KEY = {
    "recipe": Role.CONFIG,
    "pipeline": Role.CONFIG,
    "policies": Role.CONFIG,
    "intents": Role.DOMAIN,
    "entities": Role.DOMAIN,
    "slots": Role.DOMAIN,
    "actions": Role.DOMAIN,
    "forms": Role.DOMAIN,
    "e2e_actions": Role.DOMAIN,
    "session_config": Role.DOMAIN,
    "nlu": Role.NLU,
    "stories": Role.STORIES,
    "rules": Role.RULES,
    "responses": Role.RESPONSES,
}
VERSIONED = frozenset({Role.DOMAIN, Role.NLU, Role.STORIES, Role.RULES, Role.RESPONSES, Role.TESTS})
NEEDED = {
    Role.CONFIG: "The project has no config: a YAML file with a pipeline or policies, such as config.yml.",
    Role.DOMAIN: "The project has no domain: a YAML file with intents, slots or responses, such as domain.yml.",
}


class Severity(StrEnum):
    ERROR = "error"  # Rasa would not train, or not what is meant
    WARNING = "warning"


@dataclass(frozen=True)
class Problem:
    severity: Severity
    message: str
    path: str = ""  # empty: the project as a whole
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        place = f", line {self.line}, column {self.column}" if self.line else ""
        return f"{self.path}{place}: {self.message}" if self.path else self.message


@dataclass(frozen=True)
class Report:
    roles: Mapping[str, frozenset[Role]]
    problems: tuple[Problem, ...]

    @property
    def errors(self) -> tuple[Problem, ...]:
        return tuple(problem for problem in self.problems if problem.severity is Severity.ERROR)

    @property
    def warnings(self) -> tuple[Problem, ...]:
        return tuple(problem for problem in self.problems if problem.severity is Severity.WARNING)


def check(files: Mapping[str, bytes]) -> Report:
    roles: dict[str, frozenset[Role]] = {}
    problems: list[Problem] = []
    for path in sorted(files):
        judged = check_file(path, files[path])
        roles[path] = judged.roles[path]
        problems.extend(judged.problems)
    problems.extend(_missing(frozenset().union(*roles.values())))
    return Report(roles, tuple(problems))


def check_file(path: str, data: bytes) -> Report:
    """One file alone, as on saving it in the editor."""
    pure = PurePosixPath(path)
    if pure.suffix.lower() not in YAML_SUFFIXES:
        role = Role.CODE if pure.suffix == ".py" else Role.OTHER
        return Report({path: frozenset({role})}, ())
    encoding = _encoding_problems(path, data)
    try:
        keys = top_level(compose(decode(data)))
    except YamlError as error:
        problem = Problem(Severity.ERROR, error.message, path, error.line, error.column)
        return Report({path: frozenset({Role.OTHER})}, (*encoding, problem))
    roles = roles_of(pure, keys)
    return Report({path: roles}, (*encoding, *_version_problems(path, roles, keys)))


def roles_of(path: PurePosixPath, keys: Collection[str]) -> frozenset[Role]:
    """What a YAML file with these keys at its top is to Rasa."""
    roles = frozenset(ROLES_BY_KEY[key] for key in keys if key in ROLES_BY_KEY)
    if Role.STORIES in roles and (path.name.startswith("test_") or is_beside_training(path)):
        return frozenset({Role.TESTS})  # the name is Rasa's own way to tell tests from stories
    # Responses belong to the domain, whether they stand in domain.yml or, as for retrieval intents, elsewhere.
    if Role.RESPONSES in roles and not roles & {Role.NLU, Role.STORIES, Role.RULES}:
        roles |= {Role.DOMAIN}
    return roles or frozenset({Role.OTHER})


def is_beside_training(path: PurePosixPath) -> bool:
    """Whether the file lies in the folder that `rasa test` reads and `rasa train` does not."""
    return path.parts[0] == "tests"


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _missing(present: frozenset[Role]) -> Iterator[Problem]:
    for role, message in NEEDED.items():
        if role not in present:
            yield Problem(Severity.ERROR, message)


def _encoding_problems(path: str, data: bytes) -> tuple[Problem, ...]:
    if is_utf8(data):
        return ()
    return (Problem(Severity.ERROR, "The file is not UTF-8, and Rasa reads nothing else. Save it as UTF-8.", path),)


def _version_problems(path: str, roles: frozenset[Role], keys: Mapping[str, Node]) -> tuple[Problem, ...]:
    version = keys.get("version")
    if version is None or not roles & VERSIONED or Role.CONFIG in roles:
        return ()  # without a version Rasa takes the newest format
    if not isinstance(version, ScalarNode) or not FORMAT.fullmatch(version.value):
        message = f'This is no format version; write version: "{NEWEST_FORMAT}".'
    elif _numbers(version.value) > _numbers(NEWEST_FORMAT):
        message = f"Rasa 3.6 leaves this file out: it reads formats up to {NEWEST_FORMAT}."
    elif version.style is None:
        message = f'The version has to be quoted: version: "{version.value}".'
    else:
        return ()
    mark = version.start_mark
    return (Problem(Severity.WARNING, message, path, mark.line + 1, mark.column + 1),)
