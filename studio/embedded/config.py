"""What the launcher reads from the environment, and what it gives to the processes that it starts."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from studio import env
from studio.embedded.errors import LaunchError
from studio.embedded.folders import Folders, write_private
from studio.embedded.keys import encryption_key, kept, password

CHECKOUT = Path(__file__).resolve().parent.parent.parent
# Never written to a file: it is needed once, when the first account is made.
_KEPT_OUT = ("PARLEY_DATA", "PARLEY_ADMIN_PASSWORD")


@dataclass(frozen=True, slots=True)
class Config:
    """The launcher's own settings; studio/settings.py reads those of the web and the other programs."""

    folders: Folders
    bind: str
    port: int
    training_workers: int
    running_workers: int
    postgres_port: int | None
    has_database: bool
    has_redis: bool
    environments_file: str | None

    @property
    def address(self) -> str:
        """Where a browser on this machine finds the web."""
        return env.text("PARLEY_URL", f"http://localhost:{self.port}").rstrip("/")


def read() -> Config:
    postgres_port = env.whole("PARLEY_POSTGRES_PORT", 0, most=65535)
    return Config(
        folders=Folders(Path(env.text("PARLEY_DATA", str(CHECKOUT / "var"))).resolve()),
        bind=env.text("PARLEY_BIND", "127.0.0.1"),
        port=env.whole("PORT", 8000, least=1, most=65535),
        training_workers=env.whole("PARLEY_TRAINING_WORKERS", 1),
        running_workers=env.whole("PARLEY_RUNNING_WORKERS", 1),
        postgres_port=postgres_port or None,
        has_database=_is_set("DATABASE_URL"),
        has_redis=_is_set("REDIS_URL"),
        environments_file=env.optional("PARLEY_ENVIRONMENTS"),
    )


def generated_secrets(folders: Folders) -> dict[str, str]:
    """Values of the secrets that nobody set; the same at every start."""
    makers = {"PARLEY_SECRET_KEY": password, "PARLEY_ENCRYPTION_KEYS": encryption_key}
    return {
        name: kept(folders.secrets, name.lower().replace("_", "-"), make)
        for name, make in makers.items()
        if not _is_set(name)
    }


def write_environment(config: Config, found: Mapping[str, str]) -> None:
    """Write run/parley.env, from which studio/settings.py takes what the environment does not set.

    So `manage.py` typed by hand, in a shell that knows nothing, works on the same installation. It holds the addresses
    and secrets in `found` and every setting of ours that this start was given.
    """
    given = {name: value for name, value in os.environ.items() if _is_ours(name)}
    values = {"PORT": str(config.port), **given, **found}
    for name, value in values.items():
        if "\n" in value:
            raise LaunchError(f"{name} has more than one line; put it into a file and name that with {name}_FILE.")
    lines = [f"{name}={value}" for name, value in sorted(values.items())]
    head = "# Written at each start; changes here are lost."
    write_private(config.folders.run / "parley.env", "\n".join([head, *lines, ""]))


def _is_ours(name: str) -> bool:
    ours = name.startswith(("PARLEY_", "DATABASE_URL", "REDIS_URL", "RASA_X_TOKEN", "RASA_PYTHON"))
    return ours and not name.startswith(_KEPT_OUT)


def _is_set(name: str) -> bool:
    return bool(os.environ.get(name) or os.environ.get(f"{name}_FILE"))
