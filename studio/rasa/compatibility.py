"""Which Rasa can load which model."""

from packaging.version import InvalidVersion, Version


def can_load(trained_with: str, minimum_compatible: str) -> bool | None:
    """Whether a Rasa whose `minimum_compatible_version` is given loads a model trained with `trained_with`.

    Compared as Rasa does it. None when one of them is not a version, so that nobody takes a guess for an answer. Rasa
    does not refuse a model that was trained with a newer version than its own.
    """
    try:
        return Version(trained_with) >= Version(minimum_compatible)
    except InvalidVersion:
        return None
