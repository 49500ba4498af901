"""What a Rasa server of ours is started with: its two files and its command line.

The files hold the passwords of database roles and perhaps a model token, so nobody else on the machine may read them.
"""

import os
import shutil
from pathlib import Path
from urllib.parse import quote

from django.conf import settings

from environments.models import Environment
from environments.services.database import SqlAccess, events_access, tracker_access
from environments.serving.code import Code
from studio.rasa.commands import TOKEN_VARIABLE, run_arguments
from studio.rasa.files import Database, ModelServer, credentials_yml, endpoints_yml
from studio.rasa.process import Spec
from studio.rasa.runtime import Runtime

LARGE_LOG = 20 * 1024**2


def server_spec(
    environment: Environment,
    *,
    folder: Path,
    log: Path,
    port: int,
    token: str,
    code: Code,
    runtime: Runtime,
    models: ModelServer | None = None,
    model: Path | None = None,
    interface: str = "127.0.0.1",
) -> Spec:
    """Write the files into `folder` and say how to start. OSError when the disk does not take them.

    It pulls its model from `models`, or serves the archive `model`. Events and dialogues go where those of
    `environment` do.
    """
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    endpoints = endpoints_yml(
        models=models,
        event_broker=_block(events_access(environment)),
        tracker_store=_block(tracker_access(environment)),
        action_endpoint=environment.action_server_url or None,
    )
    credentials = credentials_yml(channel_url=f"{base_url(environment)}/environments/{quote(environment.name)}")
    arguments = run_arguments(
        port=port,
        endpoints=_write(folder / "endpoints.yml", endpoints),
        credentials=_write(folder / "credentials.yml", credentials),
        model=model,
        interface=interface,
    )
    code.write(folder / "code")
    log.touch(mode=0o600)
    return Spec(
        arguments=arguments,
        folder=folder,
        log=log,
        environment={**runtime.environment, TOKEN_VARIABLE: token, "RASA_ENVIRONMENT": environment.name},
        python_path=(folder / "code",),
        python=runtime.python,
        image=runtime.image,
    )


def interface_of(host: str, own: str = "127.0.0.1") -> str:
    """Where a Rasa listens that the web calls by `host`: on every interface, unless that is this machine itself.
    `own` is what it is then, as `Processes` says."""
    return own if host in ("127.0.0.1", "localhost") else "0.0.0.0"  # noqa: S104


def base_url(environment: Environment) -> str:
    """Where Rasa servers find what concerns the environment's assistant."""
    return f"{settings.INTERNAL_URL}/api/projects/{environment.assistant.slug}"


def cap_log(log: Path) -> None:
    """Set a large log aside while Rasa goes on writing: it appends, so after the cut it begins again at the start."""
    if not log.exists() or log.stat().st_size <= LARGE_LOG:
        return
    shutil.copy2(log, log.with_name(f"{log.name}.1"))
    os.truncate(log, 0)


def _block(access: SqlAccess | None) -> Database | None:
    return None if access is None else access.as_block()


def _write(path: Path, text: str) -> Path:
    """A new file in its place, readable by us alone from its first byte on."""
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    new.touch(mode=0o600)
    new.write_text(text)
    return new.replace(path)
