"""Find the Rasa runtime of a version, install it, or remove it.

Rasa Open Source 3.6 runs on Python 3.8 to 3.10 alone, so it lives in an environment of its own, made by `uv`:
`<folder>/<version>/`. A virtual environment holds absolute paths and cannot be moved once it is made, so it is made in
place, and a marker written last says that it is whole. What has no marker is the rest of a killed installation.
"""

import fcntl
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from studio.rasa.interpreter import find_interpreter
from studio.rasa.problems import CheckFailed, DiskFull, InstallerKilled, NoUv, OwnFailed, problem_of_uv

MARKER = ".complete"
NEEDED_BYTES = 4 * 1024**3  # the runtime takes 2.7 GB; the rest is for the archives on the way
EXPECTED_MB = 2600  # what uv writes for Rasa 3.6 when nothing is cached; for the progress bar only
TICK_SECONDS = 0.5
_TELLING = ("Downloading", "Building", "Resolved", "Prepared", "Installed")  # lines of uv worth showing

# Importing what trainings and servers import proves TensorFlow, SQLAlchemy, Sanic and the rest of what a broken install
# lacks. It also compiles them: the first training and the first server would each do that again, at the same time.
_CHECK = """
import json, platform, rasa.__main__, rasa.constants, rasa.model_training, rasa.server, rasa.version
print(json.dumps({
    "version": rasa.version.__version__,
    "python": platform.python_version(),
    "minimum_compatible_version": rasa.constants.MINIMUM_COMPATIBLE_VERSION,
}))
"""
_LARGEST = "import tensorflow"  # two thirds of it; compiled on a second core
_CHECK_SECONDS = 600


@dataclass(frozen=True)
class Progress:
    """How far an installation is; packages are counted in MB. `total` 0: the length of this step is not known."""

    step: str  # waiting, python, packages, check, done
    done: int
    total: int
    message: str


Report = Callable[[Progress], None]


@dataclass(frozen=True)
class Own:
    """A team's own interpreter, as the settings name it. `variables` of our environment go to its processes alone.

    With `image` it is the `python` of that container image.
    """

    name: str
    python: Path
    variables: tuple[str, ...] = ()
    image: str = ""

    @property
    def is_there(self) -> bool:
        return bool(self.image) or self.python.exists()

    def environment(self) -> dict[str, str]:
        return {name: os.environ[name] for name in self.variables if os.environ.get(name)}

    @property
    def unset(self) -> list[str]:
        return [name for name in self.variables if not os.environ.get(name)]


@dataclass(frozen=True)
class Runtime:
    """A Rasa that runs here. `version` is what it says of itself."""

    version: str
    folder: Path
    minimum_compatible_version: str
    python_version: str = ""
    own: Own | None = None

    @property
    def name(self) -> str:
        """What an assistant chooses: a version that we installed, or the name of an own interpreter."""
        return self.own.name if self.own else self.version

    @property
    def label(self) -> str:
        return f"{self.own.name} ({self.version})" if self.own else self.version

    @property
    def python(self) -> Path:
        return self.own.python if self.own else self.folder / "bin" / "python"

    @property
    def image(self) -> str:
        return self.own.image if self.own else ""

    @property
    def environment(self) -> dict[str, str]:
        """What its processes get of our environment beside what every Rasa gets."""
        return self.own.environment() if self.own else {}


@dataclass(frozen=True)
class Runtimes:
    """The runtimes under `folder`; `interpreter` is the Python that RASA_PYTHON names, if any."""

    folder: Path
    interpreter: str | None = None

    def find(self, version: str) -> Runtime | None:
        """The runtime of `version`, or None when it is missing or was not installed to its end."""
        place = self.folder / version
        try:
            facts = json.loads((place / MARKER).read_text())
        except (FileNotFoundError, NotADirectoryError, ValueError):
            return None
        runtime = Runtime(version, place, facts["minimum_compatible_version"], facts.get("python", ""))
        return runtime if runtime.python.exists() else None

    def installed(self) -> list[str]:
        """Versions that are there as a whole, whoever installed them."""
        return sorted(place.parent.name for place in self.folder.glob(f"*/{MARKER}") if self.find(place.parent.name))

    def install(self, version: str, report: Report) -> Runtime:
        """The runtime of `version`, installed if it is missing. Raises a RuntimeProblem that says how to mend it.

        Two installers at once: the second waits, then finds what the first made.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._lock(version, report) as lock:
            found = self.find(version)
            if found is None:
                self._check_space()
                found = self._make(version, report, lock)
            report(Progress("done", 1, 1, f"Rasa {version} is installed."))
            return found

    def adopt(self, version: str) -> Runtime:
        """The runtime of `version` that something else installed here, once it is proved. Raises CheckFailed."""
        return self._prove(version)

    def remove(self, version: str, report: Report, is_free: Callable[[], bool]) -> bool:
        """Remove the runtime of `version`; False when `is_free` says no once nobody finds it any more."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._lock(version, report):
            marker, hidden = self.folder / version / MARKER, self.folder / version / f"{MARKER}.removed"
            if marker.exists():
                marker.replace(hidden)
            if not is_free():
                if hidden.exists():
                    hidden.replace(marker)
                return False
            report(Progress("remove", 0, 0, "Removing its files"))
            shutil.rmtree(self.folder / version, ignore_errors=True)
            return True

    def _make(self, version: str, report: Report, lock: int) -> Runtime:
        place = self.folder / version
        shutil.rmtree(place, ignore_errors=True)
        uv = find_uv()
        report(Progress("python", 0, 1, "Looking for Python 3.10"))
        interpreter = find_interpreter(self.interpreter)
        _run_uv([uv, "venv", "--python", interpreter or "3.10", str(place)], lock, lambda _lines, _written: None)
        report(Progress("packages", 0, EXPECTED_MB, f"Installing Rasa {version}"))
        self._install_packages(uv, version, report, lock)
        report(Progress("check", 0, 0, "Compiling it, and checking that it runs"))
        return self._prove(version)

    def _install_packages(self, uv: str, version: str, report: Report, lock: int) -> None:
        message = "Reading the list of packages"

        def tell(lines: list[str], written: int) -> None:
            nonlocal message
            message = next((line.strip() for line in reversed(lines) if line.strip().startswith(_TELLING)), message)
            report(Progress("packages", min(written // 1_000_000, EXPECTED_MB), EXPECTED_MB, message))

        # setuptools 81 removed pkg_resources, which Rasa 3.6 imports.
        packages = [f"rasa=={version}", "setuptools<81"]
        python = str(self.folder / version / "bin" / "python")
        _run_uv([uv, "pip", "install", "--python", python, *packages], lock, tell)

    def _prove(self, version: str) -> Runtime:
        place = self.folder / version
        output, errors, code = _python(place / "bin" / "python", _CHECK, home=place, beside=_LARGEST)
        if code != 0:
            raise CheckFailed(errors)
        facts = _facts(output)
        _write_whole(place / MARKER, json.dumps(facts))
        return Runtime(version, place, facts["minimum_compatible_version"], facts["python"])

    def _check_space(self) -> None:
        free = shutil.disk_usage(self.folder).free
        if free < NEEDED_BYTES:
            raise DiskFull(self.folder, free, NEEDED_BYTES)

    @contextmanager
    def _lock(self, version: str, report: Report) -> Iterator[int]:
        """Hold the installer's lock. uv inherits it: one that outlives its killed installer keeps the next waiting."""
        with (self.folder / f"{version}.lock").open("w") as file:
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    report(Progress("waiting", 0, 0, "Another process is installing it"))
                    time.sleep(TICK_SECONDS)
            yield file.fileno()


def probe(own: Own, home: Path) -> Runtime:
    """What a team's own interpreter says of its Rasa. Raises OwnFailed. `home`: a folder that it may write to."""
    if not own.python.exists():
        raise OwnFailed(own.name, own.python, "There is no such file.")
    home.mkdir(parents=True, exist_ok=True)
    try:
        output, errors, code = _python(own.python, _CHECK, home=home, environment=own.environment())
        if code == 0:
            facts = _facts(output)
            version, minimum = facts["version"], facts["minimum_compatible_version"]
            return Runtime(version, own.python.parent, minimum, facts["python"], own)
    except (OSError, subprocess.TimeoutExpired, ValueError, KeyError, IndexError) as error:
        errors = str(error)
    unset = f"\n{', '.join(own.unset)} of PARLEY_RASA_OWN_VARIABLES is not set." if own.unset else ""
    raise OwnFailed(own.name, own.python, errors + unset)


def _facts(output: str) -> dict[str, str]:
    facts: dict[str, str] = json.loads(output.strip().splitlines()[-1])
    return facts


def find_uv() -> str:
    """Path of the uv program: the one of our own environment, else one on PATH."""
    beside = Path(sys.executable).with_name("uv")
    found = str(beside) if beside.exists() else shutil.which("uv")
    if found is None:
        raise NoUv
    return found


def _python(
    python: Path, code: str, *, home: Path, beside: str = "", environment: dict[str, str] | None = None
) -> tuple[str, str, int]:
    """Output, errors and exit code of `code` run by `python`; what `beside` prints concerns nobody."""
    command = [str(python), "-W", "ignore", "-c"]
    given = {"PATH": os.defpath, "HOME": str(home), "RASA_TELEMETRY_ENABLED": "false", **(environment or {})}
    quiet = subprocess.DEVNULL
    with subprocess.Popen([*command, beside], cwd=home, env=given, stdout=quiet, stderr=quiet) as second:
        try:
            done = subprocess.run(
                [*command, code], cwd=home, env=given, capture_output=True, text=True, timeout=_CHECK_SECONDS
            )
        finally:
            second.kill()
    return done.stdout, done.stderr, done.returncode


def _run_uv(command: list[str], lock: int, tell: Callable[[list[str], int], None]) -> None:
    """Run uv to its end; `tell` gets the new lines of its output, twice a second, and the bytes written so far."""
    with subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        pass_fds=[lock],
        env={**os.environ, "UV_NO_PROGRESS": "1", "NO_COLOR": "1"},
    ) as process:
        try:
            output = _follow(process, tell)
        finally:
            process.kill()
    if process.returncode < 0:
        raise InstallerKilled(-process.returncode)
    if process.returncode != 0:
        raise problem_of_uv(output, making_environment=command[1] == "venv")


def _follow(process: "subprocess.Popen[bytes]", tell: Callable[[list[str], int], None]) -> str:
    assert process.stderr is not None
    os.set_blocking(process.stderr.fileno(), False)
    output = rest = ""
    written = 0
    while True:
        written = max(written, _written_by(process.pid))
        ended = process.poll() is not None
        new = (process.stderr.read() or b"").decode(errors="replace")
        output, (*lines, rest) = output + new, (rest + new).split("\n")
        tell(lines, written)
        if ended:
            return output
        time.sleep(TICK_SECONDS)


def _written_by(pid: int) -> int:
    """Bytes that process `pid` has written so far; 0 where the system does not tell (not Linux, or ended)."""
    try:
        lines = Path(f"/proc/{pid}/io").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("wchar:")), 0)


def _write_whole(path: Path, text: str) -> None:
    """Write so that a reader finds all of it or nothing, also after a power cut."""
    new = path.with_name(path.name + ".new")
    with new.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
