"""Where an installation keeps what the launcher makes, and who may enter there."""

import hashlib
import os
import pwd
import shutil
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from studio.embedded.errors import LaunchError

# The kernel's limit of a unix socket's path is 107 bytes on Linux and 103 on macOS.
MAX_SOCKET_PATH = 103
# Where root keeps PostgreSQL's files when PostgreSQL's own user cannot enter PARLEY_DATA.
SYSTEM_FOLDER = Path("/var/lib/parley")


@dataclass(frozen=True, slots=True)
class Folders:
    """The places of one installation, all below `data` (PARLEY_DATA)."""

    data: Path

    @property
    def run(self) -> Path:
        return self.data / "run"

    @property
    def logs(self) -> Path:
        return self.data / "logs"

    @property
    def secrets(self) -> Path:
        return self.data / "secrets"

    @property
    def postgres(self) -> Path:
        return self.data / "postgres"

    @property
    def redis(self) -> Path:
        return self.data / "redis"

    def make(self) -> None:
        """Create what is missing; a folder that was there keeps the permissions its owner gave it."""
        if not self.data.exists():
            make_private(self.data)
            if os.geteuid() == 0:  # PostgreSQL's user has to pass through to its own folder
                self.data.chmod(0o711)
        for folder in (self.run, self.logs, self.secrets, self.redis):
            make_private(folder)


def make_private(folder: Path) -> None:
    """`folder`, open to its owner alone from the first moment."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise LaunchError(
            f"{folder} cannot be made: {error.strerror}. Set PARLEY_DATA to a folder you may write."
        ) from error


def write_private(path: Path, text: str) -> None:
    """Replace `path` by `text` in one step, readable by its owner alone."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mkstemp makes it 0600
    with os.fdopen(handle, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    Path(name).replace(path)


def may_enter(folder: Path, user: pwd.struct_passwd) -> bool:
    """Whether `user` may pass through `folder` and all above it. Only permission bits count, no access lists."""
    groups = set(os.getgrouplist(user.pw_name, user.pw_gid))
    return all(_may_pass(step.stat(), user.pw_uid, groups) for step in (folder, *folder.parents))


def _may_pass(status: os.stat_result, user: int, groups: set[int]) -> bool:
    if status.st_uid == user:
        return bool(status.st_mode & stat.S_IXUSR)
    if status.st_gid in groups:
        return bool(status.st_mode & stat.S_IXGRP)
    return bool(status.st_mode & stat.S_IXOTH)


def system_folder(data: Path) -> Path:
    """A new folder outside of `data` for PostgreSQL's files; its name tells which installation it belongs to."""
    label = hashlib.sha256(str(data).encode()).hexdigest()[:8]
    try:
        SYSTEM_FOLDER.mkdir(mode=0o755, parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f"{label}-", dir=SYSTEM_FOLDER))
    except OSError as error:
        raise LaunchError(
            f"PostgreSQL's user cannot enter {data}, and {SYSTEM_FOLDER} cannot be used: {error.strerror}. Set "
            "PARLEY_DATA to a folder that every user may pass through, run as an ordinary user, or set DATABASE_URL."
        ) from error
    folder.chmod(0o711)
    return folder


def socket_folder(wished: Path, longest_name: str, *, owner: pwd.struct_passwd | None = None) -> Path:
    """`wished`, or a short private folder in its place when a socket `longest_name` in it would be too long.

    The short one is remembered in a file beside `wished`; it is made anew when it is gone or not ours any more
    (temporary folders are cleaned, and anyone may create a name there).
    """
    if len(os.fsencode(wished / longest_name)) <= MAX_SOCKET_PATH:
        make_private(wished)
        _give(wished, owner)
        return wished
    note = wished.with_name(f"{wished.name}.elsewhere")
    if note.is_file() and _is_private(remembered := Path(note.read_text().strip()), owner):
        return remembered
    short = Path(tempfile.mkdtemp(prefix="parley-", dir=_short_temporary_folder()))
    _give(short, owner)
    write_private(note, f"{short}\n")
    return short


def _short_temporary_folder() -> str:
    usual = tempfile.gettempdir()  # TMPDIR itself can be long
    return usual if len(os.fsencode(usual)) <= MAX_SOCKET_PATH // 2 else "/tmp"  # noqa: S108 - mkdtemp makes it 0700


def _is_private(folder: Path, owner: pwd.struct_passwd | None) -> bool:
    try:
        status = folder.lstat()
    except OSError:
        return False
    user = owner.pw_uid if owner else os.geteuid()
    return stat.S_ISDIR(status.st_mode) and status.st_uid == user and stat.S_IMODE(status.st_mode) == 0o700


def _give(folder: Path, owner: pwd.struct_passwd | None) -> None:
    if owner is not None:
        shutil.chown(folder, owner.pw_uid, owner.pw_gid)
