"""The Python code of an assistant's own that its models need when a server loads them."""

import hashlib
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from models_app.data.packages import own_packages
from models_app.models import Model
from models_app.services.revisions import files_of, newest_revision, write_files


@dataclass(frozen=True)
class Code:
    """The packages that a pipeline names, by path. Empty for nearly everybody."""

    files: Mapping[str, bytes]

    @property
    def digest(self) -> str:
        return hashlib.sha256(repr(sorted(self.files.items())).encode()).hexdigest()

    def write(self, folder: Path) -> None:
        """`folder` holds this code afterwards and nothing else."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        write_files(dict(self.files), folder)


def code_of(model: Model | None) -> Code:
    """Of the revision that the model was trained from; an uploaded one gets that of the newest revision."""
    if model is None:
        return Code({})
    revision = model.revision or newest_revision(model.assistant)
    files = files_of(revision) if revision else {}
    packages = set(own_packages(files))
    return Code({path: content for path, content in files.items() if _package(path) in packages})


def _package(path: str) -> str:
    """What a file is imported as, in its first part: `sentiment/model.py` and `sentiment.py` are both `sentiment`."""
    first = path.partition("/")[0]
    return first.removesuffix(".py") if path.endswith(".py") or "/" in path else ""
