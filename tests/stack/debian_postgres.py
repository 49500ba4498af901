"""A PostgreSQL of the system's own packages, of another version than the embedded one, as an operator would run it."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from studio.embedded import keys, postgres
from studio.embedded.ports import free_port
from tests.services import _patience

FOLDERS = Path("/usr/lib/postgresql")
OWNER = "parley"


@contextmanager
def running(folder: Path) -> Iterator[tuple[str, str]]:
    """The addresses of an empty database, whose owner may make roles, and of the administrator's; both end with the
    test."""
    programs = next((one for one in sorted(FOLDERS.glob("*/bin")) if (one / "initdb").exists()), None)
    if programs is None:
        pytest.fail("These tests need a PostgreSQL of the system's, which is not here: install postgresql.")
    user = postgres.system_user() if os.geteuid() == 0 else None
    name = user.pw_name if user else None
    folder.mkdir()
    if user is not None:
        shutil.chown(folder, user.pw_uid, user.pw_gid)
    secret, owners, port = keys.password(), keys.password(), free_port()  # an example's would be refused
    (folder / "password").write_text(secret)
    data = folder / "data"
    initdb = [str(programs / "initdb"), "--username=postgres", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"]
    initdb += [f"--pwfile={folder / 'password'}", f"--pgdata={data}"]
    subprocess.run(postgres.wrapped(initdb, name, "SIGKILL"), check=True, capture_output=True, cwd=folder)
    server = [str(programs / "postgres"), "-D", str(data), "-c", f"port={port}", "-c", "fsync=off"]
    server += ["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="]
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(postgres.wrapped(server, name, "SIGKILL"), cwd=folder, stdout=log, stderr=log)
    try:
        administrator = f"postgresql://postgres:{secret}@127.0.0.1:{port}/postgres"
        _wait(administrator, process, folder / "log")
        with psycopg.connect(administrator, autocommit=True) as session:
            session.execute(f"CREATE ROLE {OWNER} LOGIN CREATEROLE PASSWORD '{owners}'")
            session.execute(f"CREATE DATABASE {OWNER} OWNER {OWNER}")
        yield f"postgresql://{OWNER}:{owners}@127.0.0.1:{port}/{OWNER}", administrator
    finally:
        process.send_signal(2)
        process.wait(30)


def _wait(address: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    patience = _patience(process, "PostgreSQL", log)
    while True:
        try:
            psycopg.connect(address, connect_timeout=5).close()
            return
        except psycopg.OperationalError as error:
            patience(str(error))
