"""Images without a registry: a base and layers above it as one archive, which containerd imports."""

import hashlib
import io
import json
import subprocess
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path

HERE = Path(__file__).parent


def base() -> Path:
    """A Debian with Python as a tar; it is made when this machine has none yet."""
    made = subprocess.run([str(HERE / "base.sh")], check=True, stdout=subprocess.PIPE, text=True)
    return Path(made.stdout.strip())


def write_image(
    target: Path,
    name: str,
    layers: list[Path],
    *,
    environment: Mapping[str, str],
    entrypoint: tuple[str, ...] = (),
    command: tuple[str, ...] = (),
    folder: str = "/",
) -> None:
    """The archive `target` as `docker save` writes it, of layers that are tar files."""
    digests = [_digest(layer) for layer in layers]
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {
            "Env": [f"{key}={value}" for key, value in environment.items()],
            "Entrypoint": list(entrypoint),
            "Cmd": list(command),
            "WorkingDir": folder,
            "User": "10001",
        },
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}" for digest in digests]},
    }
    content = json.dumps(config).encode()
    config_name = f"{hashlib.sha256(content).hexdigest()}.json"
    names = [f"{digest}/layer.tar" for digest in digests]
    manifest = [{"Config": config_name, "RepoTags": [name], "Layers": names}]
    with tarfile.open(target, "w") as archive:
        _add(archive, config_name, content)
        for layer, inside in zip(layers, names, strict=True):
            archive.add(layer, inside)
        _add(archive, "manifest.json", json.dumps(manifest).encode())


def write_layer(target: Path, folders: Mapping[str, Path], keep: Callable[[str], bool] = lambda _name: True) -> Path:
    """A layer that has each folder at the place that is its key; files whose name `keep` refuses are left out."""

    def cleaned(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
        entry.uid = entry.gid = 0
        entry.mode |= 0o555 if entry.isdir() else 0o444
        return entry if keep(entry.name) else None

    with tarfile.open(target, "w") as layer:
        for place, folder in folders.items():
            layer.add(folder, place.lstrip("/"), filter=cleaned)
    return target


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    archive.addfile(entry, io.BytesIO(content))
