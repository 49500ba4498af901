"""Whole projects to Parley and back."""

from typing import TYPE_CHECKING, Any

from parley_cli.client import path_of
from parley_cli.project import Files, packed, unpacked

if TYPE_CHECKING:
    from parley_cli.command import Session


def archive_of(session: "Session", number: int) -> dict[str, bytes]:
    """The files of a revision."""
    address = path_of("projects", session.project, "data", "archive")
    response = session.client.ask("GET", address, params={"revision": number}, headers={"Accept": "*/*"})
    return unpacked(response.content)


def save(
    session: "Session",
    files: Files,
    base: int | None,
    *,
    dry_run: bool = False,
    merge: bool = False,
    message: str = "",
) -> Any:
    """The new revision; with `dry_run` what would change."""
    params = {"base": base, "dry_run": str(dry_run).lower(), "merge": str(merge).lower(), "message": message}
    return session.client.send(
        "POST",
        path_of("projects", session.project, "data", "archive"),
        params=params,
        data=packed(files),
        headers={"Content-Type": "application/zip"},
        again=dry_run,
    ).data
