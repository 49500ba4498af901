"""manage.py typed by hand finds the installation that `make run` started."""

import shutil
import subprocess
import sys
from pathlib import Path

from django.conf import settings

LAUNCHED = """DATABASE_URL=postgresql://nobody@localhost/none
REDIS_URL=redis://localhost
PARLEY_SECRET_KEY=only-for-this-test-only-for-this-test-only-for-this
PARLEY_ENCRYPTION_KEYS=MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=
"""
SHOW = "from django.conf import settings; print(settings.DATA)"


def ask(folder: Path, **variables: str) -> str:
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(settings.BASE_DIR), **variables}
    command = [sys.executable, "-W", "ignore", folder / "manage.py", "shell", "-v0", "-c", SHOW]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.strip()


def test_the_data_folder_of_the_checkouts_env_file_counts_unless_a_variable_names_another(tmp_path: Path) -> None:
    shutil.copy2(settings.BASE_DIR / "manage.py", tmp_path)
    for name in ("kept", "other"):
        (tmp_path / name / "run").mkdir(parents=True)
        (tmp_path / name / "run/parley.env").write_text(LAUNCHED)
    (tmp_path / ".env").write_text(f"PARLEY_DATA={tmp_path}/kept\n")
    assert ask(tmp_path) == f"{tmp_path}/kept"
    assert ask(tmp_path, PARLEY_DATA=f"{tmp_path}/other") == f"{tmp_path}/other"
