"""What a model is made of, as its configuration tells it."""

import hashlib
import json
from collections.abc import Iterator, Mapping

from models_app.training.project import Project

SECTIONS = ("pipeline", "policies")
# Components of Rasa that begin with random numbers, and repeat themselves only when `random_seed` is set.
RANDOM = frozenset({"DIETClassifier", "ResponseSelector", "TEDPolicy", "UnexpecTEDIntentPolicy"})


def facts_of(project: Project, config: bytes) -> dict[str, object]:
    """Fields of TrainingJob by name. `config` is the configuration file as the revision has it."""
    return {
        "config_path": project.config,
        "config_digest": hashlib.sha256(config).digest(),
        "config_core_digest": core_digest(project.settings),
        "seeds": seeds_of(project.settings),
    }


def core_digest(settings: Mapping[str, object]) -> bytes:
    """Equal for two configurations of which Rasa lets one go on from a model of the other.

    Only epochs may differ. Rasa also passes over values that are its components' defaults, which are not known here.
    """
    core = {name: settings.get(name) for name in ("recipe", "language")}
    sections = {name: [_without_epochs(entry) for entry in _entries(settings, name)] for name in SECTIONS}
    return hashlib.sha256(json.dumps([core, sections], sort_keys=True, default=str).encode()).digest()


def _without_epochs(entry: object) -> object:
    if not isinstance(entry, dict):
        return {"name": entry}
    return {str(name): value for name, value in entry.items() if name != "epochs"}


def seeds_of(settings: Mapping[str, object]) -> list[tuple[str, int | None]]:
    """Each component that has a `random_seed`, or could have one, in order; None is none."""
    return list(_seeds(settings))


def _seeds(settings: Mapping[str, object]) -> Iterator[tuple[str, int | None]]:
    for section in SECTIONS:
        for entry in _entries(settings, section):
            options = entry if isinstance(entry, dict) else {"name": entry}
            name = str(options.get("name")).rsplit(".", 1)[-1]
            seed = options.get("random_seed")
            if isinstance(seed, int) or name in RANDOM:
                yield name, seed if isinstance(seed, int) else None


def _entries(settings: Mapping[str, object], section: str) -> list[object]:
    entries = settings.get(section)
    return entries if isinstance(entries, list) else []


def seed_words(seeds: list[tuple[str, int | None]]) -> str:
    """`42`, `DIETClassifier 42; not fixed in TEDPolicy`, `not fixed`, or that nothing depends on chance."""
    if not seeds:
        return "nothing in it depends on chance"
    fixed = {seed for _name, seed in seeds}
    if len(fixed) == 1:
        seed = next(iter(fixed))
        return "not fixed" if seed is None else str(seed)
    named = [f"{name} {seed}" for name, seed in seeds if seed is not None]
    open_ones = dict.fromkeys(name for name, seed in seeds if seed is None)
    return "; ".join([", ".join(named)] + ([f"not fixed in {', '.join(open_ones)}"] if open_ones else []))
