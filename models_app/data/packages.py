"""Which Python code of a project its pipeline names: training and serving put these packages on the path."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from models_app.data.check import Role, check_file
from models_app.data.yaml_text import decode

SECTIONS = ("pipeline", "policies", "importers")
RASA = "rasa"


@dataclass(frozen=True)
class NamedClass:
    name: str  # as the configuration has it: "my_components.sentiment.Analyzer"
    package: str  # its first part, which is what gets imported: "my_components"
    module: str | None  # the project's file that should define it; None: expected where Rasa is installed


def named_classes(files: Mapping[str, bytes]) -> list[NamedClass]:
    """The classes named by every config of the project, Rasa's own left out; each once, in order of name.

    A config that is not valid YAML names none: checking says so elsewhere.
    """
    names: set[str] = set()
    for path, data in files.items():
        if path.endswith((".yml", ".yaml")) and Role.CONFIG in check_file(path, data).roles[path]:
            names.update(_own_names(data))
    return [_locate(name, files) for name in sorted(names)]


def own_packages(files: Mapping[str, bytes]) -> list[str]:
    """The packages (or single modules) of the project that its pipeline needs."""
    return sorted({named.package for named in named_classes(files) if named.module is not None})


def names_in(config: Any, section: str) -> Iterator[str]:
    """The names of a configuration's entries in `pipeline`, `policies` or `importers`, in order."""
    entries = config.get(section) if isinstance(config, dict) else None
    for entry in entries if isinstance(entries, list) else []:
        name = entry.get("name") if isinstance(entry, dict) else entry
        if isinstance(name, str):
            yield name


def _own_names(data: bytes) -> Iterator[str]:
    try:
        config = YAML(typ="safe", pure=True).load(decode(data))
    except (YAMLError, ValueError, RecursionError):
        return
    for section in SECTIONS:
        for name in names_in(config, section):
            if "." in name and name.partition(".")[0] != RASA:
                yield name


def _locate(name: str, files: Mapping[str, bytes]) -> NamedClass:
    module_path = name.rpartition(".")[0].replace(".", "/")
    candidates = (f"{module_path}.py", f"{module_path}/__init__.py")
    module = next((path for path in candidates if path in files), None)
    return NamedClass(name, package=name.partition(".")[0], module=module)
