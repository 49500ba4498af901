"""What can go wrong with the Rasa runtime: each says in one sentence what happened and in another how to mend it."""

from pathlib import Path

TAIL_LINES = 12


class RuntimeProblem(Exception):
    """The Rasa runtime cannot be had. `message` says why, `mend` what to do; `details` may hold a program's output."""

    def __init__(self, message: str, mend: str, details: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.mend = mend
        self.details = details


class NoUv(RuntimeProblem):
    def __init__(self) -> None:
        super().__init__(
            "The program uv, which installs Rasa, was not found.",
            "Install Parley's own packages again (requirements.lock holds uv), or put uv on the PATH.",
        )


class NoPython(RuntimeProblem):
    def __init__(self, details: str = "") -> None:
        super().__init__(
            "Rasa needs Python 3.10. None was found on this machine, and none could be downloaded.",
            "Install Python 3.10 (for example with pyenv) and try again, or set RASA_PYTHON to the path of one and "
            "start Parley again.",
            details,
        )


class WrongInterpreter(RuntimeProblem):
    def __init__(self, named: str, version: str | None) -> None:
        what = "does not run, or lacks a module that Rasa needs" if version is None else f"is Python {version}"
        super().__init__(
            f"RASA_PYTHON is {named}, which {what}.",
            "Set RASA_PYTHON to the path of a complete Python 3.8, 3.9 or 3.10, or unset it, and start Parley again.",
        )


class NoNetwork(RuntimeProblem):
    def __init__(self, details: str = "") -> None:
        super().__init__(
            "The package index could not be reached.",
            "Check the network and try again, or set UV_DEFAULT_INDEX to a mirror that this machine may use and start "
            "Parley again.",
            details,
        )


class UntrustedIndex(RuntimeProblem):
    """uv brings its own list of authorities, so that of a company's network is unknown to it until it is named."""

    def __init__(self, details: str = "") -> None:
        super().__init__(
            "The package index shows a certificate that is not trusted here.",
            "If your network opens encrypted connections, set SSL_CERT_FILE to the file of its authorities and start "
            "Parley again.",
            details,
        )


class DiskFull(RuntimeProblem):
    def __init__(
        self, folder: Path | None = None, free: int | None = None, needed: int | None = None, details: str = ""
    ) -> None:
        sizes = ""
        if free is not None and needed is not None:
            sizes = f" {free / 1e9:.1f} GB are free, {needed / 1e9:.1f} GB are needed."
        super().__init__(
            f"There is not enough room for Rasa in {folder}.{sizes}" if folder else "The disk is full.",
            "Free some space and try again, or set PARLEY_RASA to a folder on a larger disk and start Parley again.",
            details,
        )


class InstallFailed(RuntimeProblem):
    def __init__(self, details: str) -> None:
        super().__init__(
            "The packages of Rasa could not be installed.",
            "The installer's own words are below. Mend what they name, then try again.",
            details,
        )


class NoSuchVersion(RuntimeProblem):
    def __init__(self, version: str, newest: str = "", details: str = "") -> None:
        known = f" The newest that it has is {newest}." if newest else ""
        super().__init__(
            f"The package index has no Rasa {version}.{known}",
            "Choose a version that it has. If you use a mirror (UV_DEFAULT_INDEX), ask those who run it for this one.",
            details,
        )


class OtherPython(RuntimeProblem):
    def __init__(self, details: str) -> None:
        super().__init__(
            "This Rasa does not run on the Python that was found.",
            "Below the installer says which it needs. Set RASA_PYTHON to the path of such a one and start Parley "
            "again, or choose another version; Rasa 3.4 and later run on Python 3.10.",
            details,
        )


class OwnFailed(RuntimeProblem):
    """A team's own interpreter does not say which Rasa it has."""

    def __init__(self, name: str, python: Path, details: str) -> None:
        super().__init__(
            f"The interpreter {name} ({python}) does not run Rasa.",
            "Mend what its own words below name: the path in PARLEY_RASA_OWN, its packages, or the variables of its "
            "licence in PARLEY_RASA_OWN_VARIABLES. Settings are read when Parley starts.",
            tail(details),
        )


class ImageFailed(RuntimeProblem):
    """The Rasa of a container image does not say what it is."""

    def __init__(self, name: str, image: str, details: str) -> None:
        super().__init__(
            f"The image {name} ({image}) does not run Rasa.",
            "Below is what Kubernetes or the image says. PARLEY_RASA_IMAGES names the images, "
            "PARLEY_KUBERNETES_TEMPLATE what their Pods need. Settings are read when Parley starts.",
            tail(details),
        )


class InstallerKilled(RuntimeProblem):
    def __init__(self, number: int) -> None:
        super().__init__(
            f"The installer was ended from outside, by signal {number}, before it was done.",
            "If nobody did that, the machine ran out of memory: end what it can spare, then try again.",
        )


class CheckFailed(RuntimeProblem):
    def __init__(self, details: str) -> None:
        super().__init__(
            "Rasa was installed but does not start on this machine.",
            "Its own words are below. A missing system library is the usual cause.",
            tail(details),
        )


_NETWORK_SIGNS = (
    "error sending request",
    "dns error",
    "tcp connect error",
    "failed to fetch",
    "connection refused",
    "network is unreachable",
    "request failed after",
    "operation timed out",
)
_CERTIFICATE_SIGNS = ("invalid peer certificate",)
_DISK_SIGNS = ("no space left on device", "os error 28", "disk quota exceeded")
_VERSION_SIGNS = ("there is no version of rasa==",)
_OTHER_PYTHON_SIGNS = ("does not satisfy python",)
_PYTHON_SIGNS = ("no interpreter found", "no download found", "no python")


def problem_of_uv(output: str, *, making_environment: bool) -> RuntimeProblem:
    """The problem that uv's `output` tells of. A Python that cannot be downloaded is no Python, not no network."""
    said = output.lower()
    if any(sign in said for sign in _DISK_SIGNS):
        return DiskFull(details=tail(output))
    if any(sign in said for sign in _CERTIFICATE_SIGNS):
        return UntrustedIndex(tail(output))
    if making_environment and any(sign in said for sign in (*_PYTHON_SIGNS, *_NETWORK_SIGNS)):
        return NoPython(tail(output))
    if any(sign in said for sign in _NETWORK_SIGNS):
        return NoNetwork(tail(output))
    if any(sign in said for sign in _VERSION_SIGNS):
        return NoSuchVersion(said.partition(_VERSION_SIGNS[0])[2].split(maxsplit=1)[0], details=tail(output))
    if any(sign in said for sign in _OTHER_PYTHON_SIGNS):
        return OtherPython(tail(output))
    return InstallFailed(tail(output))


def tail(output: str) -> str:
    """The last lines of a program's output."""
    return "\n".join(output.strip().splitlines()[-TAIL_LINES:])
