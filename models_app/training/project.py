"""From a revision's files to the arguments of `rasa train`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from models_app.data.check import Role, is_beside_training
from models_app.data.outline import roles_at_a_glance
from models_app.data.packages import names_in
from models_app.data.yaml_text import decode

DATA = frozenset({Role.NLU, Role.STORIES, Role.RULES})


class NotTrainable(Exception):
    """The files are no project that Rasa can train; the message says what is missing."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


@dataclass(frozen=True)
class Project:
    config: str
    domain: str  # a file, or the folder that holds all domain files
    data: tuple[str, ...]
    components: tuple[str, ...]  # names of the pipeline's components and the policies, in order
    has_assistant_id: bool
    settings: Mapping[str, object] = field(default_factory=dict)  # the configuration; empty when it is no valid YAML


def read_project(files: dict[str, bytes]) -> Project:
    """Find the configuration, the domain and the training data among the files by what they hold.

    A file that is not valid YAML is named to Rasa like the others: its message about it is the one people know.
    """
    roles = {
        path: roles_at_a_glance(path, content)
        for path, content in files.items()
        if not is_beside_training(PurePosixPath(path))
    }
    configs = sorted(path for path, found in roles.items() if Role.CONFIG in found)
    domains = sorted(path for path, found in roles.items() if Role.DOMAIN in found)
    data = sorted(path for path, found in roles.items() if found & DATA)
    if not configs:
        raise NotTrainable("There is no configuration: a file such as config.yml with a pipeline and policies.")
    if not domains:
        raise NotTrainable("There is no domain: a file such as domain.yml that lists intents and responses.")
    if not data:
        raise NotTrainable("There is no training data: files with nlu, stories or rules.")
    config = "config.yml" if "config.yml" in configs else configs[0]
    settings = _settings(files[config])
    components = _components(settings)
    return Project(config, _domain_argument(domains), tuple(data), components, "assistant_id" in settings, settings)


def _settings(content: bytes) -> dict[str, object]:
    try:
        value = YAML(typ="safe", pure=True).load(decode(content))
    except (YAMLError, ValueError, RecursionError):
        return {}  # Rasa says what is wrong with it, in the log
    return value if isinstance(value, dict) else {}


def _domain_argument(paths: list[str]) -> str:
    """Rasa takes one path: the file, or a folder that it reads whole."""
    if len(paths) == 1:
        return paths[0]
    parents = {PurePosixPath(path).parts[0] if "/" in path else "." for path in paths}
    return parents.pop() if len(parents) == 1 else "."


def _components(settings: dict[str, object]) -> tuple[str, ...]:
    sections = ("pipeline", "policies")
    return tuple(name.rsplit(".", 1)[-1] for section in sections for name in names_in(settings, section))
