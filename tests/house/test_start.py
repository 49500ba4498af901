"""What the start of every process loads: each pays for it, and each command of a terminal waits for it."""

import subprocess
import sys

from django.conf import settings
from django.utils.module_loading import import_string

from studio import doctor

# Kafka's client is for ingestion and the doctor, Sentry's for where one is set.
LATER = ("kafka", "sentry_sdk")


def test_what_few_processes_need_is_not_loaded_by_all() -> None:
    script = f"import sys; print([one for one in {LATER} if one in sys.modules])"
    command = [sys.executable, "-W", "ignore", "manage.py", "shell", "-v0", "-c", script]
    done = subprocess.run(command, cwd=settings.BASE_DIR, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_examination_of_the_doctor_is_there() -> None:
    assert {"database", "redis", "kafka", "single sign-on", "artifact store"} <= doctor._examinations.keys()
    assert all(callable(import_string(name)) for name in doctor._examinations.values())
