"""What the start of every process loads: each pays for it, and each command of a terminal waits for it."""

import subprocess
import sys

from django.conf import settings
from django.core.management import get_commands, load_command_class
from django.utils.module_loading import import_string

from studio import doctor

# Kafka's client is for ingestion and the doctor, Sentry's for where one is set.
LATER = ("kafka", "sentry_sdk")
OURS = {"conversations", "environments", "models_app", "studio"}


def test_what_few_processes_need_is_not_loaded_by_all() -> None:
    script = f"import sys; print([one for one in {LATER} if one in sys.modules])"
    command = [sys.executable, "-W", "ignore", "manage.py", "shell", "-v0", "-c", script]
    done = subprocess.run(command, cwd=settings.BASE_DIR, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_our_commands_run_the_checks_of_an_installation_and_not_those_of_the_code() -> None:
    ours = {name: app for name, app in get_commands().items() if app.split(".")[0] in OURS}
    loaded = {name: load_command_class(app, name) for name, app in ours.items()}
    whole = [name for name, one in loaded.items() if one.requires_system_checks == "__all__"]
    assert len(ours) > 15
    whole.remove("migrate")  # Django's own with more to it: what is updated is checked once as a whole
    assert not whole, f"Let them inherit from studio.command.BaseCommand: {whole}"


def test_every_examination_of_the_doctor_is_there() -> None:
    assert {"database", "redis", "kafka", "single sign-on", "artifact store"} <= doctor._examinations.keys()
    assert all(callable(import_string(name)) for name in doctor._examinations.values())


def test_the_web_loads_its_pages_before_there_are_processes_and_never_searches_them_for_garbage() -> None:
    script = """
import gc, sys, threading
from studio import gunicorn_conf, wsgi
print(any(name.startswith("conversations.views.") for name in sys.modules))
gunicorn_conf.keep_from_the_collector()
from django.db import connections
print(gc.get_freeze_count() > 100_000, len(gc.get_objects()) < 10_000)
print([one for one in connections.all(initialized_only=True) if one.connection], threading.active_count())
"""
    command = [sys.executable, "-W", "ignore", "-c", script]
    done = subprocess.run(command, cwd=settings.BASE_DIR, capture_output=True, text=True)
    assert done.stdout.splitlines() == ["True", "True True", "[] 1"], done.stdout + done.stderr
