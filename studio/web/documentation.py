"""docs/ as pages of the product, and where in it the help of each page stands.

The Markdown is ours and is what Sphinx builds as well: rendered when it is first asked for, with the anchors that MyST
makes. What lies outside docs/ is no page here (the container image does not have it): a link to it is plain text, and a
list of pages leaves it out.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from django.conf import settings
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.token import Token
from mdit_py_plugins.anchors import anchors_plugin

FOLDER = settings.BASE_DIR / "docs"
INDEX = "index"
_TABLE = '<div class="table-wrap" tabindex="0" role="group" aria-label="Table"><table class="table">'
_NAME = re.compile(r"[a-z0-9-]+(?:/[a-z0-9-]+)?")
_LISTED = re.compile(r"^- \[[^\]]+\]\(([^)#]+)[^)]*\).*\n", re.MULTILINE)

# The section that helps with a page, by the beginning of its URL's name; the longest that fits counts.
_SECTIONS = {
    "access:account": "permissions#people-groups-and-single-sign-on",
    "access:grants": "permissions",
    "access:people": "permissions#people-groups-and-single-sign-on",
    "access:person": "permissions#people-groups-and-single-sign-on",
    "access:role": "permissions#ready-made-roles",
    "access:service": "api-tokens",
    "access:sign-in": "single-sign-on#when-single-sign-on-does-not-work",
    "access:token": "api-tokens",
    "access:who": "permissions",
    "audit:": "security#the-audit-log",
    "conversations:analytics": "analytics",
    "conversations:completeness": "history-and-repair#completeness",
    "conversations:dead": "dead-letters",
    "conversations:detail": "reviewing",
    "conversations:eras": "export-and-erase#deletion",
    "conversations:examples": "corrections#into-the-training-data",
    "conversations:export": "export-and-erase#export",
    "conversations:home": "first-steps",
    "conversations:inbox": "corrections#the-inbox",
    "conversations:intake": "kafka",
    "conversations:list": "finding",
    "conversations:retention": "export-and-erase#retention",
    "conversations:share": "sharing",
    "conversations:story": "reviewing#stories-and-json",
    "conversations:talk": "talk",
    "conversations:talk-compare": "talk#side-by-side",
    "conversations:try": "slots",
    "environments:": "promotion",
    "environments:connection": "connect-your-rasa#six-steps",
    "environments:slot": "slots#slots",
    "environments:trying": "slots",
    "models:assistant": "first-steps",
    "models:data": "training-data",
    "models:data-history": "training-data#revisions",
    "models:data-revision": "training-data#revisions",
    "models:data-upload": "training-data#bringing-a-project-in",
    "models:list": "promotion#to-promote",
    "models:detail": "training#how-a-model-was-made",
    "models:job": "training",
    "models:retention": "artifacts#which-models-are-kept",
    "models:test": "testing-models",
    "models:training": "training",
    "models:training-settings": "training-limits#limits",
    "models:upload": "from-rasa-x#models",
    "models:valid": "validating-data",
    "models:findings": "validating-data#what-is-shown",
    "rasa:": "rasa-versions",
}


@dataclass(frozen=True, slots=True)
class Page:
    """`sections` are (anchor, title) of its headings of the second level."""

    title: str
    html: SafeString
    sections: Sequence[tuple[str, str]]


def help_url(view_name: str) -> str:
    """Where the documentation says more about a page; its first page when nothing fits."""
    known = [beginning for beginning in _SECTIONS if view_name.startswith(beginning)]
    return _address(_SECTIONS[max(known, key=len)] if known else INDEX)


def sections() -> frozenset[str]:
    """Every page and anchor that the product links to, as `page` or `page#anchor`."""
    return frozenset(_SECTIONS.values())


def _address(section: str) -> str:
    name, sign, anchor = section.partition("#")
    if settings.DOCS_URL:
        return f"{settings.DOCS_URL}/{name}.html{sign}{anchor}"
    return f"{reverse('documentation', args=[name])}{sign}{anchor}"


def page(name: str) -> Page | None:
    """`training`, `decisions/0010-erasure`; None when there is none of that name."""
    is_there = _NAME.fullmatch(name) and (FOLDER / f"{name}.md").is_file()
    return _rendered(name) if is_there else None


@cache
def _rendered(name: str) -> Page:
    parser = _parser()
    tokens = parser.parse(_without_others((FOLDER / f"{name}.md").read_text(), name))
    for token in _inside(tokens):
        change = _CHANGES.get(token.type)
        if change is not None:
            change(token, name)
    html = parser.renderer.render(tokens, parser.options, {})
    headings = [(token, tokens[index + 1]) for index, token in enumerate(tokens) if token.type == "heading_open"]
    found = [(str(one.attrs["id"]), _text(inline)) for one, inline in headings if one.tag == "h2"]
    return Page(_text(headings[0][1]), mark_safe(html), found)  # noqa: S308 - our own Markdown


def _without_others(text: str, name: str) -> str:
    """Lists of pages without those that lie outside docs/."""
    return _LISTED.sub(lambda found: "" if _resolved(name, found[1]).startswith("..") else found[0], text)


def _parser() -> MarkdownIt:
    """What may be wider than a phone scrolls by itself, by the keyboard as well; blocks can be copied."""
    parser = MarkdownIt("commonmark", {"html": True}).enable("table").use(anchors_plugin, max_level=3)
    parser.add_render_rule("fence", _block)
    parser.add_render_rule("table_open", lambda *_: _TABLE)
    parser.add_render_rule("table_close", lambda *_: "</table></div>\n")
    return parser


def _block(_renderer: object, tokens: Sequence[Token], index: int, *_: object) -> str:
    return render_to_string("components/copy_block.html", {"text": tokens[index].content.rstrip("\n")})


def _text(inline: Token) -> str:
    return "".join(child.content for child in inline.children or ())


def _inside(tokens: Sequence[Token]) -> list[Token]:
    return [one for token in tokens for one in (token, *(token.children or ()))]


def _change_link(token: Token, name: str) -> None:
    href = str(token.attrs.get("href", ""))
    address, sign, anchor = href.partition("#")
    if not address or urlsplit(href).scheme:
        return
    target = _resolved(name, address)
    if address.endswith("openapi.json"):
        token.attrs["href"] = "/api/docs"
    elif target.endswith(".md") and (FOLDER / target).is_file():
        token.attrs["href"] = f"{reverse('documentation', args=[target.removesuffix('.md')])}{sign}{anchor}"
    else:
        del token.attrs["href"]


def _resolved(name: str, address: str) -> str:
    """A relative address within docs/; what leads out of it keeps its `..`."""
    parts: list[str] = []
    for part in (PurePosixPath(name).parent / address).parts:
        if part == ".." and parts and parts[-1] != "..":
            parts.pop()
        else:
            parts.append(part)
    return "/".join(parts)


def _change_picture(token: Token, name: str) -> None:
    """docs/pictures/ are static files (STATICFILES_DIRS)."""
    token.attrs["src"] = static(f"docs/{PurePosixPath(_resolved(name, str(token.attrs['src']))).name}")


_CHANGES: dict[str, Callable[[Token, str], None]] = {
    "link_open": _change_link,
    "image": _change_picture,
}
