"""Runs `rasa` inside the runtime's own interpreter: `python entry.py <arguments of rasa>`.

Puts the environment's values in the place of `$(NAME)` in the arguments, and leaves out the warnings with which Rasa's
libraries address their developers (some twenty lines at each start); what Rasa says of the training data stays.

A server or a training with LogisticRegressionClassifier or SklearnIntentClassifier begins seconds sooner: skops, by
which Rasa 3.6.21 keeps these, looks through all modules that are loaded, and is imported before TensorFlow adds more.
"""

from __future__ import annotations  # the runtime may be Python 3.8

import contextlib
import os
import re
import runpy
import sys
import warnings
from typing import Any

FOR_DEVELOPERS = (DeprecationWarning, PendingDeprecationWarning, FutureWarning)

show = warnings.showwarning


def show_what_concerns_people(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
    if not issubclass(category, FOR_DEVELOPERS):
        show(message, category, *place, **more)


warnings.showwarning = show_what_concerns_people  # filters would not do: libraries set their own at import
sys.argv[1:] = [re.sub(r"\$\(([A-Z_][A-Z0-9_]*)\)", lambda name: os.environ[name[1]], text) for text in sys.argv[1:]]
sys.path[0] = ""  # as with `python -m rasa`: the assistant's own components lie in the folder it runs in, not beside us
if sys.argv[1:2] in (["run"], ["train"], ["test"]):
    with contextlib.suppress(Exception):  # other versions have none; what is wrong with it Rasa says where it needs it
        import skops.io  # noqa: F401
runpy.run_module("rasa", run_name="__main__", alter_sys=True)
