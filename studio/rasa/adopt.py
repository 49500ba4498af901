"""`python -m studio.rasa.adopt`: prove the runtimes under PARLEY_RASA that something else installed, such as an image's
build, and mark them whole."""

import sys
from pathlib import Path

from studio import env
from studio.rasa.problems import RuntimeProblem
from studio.rasa.runtime import Runtimes


def main() -> int:
    folder = Path(env.text("PARLEY_RASA"))
    found = [place.parent.parent.name for place in sorted(folder.glob("*/bin/python"))]
    try:
        for version in found:
            runtime = Runtimes(folder).adopt(version)
            sys.stdout.write(f"Rasa {runtime.version} on Python {runtime.python_version} runs.\n")
    except RuntimeProblem as problem:
        sys.stderr.write(f"{problem.message}\n{problem.details}\n{problem.mend}\n")
        return 1
    return 0 if found else 1


if __name__ == "__main__":
    sys.exit(main())
