#!/usr/bin/env python
"""Django's command line for Parley, with the settings of the checkout's `.env`, as `make run` has them."""

import os
import sys
from pathlib import Path


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "studio.settings")
    from django.core.management import execute_from_command_line

    from studio.env import SettingError, load_file

    try:
        load_file(Path(__file__).resolve().parent / ".env")
        execute_from_command_line(sys.argv)
    except SettingError as error:
        sys.exit(f"A setting is wrong: {error}")


if __name__ == "__main__":
    main()
