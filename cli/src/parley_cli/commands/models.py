"""Models: which there are, bringing and fetching them, and their tags."""

from pathlib import Path
from typing import Annotated, Any

import typer

from parley_cli.command import Session, command
from parley_cli.failures import Code, Failure
from parley_cli.output import Column, ago, size

COLUMNS: list[Column] = [
    ("MODEL", lambda row: row["model"]),
    ("TAGS", lambda row: " ".join(row["tags"])),
    ("RASA", lambda row: row["version"]),
    ("SIZE", lambda row: size(row["size"])),
    ("TRAINED", lambda row: ago(row["trained_at"])),
    ("BY", lambda row: row["created_by"]),
]
TAG_COLUMNS: list[Column] = [
    ("TAG", lambda row: row["tag"]),
    ("MODEL", lambda row: row["model"] or "—"),
    ("KIND", lambda row: row["kind"]),
    ("MOVED", lambda row: ago(row["moved_at"])),
]
Model = Annotated[str, typer.Argument(metavar="MODEL", help="Its name: the file's without .tar.gz.")]


def register(app: typer.Typer) -> None:
    for function in (models, upload, download, tag):
        command(app)(function)


def named(model: str) -> str:
    return model.removesuffix(".tar.gz")


def models(
    session: Session,
    tag: Annotated[str | None, typer.Option("--tag", help="Only the model with this tag.")] = None,
    name: Annotated[str | None, typer.Option("--name", help="Only models with this in their name.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many, the newest first.")] = 30,
) -> None:
    """Models, the newest first."""
    rows = list(session.client.pages("projects", session.project, "models", most=limit, tag=tag, name=name))
    session.out.table(rows, COLUMNS, empty="No model. Train one: parley train")


def upload(
    session: Session,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A model of `rasa train`: x.tar.gz.")],
    name: Annotated[str | None, typer.Option("--name", help="Another name than the file's.")] = None,
) -> None:
    """Bring a model. It goes on where a connection broke; the same file again is no failure."""
    from parley_cli.upload import send

    facts = send(session, file, named(name or file.name))
    for warning in facts["warnings"]:
        session.out.note(f"Warning: {warning}")
    session.out.result(facts, facts["model"])


def download(
    session: Session,
    model: Model,
    to: Annotated[Path | None, typer.Option("--output", "-o", help="The file or folder; here when left out.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace another file that is there.")] = False,
) -> None:
    """Fetch a model, checked by its SHA-256. It goes on where a connection broke."""
    from parley_cli.download import fetch_model

    name = named(model)
    path = to / f"{name}.tar.gz" if to is not None and to.is_dir() else to or Path(f"{name}.tar.gz")
    digest, count = fetch_model(session, name, path, overwrite=overwrite)
    session.out.result({"model": name, "file": str(path), "sha256": digest, "size": count}, str(path))


def tag(
    session: Session,
    model: Annotated[str | None, typer.Argument(metavar="[MODEL]")] = None,
    tag: Annotated[str | None, typer.Argument(metavar="[TAG]")] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Take the tag off this model.")] = False,
    expected: Annotated[
        str | None, typer.Option("--expected-current", help="Only if the tag is on this model; '' for on none.")
    ] = None,
    reason: Annotated[str, typer.Option("--reason", help="Why; kept with it.")] = "",
) -> None:
    """Put a tag on a model; it leaves the one that had it. Without words: the tags that there are."""
    if model is None:
        rows = list(session.client.pages("projects", session.project, "tags"))
        session.out.table(rows, TAG_COLUMNS, empty="No tag.")
        return
    if tag is None:
        raise Failure("Which tag? parley tag MODEL TAG", Code.USAGE)
    path = ("projects", session.project, "models", named(model), "tags", tag)
    facts = {"model": named(model), "tag": tag, "removed": remove}
    if remove:
        session.client.delete(*path, reason=reason or None, expected_current=expected)
        session.out.result(facts, f"{named(model)} has the tag {tag} no more.")
        return
    move: dict[str, Any] = {"reason": reason}
    if expected is not None:
        move["expected_current"] = expected or None
    session.client.put(*path, body=move)
    session.out.result(facts, f"{named(model)} has the tag {tag}.")
