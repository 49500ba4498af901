"""What a managed server is started with: its folder, its two files, its command line.

The files hold the passwords of its database roles and its model token, so nobody else on the machine may read them.
"""

import os
import shutil
from pathlib import Path

from django.conf import settings

from environments.controller.code import Code
from environments.models import Environment
from environments.services.database import SqlAccess, events_access, tracker_access
from environments.services.managed import folder_of, log_path
from studio.crypto import decrypt
from studio.rasa.commands import TOKEN_VARIABLE, run_arguments
from studio.rasa.files import Database, ModelServer, credentials_yml, endpoints_yml
from studio.rasa.process import Spec
from studio.rasa.runtime import Runtime

REPLICA = "managed"  # how it names itself when it polls; one for each environment
LARGE_LOG = 20 * 1024**2


def prepare(environment: Environment, *, port: int, token: str, code: Code, runtime: Runtime) -> Spec:
    """Write the files and say how to start. OSError when the disk does not take them."""
    folder = folder_of(environment)
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    base = f"{settings.INTERNAL_URL}/api/projects/{environment.assistant.slug}"
    models = ModelServer(
        url=f"{base}/models/tags/{environment.name}",
        token=decrypt(environment.model_token_encrypted),
        replica=REPLICA,
        environment=None,
    )
    endpoints = endpoints_yml(
        models=models,
        event_broker=_block(events_access(environment)),
        tracker_store=_block(tracker_access(environment)),
        action_endpoint=environment.action_server_url or None,
    )
    credentials = credentials_yml(channel_url=f"{base}/environments/{environment.name}")
    arguments = run_arguments(
        port=port,
        endpoints=_write(folder / "endpoints.yml", endpoints),
        credentials=_write(folder / "credentials.yml", credentials),
    )
    code.write(folder / "code")
    log = log_path(environment)
    log.touch(mode=0o600)
    return Spec(
        arguments=arguments,
        folder=folder,
        log=log,
        environment={**runtime.environment, TOKEN_VARIABLE: token, "RASA_ENVIRONMENT": environment.name},
        python_path=(folder / "code",),
        python=runtime.python,
    )


def cap_log(environment: Environment) -> None:
    """Set a large log aside while Rasa goes on writing: it appends, so after the cut it begins again at the start."""
    log = log_path(environment)
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
