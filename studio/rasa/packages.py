"""Which packages a Rasa runtime has: two of equal Rasa may differ in TensorFlow, and then in the models they make."""

import os
import subprocess
from pathlib import Path

_SECONDS = 60
# The names of the folders of metadata say it all; reading what is in them takes twenty times as long.
_LIST = """
import os, re, sys
found = {}
for place in sys.path:
    for entry in os.listdir(place) if os.path.isdir(place) else ():
        name, ending = os.path.splitext(entry)
        if ending in (".dist-info", ".egg-info"):
            name, _, version = name.partition("-")
            version = version.partition("-")[0]
            found.setdefault(re.sub("[-_.]+", "-", name).lower(), version)
print("".join("%s==%s\\n" % one for one in sorted(found.items())), end="")
"""


def installed_packages(python: Path) -> str:
    """One `name==version` a line, sorted; nothing when that interpreter cannot tell.

    Takes a tenth of a second and is read anew each time: somebody may have changed the runtime by hand.
    """
    try:
        done = subprocess.run(
            [str(python), "-I", "-c", _LIST],
            env={"PATH": os.defpath},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout if done.returncode == 0 else ""
