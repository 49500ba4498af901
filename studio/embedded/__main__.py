"""`python -m studio.embedded run`: what `make run` starts. `… manage restore …`: what `make restore` does."""

import argparse
import signal
import sys

from studio import env
from studio.embedded import config, launcher
from studio.embedded.child import end_with_parent
from studio.embedded.errors import LaunchError


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m studio.embedded", description="Run Parley on this machine.")
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="start everything, and keep it running until Ctrl-C")
    run.add_argument("--end-with-parent", action="store_true", help="stop when the calling process dies (Linux)")
    manage = commands.add_parser("manage", help="run a command of manage.py while nothing else runs", prefix_chars="\0")
    manage.add_argument("arguments", nargs="+")
    arguments = parser.parse_args()
    if arguments.command == "run" and arguments.end_with_parent:
        end_with_parent(signal.SIGTERM)
    try:
        env.load_file(config.CHECKOUT / ".env")
        if arguments.command == "manage":
            return launcher.manage(config.read(), arguments.arguments)
        launcher.run(config.read())
    except (LaunchError, env.SettingError) as error:
        sys.stderr.write(f"\n{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
