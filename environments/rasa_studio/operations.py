"""The operations, each on the services, loaders and permissions of the page that does the same."""

import base64
import binascii
import json
import re
from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.http import Http404, HttpRequest

from environments.rasa_studio import names
from environments.services.assistants import delete_assistant
from environments.services.birth import create_assistant
from models_app.data import parts
from models_app.data.parts import CONFIG, DOMAIN, FLOWS, NLU, Part, Wanted
from models_app.data.rights import VIEWS
from models_app.data.yaml_text import decode
from models_app.loaders import load_assistant
from models_app.models import Assistant
from models_app.services.editing import save_edits
from models_app.services.revisions import files_of, newest_revision
from studio.access.loaders import require, signed_in
from studio.access.permissions import Permission, Scope
from studio.errors import DomainError, Invalid

Input = Mapping[str, Any]
PARTS: tuple[Part, ...] = (DOMAIN, FLOWS, CONFIG, NLU)
# Beside the training data and no part of it: servers get their endpoints from their environment. Not by the name of a
# server's file, which is left out of every project that somebody brings: saving a pulled project would delete it.
ENDPOINTS, PROMPTS = "studio/studio-endpoints.yml", "studio/prompts.json"
NO_ENDPOINTS = "{}\n"
MESSAGE = "Uploaded by rasa studio"
LONGEST_TITLE = 120
_SECRET = re.compile(
    r"""(?:^|[\s{,])["']?\w*(?:password|token|secret|api_key)["']?\s*:[ \t]*(?P<value>[^\s,}][^\n,}]*)""", re.I | re.M
)


def license_details(request: HttpRequest) -> dict[str, object]:
    """Parley needs none; the command only looks whether its token works."""
    return {"valid": True, "scopes": []}


def assistant_by_name(request: HttpRequest, wanted: Input) -> dict[str, object]:
    found = _seen(request, names.slug_of(wanted["assistantName"]))
    return _facts(found) if found else {"__typename": "AssistantByName_AssistantNotFound"}


def delete(request: HttpRequest, wanted: Input) -> dict[str, object]:
    slug = names.slug_of(wanted["assistantId"])
    if _seen(request, slug) is None:
        return {"__typename": "DeleteAssistant_AssistantNotFound"}
    row = load_assistant(request, slug, Permission.ASSISTANTS_MODIFY)
    delete_assistant(actor=signed_in(request), assistant=row)
    return _facts(row)


def upload(request: HttpRequest, wanted: Input) -> str:
    """A new revision with the parts that are given; the others stay. An assistant that is not there yet is made."""
    given = {part: _decoded(wanted[part.name], part.name) for part in PARTS if wanted.get(part.name) is not None}
    beside: dict[str, bytes] = {}
    if wanted.get("endpoints") is not None:
        beside[ENDPOINTS] = _without_secrets(_decoded(wanted["endpoints"], "endpoints"))
    if wanted.get("prompts") is not None:
        beside[PROMPTS] = _prompts(wanted["prompts"])
    if not given and not beside:
        raise Invalid("There is nothing in this upload.")
    return _save(request, names.checked(wanted["assistantName"]), given, beside)


def _save(request: HttpRequest, name: str, given: Mapping[Part, bytes], beside: Mapping[str, bytes]) -> str:
    with transaction.atomic():
        assistant = _seen(request, names.slug_of(name)) or _make(request, name)
        newest = newest_revision(assistant)
        edits: dict[str, bytes | None] = dict(beside)
        files = files_of(newest) if newest else {}
        for part, content in given.items():
            changed = parts.edits_for(files, part, content)
            edits |= changed
            files = {path: data for path, data in {**files, **changed}.items() if data is not None}
        actor, number = signed_in(request), newest.number if newest else None
        save_edits(actor=actor, assistant=assistant, edits=edits, message=MESSAGE, base_number=number)
    return names.name_of(assistant)


def _make(request: HttpRequest, name: str) -> Assistant:
    require(signed_in(request), Permission.ASSISTANTS_MODIFY)
    return create_assistant(actor=signed_in(request), slug=names.slug_of(name), title=name[:LONGEST_TITLE])


def _decoded(text: str, name: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Invalid(f"The part {name} is not base64.") from None


def _without_secrets(content: bytes) -> bytes:
    """Everybody who sees the data reads it. Raises Invalid where a password stands in it."""
    for found in _SECRET.finditer(decode(content)):
        value = found["value"].strip().strip("\"'")
        if value.lower() not in {"", "null", "~"} and not value.startswith(("${", "#")):
            raise Invalid("A password or token stands in the endpoints. Name a variable instead, as in ${TOKEN}.")
    return content


def _prompts(value: object) -> bytes:
    if not isinstance(value, dict):
        raise Invalid("Prompts are an object of names and texts.")
    return json.dumps(value, indent=2, sort_keys=True).encode() + b"\n"


def export(request: HttpRequest, wanted: Input) -> dict[str, object]:
    """Everything, or with `objects` those intents and entities alone."""
    assistant = load_assistant(request, names.slug_of(wanted["assistantName"]))
    for permission in sorted(VIEWS):
        require(signed_in(request), permission, Scope(assistant.pk))
    newest = newest_revision(assistant)
    files = files_of(newest) if newest else {}
    found = _parts(files, _chosen(wanted.get("objects")))
    if not (found["nlu"] or found["flows"]):
        raise DomainError("There is nothing to download: this assistant has neither NLU data nor flows of that kind.")
    encoded = {name: base64.b64encode(text.encode()).decode() for name, text in found.items()}
    prompts = json.loads(files.get(PROMPTS, b"{}"))
    return {"__typename": "ExportModernAsEncodedYamlOutput", **encoded, "prompts": prompts}


def _parts(files: Mapping[str, bytes], wanted: Wanted | None) -> dict[str, str]:
    try:
        found = {part.name: parts.part_of(files, part) for part in PARTS}
        if wanted is not None:
            found["nlu"] = parts.narrowed_nlu(found["nlu"], wanted)
            found["domain"] = parts.narrowed_domain(found["domain"], wanted)
            found["flows"] = ""
    except parts.NotMergeable as error:
        raise DomainError(str(error)) from None
    return {**found, "endpoints": decode(files[ENDPOINTS]) if ENDPOINTS in files else NO_ENDPOINTS}


def _chosen(objects: list[Input] | None) -> Wanted | None:
    if objects is None:
        return None
    by_type: dict[str, set[str]] = {"Intent": set(), "Entity": set()}
    for one in objects:
        by_type[one["type"]].update(one["name"])
    return Wanted(frozenset(by_type["Intent"]), frozenset(by_type["Entity"]))


def _seen(request: HttpRequest, slug: str) -> Assistant | None:
    try:
        return load_assistant(request, slug)
    except Http404:
        return None


def _facts(row: Assistant) -> dict[str, object]:
    """Every assistant is given as modern: the command then also fetches its configuration."""
    return {"__typename": "Assistant", "id": row.slug, "name": names.name_of(row), "mode": "MODERN"}
