"""TCP ports: is one free, find one, keep one."""

import errno
import random
import socket
from pathlib import Path

from studio.embedded.errors import LaunchError

# Below the range from which kernels take the ports of outgoing connections, so that none of those sits on ours.
_OWN_RANGE = range(20_000, 32_000)


def problem_with(host: str, port: int) -> str | None:
    """Why nothing of ours could listen on `host`:`port`, or None when it could."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As servers do it: a connection of a server that just ended must not count as one that is there.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError as error:
            return "is in use" if error.errno == errno.EADDRINUSE else f"cannot be used ({error.strerror})"
    return None


def kept_port(note: Path, wished: int | None) -> int:
    """The port remembered in `note`, chosen the first time: others have it in their configuration.

    `wished` replaces it. LaunchError when another program has taken it meanwhile.
    """
    if wished is None and not note.is_file():
        wished = free_port()
    if wished is not None:
        note.write_text(f"{wished}\n")
    port = int(note.read_text())
    if problem := problem_with("127.0.0.1", port):
        raise LaunchError(
            f"Port {port} of the embedded PostgreSQL {problem}. End the program that has it, or choose another port "
            "with PARLEY_POSTGRES_PORT (Rasa servers that write their events there need the new one too)."
        )
    return port


def free_port() -> int:
    for port in random.sample(_OWN_RANGE, 100):
        if problem_with("127.0.0.1", port) is None:
            return port
    raise LaunchError("No free port was found for PostgreSQL; choose one with PARLEY_POSTGRES_PORT.")
