"""The Rasa runtimes of this installation: what their rows say, and what people wish of them. The controller's
installer makes it so."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from studio.access.models import User
from studio.audit.actions import Action
from studio.audit.services import record
from studio.errors import Conflict, Invalid
from studio.rasa import index
from studio.rasa.models import RasaRuntime
from studio.rasa.problems import RuntimeProblem
from studio.rasa.running import in_cluster
from studio.rasa.runtime import Own, Runtime, Runtimes
from studio.rasa.uses import Use, spoken, uses_of

State = RasaRuntime.State
VERSION = re.compile(r"3\.\d{1,3}\.\d{1,3}")


def runtimes() -> Runtimes:
    return Runtimes(settings.RASA_DIR, settings.RASA_PYTHON)


def own_interpreters() -> dict[str, Own]:
    """Those that PARLEY_RASA_OWN names, by name; in a cluster the images that PARLEY_RASA_IMAGES names."""
    if in_cluster():
        return {name: Own(name, Path("python"), _variables_of(name), image) for name, image in settings.RASA_IMAGES}
    return {name: Own(name, Path(python), _variables_of(name)) for name, python in settings.RASA_OWN}


def _variables_of(name: str) -> tuple[str, ...]:
    return tuple(variable for of, variable in settings.RASA_OWN_VARIABLES if of == name)


def find_runtime(name: str | None = None) -> Runtime | None:
    """The Rasa of that name, of the settings' one when it is left out or empty; None while it cannot be used."""
    name = name or settings.RASA_VERSION
    own = own_interpreters().get(name)
    return runtimes().find(name) if own is None else _find_own(own)


def _find_own(own: Own) -> Runtime | None:
    row = RasaRuntime.objects.filter(version=own.name, own=True).exclude(release="").first()
    if row is None or not own.is_there:
        return None
    return Runtime(row.release, own.python.parent, row.minimum_compatible_version, row.python, own)


def current_runtime() -> RasaRuntime:
    """The row of the one that the settings name."""
    return runtime_named(settings.RASA_VERSION)


def runtime_named(name: str | None) -> RasaRuntime:
    """The row of a Rasa; of one that nobody has asked for a row that is not stored, and says that it is missing.

    The settings' own is made when it is missing: it is installed without being asked for.
    """
    name = name or settings.RASA_VERSION
    own = name in own_interpreters()
    if name == settings.RASA_VERSION:
        return RasaRuntime.objects.get_or_create(version=name, defaults={"own": own})[0]
    return RasaRuntime.objects.filter(version=name).first() or RasaRuntime(version=name, own=own)


def ready_runtimes() -> Sequence[RasaRuntime]:
    """What an assistant can be given: the newest first, own ones last."""
    return in_order(RasaRuntime.objects.filter(state=State.READY))


def in_order(rows: Iterable[RasaRuntime]) -> Sequence[RasaRuntime]:
    def place(row: RasaRuntime) -> tuple[bool, list[int], str]:
        return row.own, [-int(part) for part in re.findall(r"\d+", row.version)], row.version

    return sorted(rows, key=place)


def add_version(*, actor: User | None, version: str) -> RasaRuntime:
    """Ask for another version to be installed. The index is asked first, so never call it within a transaction."""
    version = version.strip()
    if in_cluster():
        raise Invalid("Here every Rasa is a container image: PARLEY_RASA_IMAGES names them.", field="version")
    if not VERSION.fullmatch(version):
        raise Invalid("Write a version of Rasa Open Source 3 with three numbers, such as 3.6.20.", field="version")
    if RasaRuntime.objects.filter(version=version).exclude(state__in=[State.MISSING, State.FAILED]).exists():
        raise Conflict(f"{runtime_named(version)} is here already.", field="version")
    try:
        index.check_exists(version)
    except RuntimeProblem as problem:
        raise Invalid(f"{problem.message} {problem.mend}", field="version") from None
    return request_install(actor=actor, name=version)


@transaction.atomic
def request_install(*, actor: User | None, name: str | None = None) -> RasaRuntime:
    """Ask for a Rasa; the controller installs it and writes into the row how far it is.

    An own one is asked again which Rasa it has, also when it is ready: the team may have changed it.
    """
    row = runtime_named(name)
    if row._state.adding:
        row = RasaRuntime.objects.get_or_create(version=row.version, defaults={"own": row.own})[0]
    open_to = [State.MISSING, State.FAILED, State.READY] if row.own else [State.MISSING, State.FAILED]
    asked = RasaRuntime.objects.filter(pk=row.pk, state__in=open_to).update(
        state=State.WANTED, step="", done=0, total=0, message="", mend="", changed_at=timezone.now()
    )
    if not asked:
        raise Conflict(f"{row} is {row.get_state_display()}.")
    record(actor, Action.RASA_INSTALL_REQUESTED, row)
    row.refresh_from_db()
    return row


def _named_in() -> str:
    return "PARLEY_RASA_IMAGES" if in_cluster() else "PARLEY_RASA_OWN"


def why_kept(row: RasaRuntime) -> str:
    """A sentence when this Rasa may not be removed, else nothing."""
    return why_kept_by(row, uses_of(row.version))


def why_kept_by(row: RasaRuntime, uses: Sequence[Use]) -> str:
    if row.own:
        return f"{row} is the team's own: take it out of {_named_in()} instead."
    if row.version == settings.RASA_VERSION:
        return f"{row} is the one of this installation: PARLEY_RASA_VERSION names it."
    if row.state in {State.INSTALLING, State.REMOVING}:
        return f"{row} is {row.get_state_display()}."
    if uses:
        return f"{row} is used by {spoken(uses)}. Give them another one first."
    return ""


@transaction.atomic
def request_removal(*, actor: User | None, row: RasaRuntime) -> RasaRuntime:
    """Ask for its files to be removed. Refused while anything uses it."""
    locked = RasaRuntime.objects.select_for_update().filter(pk=row.pk).first()
    if locked is None:
        raise Conflict(f"{row} is removed already.")
    if why := why_kept(locked):
        raise Conflict(why)
    before = {"state": locked.state, "size": locked.size}
    locked.state, locked.message, locked.mend, locked.step = State.REMOVING, "", "", ""
    locked.save()
    record(actor, Action.RASA_REMOVAL_REQUESTED, locked, before=before)
    return locked
