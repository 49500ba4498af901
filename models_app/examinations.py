"""What `manage.py doctor` asks the artifact store beyond what `/readyz` does: a few bytes there and back."""

import hashlib
import io
import secrets
from collections.abc import Iterator

from models_app.storage import MovingStore, StoreFailed, store
from studio.doctor import Finding, Status

PART = "artifact store"
LABELLED = "docs/artifacts.md says what to do."


def written_to() -> Iterator[Finding]:
    """Random bytes are kept, kept again, read and deleted; in a bucket the second time must be refused there."""
    content = secrets.token_bytes(64)
    sha256 = hashlib.sha256(content).hexdigest()
    used = store()
    try:
        used.put(io.BytesIO(content))
        with used.open(sha256) as file:
            came_back = file.read()
        condition = _condition(sha256)
    except StoreFailed as error:
        yield Finding(PART, Status.FAIL, error.message, LABELLED)
        return
    except OSError as error:
        yield Finding(PART, Status.FAIL, f"Nothing can be written to it: {error.strerror}.", LABELLED)
        return
    finally:
        _forget(sha256)
    if came_back != content:
        yield Finding(PART, Status.FAIL, "It gives out other bytes than it was given.", "Look at its disk.")
    elif condition:
        yield Finding(PART, Status.FAIL, condition, "Use a version of the S3 server that knows If-None-Match.")
    else:
        yield Finding(PART, Status.OK, f"It can be written to and read: {used.label}.")
    yield from _moving()


def _condition(sha256: str) -> str:
    """What is wrong with conditional writes; nothing for a folder, whose links never replace."""
    used = store()
    target = used.new if isinstance(used, MovingStore) else used
    refuses = getattr(target, "refuses_second_write", None)
    if refuses is None or refuses(sha256):
        return ""
    return "It ignores the condition of a write (If-None-Match): two uploads at once may replace each other's bytes."


def _forget(sha256: str) -> None:
    try:
        store().delete(sha256)
    except (StoreFailed, OSError):
        return  # the sweep finds it


def _moving() -> Iterator[Finding]:
    if isinstance(store(), MovingStore):
        message = "PARLEY_ARTIFACTS_MOVE is set: both stores are asked for every file."
        mend = "Run `manage.py move_artifacts` to its end, then take the setting away."
        yield Finding(PART, Status.WARN, message, mend)
