"""Archives for tests: a model as Rasa writes it, and every way to spoil one."""

import gzip
import io
import json
import tarfile
from typing import Any

METADATA: dict[str, Any] = {
    "domain": {
        "intents": ["greet", {"ask_price": {"use_entities": ["dish"]}}],
        "entities": ["dish", {"city": {"roles": ["from", "to"]}}],
        "slots": {"dish": {"type": "text", "mappings": [{"type": "from_entity", "entity": "dish"}]}},
        "responses": {"utter_greet": [{"text": "Hello!"}], "utter_price": [{"text": "It is €3."}]},
        "actions": ["action_book"],
        "forms": {"book_form": {"required_slots": ["dish"]}},
    },
    "trained_at": "2025-03-01T10:20:30.500000",
    "model_id": "0b447d13b9674d03aace2bd07f7fd0f0",
    "assistant_id": "cafe-lumen",
    "rasa_open_source_version": "3.6.21",
    "training_type": 3,
    "project_fingerprint": "c0ffee",
    "language": "en",
}


def packed(*entries: tuple[tarfile.TarInfo | str, bytes], tar_format: int = tarfile.PAX_FORMAT) -> bytes:
    """A .tar.gz of (member or name, content): the same bytes at whatever time it is made."""
    buffer = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tar_format) as tar,
    ):
        for member, content in entries:
            info = tarfile.TarInfo(member) if isinstance(member, str) else member
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def model_archive(*extra: tuple[tarfile.TarInfo | str, bytes], without: tuple[str, ...] = (), **changes: Any) -> bytes:
    """A model whose metadata differs from `METADATA` by `changes`, lacking the fields of `without`."""
    metadata = {key: value for key, value in {**METADATA, **changes}.items() if key not in without}
    root = tarfile.TarInfo("/")
    root.type = tarfile.DIRTYPE
    return packed(
        (root, b""),
        ("components/train_RulePolicy0/rule_policy.json", b'{"rules": []}' * 40),
        ("metadata.json", json.dumps(metadata).encode()),
        *extra,
    )


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info, b""


def gzip_bomb(size: int) -> bytes:
    """A valid archive that unpacks to `size` bytes of zeros."""
    info = tarfile.TarInfo("components/zeros.bin")
    info.size = size
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", compresslevel=9) as stream:
        stream.write(info.tobuf())
        for _ in range(size // 1024**2):
            stream.write(bytes(1024**2))
        stream.write(bytes(1024))
    return buffer.getvalue()
