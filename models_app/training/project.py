"""From a revision's files to the arguments of `rasa train`."""

from dataclasses import dataclass
from pathlib import PurePosixPath

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

DATA_KEYS = frozenset({"nlu", "stories", "rules"})
DOMAIN_KEYS = frozenset({"intents", "entities", "slots", "responses", "actions", "forms", "session_config"})


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


def read_project(files: dict[str, bytes]) -> Project:
    """Find the configuration, the domain and the training data among the files by what they hold."""
    tops = {path: _top_level(content) for path, content in files.items() if path.endswith((".yml", ".yaml"))}
    config = _config_path(tops)
    domains = sorted(path for path, keys in tops.items() if _is_domain(path, keys))
    data = sorted(path for path, keys in tops.items() if keys.keys() & DATA_KEYS and not _is_test(path))
    if not domains:
        raise NotTrainable("There is no domain: a file such as domain.yml that lists intents and responses.")
    if not data:
        raise NotTrainable("There is no training data: files with nlu, stories or rules.")
    settings = tops[config]
    return Project(config, _domain_argument(domains), tuple(data), _components(settings), "assistant_id" in settings)


def _top_level(content: bytes) -> dict[str, object]:
    try:
        value = YAML(typ="safe", pure=True).load(content.decode("utf-8-sig"))
    except (YAMLError, UnicodeDecodeError, ValueError):
        return {}  # Rasa says what is wrong with it, in the log
    return value if isinstance(value, dict) else {}


def _config_path(tops: dict[str, dict[str, object]]) -> str:
    found = sorted(path for path, keys in tops.items() if "pipeline" in keys or "policies" in keys)
    if not found:
        raise NotTrainable("There is no configuration: a file such as config.yml with a pipeline and policies.")
    return "config.yml" if "config.yml" in found else found[0]


def _is_test(path: str) -> bool:
    return path.startswith("tests/") or PurePosixPath(path).name.startswith("test_")


def _is_domain(path: str, keys: dict[str, object]) -> bool:
    return bool(keys.keys() & DOMAIN_KEYS) and "pipeline" not in keys and not _is_test(path)


def _domain_argument(paths: list[str]) -> str:
    """Rasa takes one path: the file, or a folder that it reads whole."""
    if len(paths) == 1:
        return paths[0]
    parents = {PurePosixPath(path).parts[0] if "/" in path else "." for path in paths}
    return parents.pop() if len(parents) == 1 else "."


def _components(settings: dict[str, object]) -> tuple[str, ...]:
    names = []
    for part in ("pipeline", "policies"):
        entries = settings.get(part)
        for entry in entries if isinstance(entries, list) else []:
            name = entry.get("name") if isinstance(entry, dict) else entry
            names.append(str(name).rsplit(".", 1)[-1])
    return tuple(names)
