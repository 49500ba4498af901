"""A conversation kept as stories in the training data: what speaks against it, and the new revision."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from conversations.models import Conversation
from conversations.presentation.said import as_parse_data
from conversations.presentation.stories import Kind, Story, list_yaml
from conversations.services.corrections import corrections_of
from models_app.data.check import Role
from models_app.data.domain_names import DomainNames, domain_names
from models_app.data.outline import roles_at_a_glance
from models_app.data.story_edits import add_stories, new_stories
from models_app.data.yaml_text import YamlError
from models_app.models import Assistant, Revision
from models_app.services.editing import TRIES, Collision, save_edits, usable_path
from models_app.services.revisions import files_of, newest_revision
from models_app.validation.places import Place, Places
from studio.access.models import User
from studio.errors import Conflict, Invalid

NEW_FILES: Mapping[Kind, str] = {
    "training": "data/stories_from_conversations.yml",
    "test": "tests/test_conversations.yml",
}
_ROLES = {"training": Role.STORIES, "test": Role.TESTS}
_MOST_NAMED = 6


def story_files(assistant: Assistant, kind: Kind) -> list[str]:
    """The files of the newest revision that hold stories of the kind."""
    newest = newest_revision(assistant)
    files = files_of(newest) if newest else {}
    return sorted(path for path, data in files.items() if _ROLES[kind] in roles_at_a_glance(path, data))


def line_of(revision: Revision, path: str, story: Story) -> int | None:
    """Where a story begins in a file of a revision, from 1."""
    return _line(files_of(revision).get(path, b""), story)


def _line(content: bytes, story: Story) -> int | None:
    begins = list_yaml([story]).split("\n", 1)[0].strip()
    lines = content.decode(errors="replace").split("\n")
    return next((number for number, line in enumerate(lines, 1) if line.strip() == begins), None)


def meant_in(conversation: Conversation) -> Mapping[int, Any]:
    """What people said of a conversation's messages, where they named an intent; by event."""
    rows = corrections_of(conversation)
    return {pk: as_parse_data(row.text, row.intent, row.entities) for pk, row in rows.items() if row.intent}


def save_stories(
    *, actor: User, conversation: Conversation, stories: Sequence[Story], kind: Kind, path: str
) -> Revision:
    """Add the stories to the file at `path`, which may be new, as the next revision.

    Raises Invalid (`field` says of what) where they do not fit, Conflict, and what `save_edits` raises.
    """
    path = _usable(path, kind)
    if not stories:
        raise Invalid("Nothing was said in this conversation that a story could tell.")
    message = f"{_what(kind, stories)} “{stories[0].name}” from conversation {conversation.pk}"
    for _ in range(TRIES):
        newest = newest_revision(conversation.assistant)
        if newest is None:
            raise Conflict("There is no training data yet. Upload the assistant’s project first.")
        files = files_of(newest)
        _refuse_names(files, stories, kind)
        _refuse_unfit(domain_names(files), stories)
        edits = {path: _edited(files.get(path), stories, path)}
        try:
            saved = save_edits(
                actor=actor,
                assistant=conversation.assistant,
                edits=edits,
                message=message,
                base_number=newest.number,
            )
        except Collision:  # in this file, between our look and the lock
            continue
        return saved.revision
    raise Conflict("Others keep saving the same file just now. Nothing was changed; try again in a moment.")


def _what(kind: Kind, stories: Sequence[Story]) -> str:
    one = "Test story" if kind == "test" else "Story"
    return one if len(stories) == 1 else f"{len(stories)} {'test ' if kind == 'test' else ''}stories, first"


def _usable(path: str, kind: Kind) -> str:
    try:
        kept = usable_path(path.strip())
    except Invalid as error:
        raise Invalid(error.message, field="path") from error
    pure = PurePosixPath(kept)
    if pure.suffix.lower() not in (".yml", ".yaml"):
        raise Invalid("Stories stand in a YAML file: let its name end in .yml.", field="path")
    is_test = pure.name.startswith("test_") or pure.parts[0] == "tests"
    if kind == "test" and not pure.name.startswith("test_"):
        raise Invalid("Rasa takes for tests only files whose name begins with test_.", field="path")
    if kind == "training" and is_test:
        raise Invalid("Rasa takes this file for tests. Choose one whose stories it trains with.", field="path")
    return kept


def _refuse_names(files: Mapping[str, bytes], stories: Sequence[Story], kind: Kind) -> None:
    places = Places(files)
    for story in stories:
        place = places.story(story.name) if kind == "training" else _among_tests(files, story)
        if place is not None:
            raise Invalid(
                f"There is a story called “{story.name}” already, in {place.path}, line {place.line}. Choose another "
                "name.",
                field="name",
            )


def _among_tests(files: Mapping[str, bytes], story: Story) -> Place | None:
    """The test story of that name, as we write one: names of tests and of what is trained may be the same."""
    tests = (path for path in sorted(files) if PurePosixPath(path).name.startswith("test_"))
    found = ((path, _line(files[path], story)) for path in tests)
    return next((Place(path, line) for path, line in found if line is not None), None)


def _refuse_unfit(domain: DomainNames, stories: Sequence[Story]) -> None:
    unknown = list(dict.fromkeys(one for story in stories for one in _unknown(domain, story)))
    if unknown:
        named = ", ".join(f"{kind} {name}" for kind, name in unknown[:_MOST_NAMED])
        more = f" and {len(unknown) - _MOST_NAMED} more" if len(unknown) > _MOST_NAMED else ""
        raise Invalid(
            f"The conversation does not fit the domain of the newest training data, which has no {named}{more}. Add "
            "what is missing there first: Rasa refuses stories with unknown names."
        )


def _unknown(domain: DomainNames, story: Story) -> Iterator[tuple[str, str]]:
    has = {
        "intent": domain.has_intent,
        "entity": domain.has_entity,
        "slot": domain.has_slot,
        "form": domain.has_form,
        "action": domain.has_action,
    }
    yield from ((kind, name) for kind, name in story.names() if not has[kind](name))


def _edited(before: bytes | None, stories: Sequence[Story], path: str) -> bytes:
    lines = list_yaml(stories).rstrip("\n").split("\n")
    if before is None:
        return new_stories(lines)
    try:
        after = add_stories(before, lines)
    except YamlError as error:
        raise Invalid(f"{path} has a mistake that has to be mended first. {error}", field="path") from error
    if after is None:
        raise Invalid(f"{path} has no list of stories to which one could be added. Choose a new file.", field="path")
    return after
