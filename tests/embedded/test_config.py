from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from studio import env
from studio.embedded import config
from studio.embedded.errors import LaunchError
from studio.embedded.folders import Folders


@pytest.fixture
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("PARLEY_SECRET_KEY", "PARLEY_ENCRYPTION_KEYS", "DATABASE_URL", "REDIS_URL", "PORT"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def test_secrets_are_made_once(folders: Folders, nothing_set: pytest.MonkeyPatch) -> None:
    first = config.generated_secrets(folders)
    assert set(first) == {"PARLEY_SECRET_KEY", "PARLEY_ENCRYPTION_KEYS"}
    assert config.generated_secrets(folders) == first


def test_the_encryption_key_is_one_that_fernet_takes(folders: Folders, nothing_set: pytest.MonkeyPatch) -> None:
    key = Fernet(config.generated_secrets(folders)["PARLEY_ENCRYPTION_KEYS"])
    assert key.decrypt(key.encrypt(b"text")) == b"text"


def test_a_secret_that_is_given_is_not_made(folders: Folders, nothing_set: pytest.MonkeyPatch) -> None:
    nothing_set.setenv("PARLEY_SECRET_KEY_FILE", "/run/secrets/key")
    assert set(config.generated_secrets(folders)) == {"PARLEY_ENCRYPTION_KEYS"}


def test_the_written_environment_gives_a_shell_that_knows_nothing_all_it_needs(
    folders: Folders, nothing_set: pytest.MonkeyPatch
) -> None:
    nothing_set.setenv("PARLEY_DATA", str(folders.data))
    nothing_set.setenv("PORT", "8123")
    nothing_set.setenv("PARLEY_URL", "https://parley.example.org")
    config.write_environment(config.read(), {"DATABASE_URL": "postgresql://parley:p=w@/parley"})
    nothing_set.delenv("PARLEY_URL")
    nothing_set.delenv("PORT")
    env.load_file(folders.run / "parley.env")
    assert env.text("DATABASE_URL") == "postgresql://parley:p=w@/parley"
    assert env.text("PARLEY_URL") == "https://parley.example.org"
    assert env.whole("PORT", 8000) == 8123


def test_the_first_password_is_not_written(folders: Folders, nothing_set: pytest.MonkeyPatch) -> None:
    nothing_set.setenv("PARLEY_DATA", str(folders.data))
    nothing_set.setenv("PARLEY_ADMIN_PASSWORD", "correct horse battery")
    config.write_environment(config.read(), {})
    assert "correct horse" not in _written(folders)


def test_a_value_of_two_lines_is_refused(folders: Folders, nothing_set: pytest.MonkeyPatch) -> None:
    nothing_set.setenv("PARLEY_DATA", str(folders.data))
    with pytest.raises(LaunchError, match="SOME_KEY_FILE"):
        config.write_environment(config.read(), {"SOME_KEY": "two\nlines"})


def _written(folders: Folders) -> str:
    return Path(folders.run / "parley.env").read_text()
