"""Stories put at the end of a file of stories, which otherwise stays byte for byte as it was."""

from collections.abc import Sequence

from ruamel.yaml.nodes import SequenceNode

from models_app.data.check import NEWEST_FORMAT
from models_app.data.nlu_edits import Text, end_of, insert
from models_app.data.yaml_text import top_level


def add_stories(data: bytes, lines: Sequence[str]) -> bytes | None:
    """The file with the stories of `lines`, a YAML list at the left margin, after those it has.

    None when the file has no list of stories that is written as a block. Raises YamlError.
    """
    text = Text.of(data)
    entries = text and top_level(text.root()).get("stories")
    if text is None or not isinstance(entries, SequenceNode) or entries.flow_style or not entries.value:
        return None
    space = " " * entries.start_mark.column
    at = end_of(text, entries)
    insert(
        text, at, [*([""] if _has_gaps(text, entries) else []), *(f"{space}{line}" if line else "" for line in lines)]
    )
    return text.bytes()


def new_stories(lines: Sequence[str]) -> bytes:
    return "\n".join(
        [f'version: "{NEWEST_FORMAT}"', "", "stories:", *(f"  {one}" if one else "" for one in lines), ""]
    ).encode()


def _has_gaps(text: Text, entries: SequenceNode) -> bool:
    """Whether an empty line parts the stories there are; of one alone nobody can say, and a gap reads better."""
    others = entries.value[1:]
    return not others or any(not text.lines[one.start_mark.line - 1].strip() for one in others)
