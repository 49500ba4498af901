"""Template tags and filters of every page; a builtin library, so no template loads it. /_components/ shows each."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import cache
from secrets import token_hex
from typing import Any

from django import template
from django.forms import BoundField, CheckboxInput, CheckboxSelectMultiple, RadioSelect
from django.http import HttpRequest, QueryDict
from django.template import Context
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from heroicons.templatetags.heroicons import heroicon_outline

from studio.web import code, documentation, formats

register = template.Library()

# Shapes differ as well as colours: a state must be told apart without seeing colour.
_STATUS_ICONS = {
    "running": '<circle cx="5" cy="5" r="4" fill="currentColor"/>',
    "busy": '<circle cx="5" cy="5" r="3.5" fill="none" stroke="currentColor" stroke-width="1.2"/>'
    '<path d="M5 1.5a3.5 3.5 0 0 0 0 7z" fill="currentColor"/>',
    "failed": '<path d="M5 .8 9.6 9H.4z" fill="currentColor"/>',
    "warning": '<path d="M5 .8 9.6 9H.4z" fill="currentColor"/>',
    "silent": '<circle cx="5" cy="5" r="3.5" fill="none" stroke="currentColor" stroke-width="1.2"/>',
}


@register.simple_tag
def icon(name: str, size: int = 18) -> SafeString:
    """A heroicon, outlined; decoration only, the word beside it or an aria-label says what it means."""
    return _icon(str(name), size)


@cache
def _icon(name: str, size: int) -> SafeString:
    return mark_safe(heroicon_outline(name, size=size, **{"class": "icon"}))  # noqa: S308 - from the heroicons package


@register.simple_tag(takes_context=True)
def help_url(context: Context) -> str:
    """Where the documentation says more about this page."""
    match = getattr(context.get("request"), "resolver_match", None)
    return documentation.help_url(match.view_name if match else "")


@register.simple_tag
def status(kind: str, text: str, title: str = "") -> SafeString:
    """A state as shape, word and colour. Kinds: running, busy, failed, warning, silent."""
    shape = mark_safe(_STATUS_ICONS[kind])  # noqa: S308 - a constant above
    return format_html(
        '<span class="status status-{}"{}><svg viewBox="0 0 10 10" aria-hidden="true">{}</svg>{}</span>',
        kind,
        format_html(' title="{}"', title) if title else "",
        shape,
        text,
    )


@register.simple_tag
def ago(moment: datetime | None, empty: str = "never") -> SafeString | str:
    """A relative time that the page keeps fresh, the absolute one on hover."""
    if moment is None:
        return empty
    return format_html(
        '<time datetime="{}" title="{}" data-relative>{}</time>',
        moment.isoformat(timespec="seconds"),
        formats.absolute(moment),
        formats.relative(moment, timezone.now()),
    )


@register.filter
def absolute(moment: datetime | None) -> str:
    return formats.absolute(moment) if moment else ""


@register.filter(name="bytes")
def bytes_filter(number: int | None) -> str:
    return "" if number is None else formats.size(int(number))


@register.filter
def count(number: int | None) -> str:
    """`1,204,518`."""
    return "" if number is None else f"{number:,}"


@register.filter
def duration(seconds: float | None) -> str:
    return "" if seconds is None else formats.duration(float(seconds))


@register.filter
def initial(text: object) -> str:
    """The letter an avatar shows."""
    return next((letter.upper() for letter in str(text) if letter.isalnum()), "?")


@register.filter
def highlight(text: str, language: str = "text") -> SafeString:
    """A numbered code view: `{{ file.text|highlight:"yaml" }}`."""
    return code.highlight(text, language)


_STEP_ICONS = {
    "done": '<circle cx="6" cy="6" r="6" fill="currentColor"/>'
    '<path d="m3.3 6.2 1.8 1.8 3.6-3.8" fill="none" stroke="var(--panel)" stroke-width="1.4"/>',
    "now": '<circle cx="6" cy="6" r="5" fill="none" stroke="currentColor" stroke-width="2"/>'
    '<circle cx="6" cy="6" r="2.4" fill="currentColor"/>',
    "failed": '<path d="M6 .8 11.6 11H.4z" fill="currentColor"/>',
    "stopped": '<rect x="1" y="1" width="10" height="10" rx="2" fill="currentColor"/>',
    "todo": '<circle cx="6" cy="6" r="5.2" fill="none" stroke="currentColor" stroke-width="1.4"/>',
}
_STEP_WORDS = {"done": "done", "now": "under way", "failed": "failed", "stopped": "stopped", "todo": "to come"}


@register.simple_tag
def step_dot(state: str) -> SafeString:
    """The mark of one step of a timeline. States: done, now, failed, stopped, todo."""
    shape = mark_safe(_STEP_ICONS[state])  # noqa: S308 - a constant above
    return format_html('<svg viewBox="0 0 12 12" role="img" aria-label="{}">{}</svg>', _STEP_WORDS[state], shape)


@register.simple_tag(takes_context=True)
def query_with(context: Context, **changes: object) -> str:
    """The page's query string with `changes` made, `?` included; an empty or None value removes its key.

    Cursors of a keyset pager end with the list they belong to, so any change but their own drops them.
    """
    request: HttpRequest | None = context.get("request")
    query = request.GET.copy() if request else QueryDict(mutable=True)
    for cursor in ("before", "after", "around"):
        query.pop(cursor, None)
    for key, value in changes.items():
        query.pop(key, None)
        if value not in (None, ""):
            query[key] = str(value)
    return f"?{query.urlencode()}"


@register.inclusion_tag("components/field.html")
def field(bound: BoundField, label: str = "", placeholder: str = "") -> Mapping[str, Any]:
    """A form field with label, help and errors, wired together for screen readers by Django's aria-describedby."""
    widget = bound.field.widget
    attrs: dict[str, str | bool] = {"class": _widget_class(bound)}
    if placeholder:
        attrs["placeholder"] = placeholder
    return {
        "field": bound,
        "control": bound.as_widget(attrs=attrs),
        "label": label or bound.label,
        "is_check": isinstance(widget, CheckboxInput),
        "is_group": isinstance(widget, RadioSelect | CheckboxSelectMultiple),
    }


def _widget_class(bound: BoundField) -> str:
    widget = bound.field.widget
    if isinstance(widget, CheckboxInput | RadioSelect | CheckboxSelectMultiple):
        return "check"
    return "select" if getattr(widget, "input_type", "") == "select" else "input"


# Pieces with parameters are tags rather than includes: an include also sees the page's variables, and a page's
# `title` or `text` would slip into every callout that leaves it out.


@register.inclusion_tag("components/callout.html")
def callout(kind: str, text: str, *, title: str = "", url: str = "", label: str = "") -> Mapping[str, Any]:
    """Something to know before going on. Kinds: info, success, warning, danger. `url` and `label` say what to do."""
    return {"kind": kind, "text": text, "title": title, "url": url, "label": label}


@register.inclusion_tag("components/empty.html")
def empty(
    icon: str, title: str, text: str = "", *, url: str = "", label: str = "", dialog: bool = False
) -> Mapping[str, Any]:
    """A list with nothing in it: what would be here, and the next step."""
    return {"icon": icon, "title": title, "text": text, "url": url, "label": label, "dialog": dialog}


@register.inclusion_tag("components/progress.html")
def progress(label: str, value: float | None = None, note: str = "") -> Mapping[str, Any]:
    """A bar from 0 to 100; without a value it only moves, for work whose end is not known."""
    return {"label": label, "value": None if value is None else round(value), "note": note}


@register.inclusion_tag("components/meter.html")
def meter(label: str, value: float) -> Mapping[str, Any]:
    """A share from 0 to 1 with its label, such as the confidence of an intent."""
    return {"label": label, "value": f"{value:.2f}"}


@register.inclusion_tag("components/steps.html")
def steps(steps: Iterable[object]) -> Mapping[str, Any]:
    """A timeline. Each step has title, note and state (done, now, failed, stopped, todo)."""
    return {"steps": steps}


@register.inclusion_tag("components/copy.html")
def copy(text: str, what: str = "") -> Mapping[str, Any]:
    """One line with a copy button; `what` names it for screen readers: `Copy the link`."""
    return {"text": text, "what": what}


@register.inclusion_tag("components/copy_block.html")
def copy_block(text: str, what: str = "") -> Mapping[str, Any]:
    """Several lines with a copy button."""
    return {"text": text, "what": what}


@register.inclusion_tag("components/log.html")
def log(text: str, label: str = "Log") -> Mapping[str, Any]:
    """A log that keeps its end in sight; the page loads js/log.js."""
    return {"text": text, "label": label}


@register.inclusion_tag("components/diff.html")
def diff(hunks: Iterable[code.Hunk]) -> Mapping[str, Any]:
    """The answer of studio.web.code.diff(old, new)."""
    return {"hunks": hunks}


@register.inclusion_tag("components/drop.html")
def drop(url: str, title: str, text: str, accept: str = "", label: str = "Choose a file") -> Mapping[str, Any]:
    """A place to drop a file, which goes to `url` as the body of a PUT; the page loads js/upload.js."""
    return {"url": url, "title": title, "text": text, "accept": accept, "label": label}


@register.inclusion_tag("components/pager.html", takes_context=True)
def pager(
    context: Context, newer: object = None, older: object = None, summary: str = "", words: str = "Newer,Older"
) -> Mapping[str, Any]:
    """Newer and Older of a keyset list: cursors or None, which become ?before= and ?after= beside the filters."""
    back, on = words.split(",")
    return {
        "request": context.get("request"),
        "newer": newer,
        "older": older,
        "summary": summary,
        "back": back,
        "on": on,
    }


@register.simple_block_tag
def menu(content: str, label: str) -> SafeString:
    """The three dots of a row and what they open; `label` says of what: `Actions for brisk-otter`."""
    return format_html(
        '<span class="menu"><button class="btn btn-icon btn-ghost" type="button" popovertarget="{id}"'
        ' aria-haspopup="menu" aria-label="{label}">{dots}</button>'
        '<span class="menu-panel" id="{id}" popover role="menu" aria-label="{label}">{content}</span></span>',
        # Random, not counted: a fragment that htmx swaps in comes from another process than the page around it.
        id=f"menu-{token_hex(4)}",
        label=label,
        dots=_icon("ellipsis-horizontal", 18),
        content=content,
    )


@register.simple_tag
def menu_item(
    text: str,
    url: str = "",
    *,
    key: str = "",
    dialog: bool = False,
    disabled: str = "",
    danger: bool = False,
    download: bool = False,
) -> SafeString:
    """An entry of a menu: a link, or one whose answer opens as a dialog. `disabled` says why it cannot be chosen.

    `key` is the letter that chooses it while the menu is open or its row has the focus.
    """
    classes = "menu-item menu-item-danger" if danger else "menu-item"
    if disabled:
        return format_html(
            '<span class="{}" role="menuitem" tabindex="-1" aria-disabled="true">{} <small>{}</small></span>',
            classes,
            text,
            disabled,
        )
    flags: list[tuple[str, str]] = [("href", url)]
    if dialog:
        flags += [("hx-get", url), ("hx-target", "#dialog"), ("hx-swap", "innerHTML")]  # as in dialog_link
    if key:
        flags += [("data-key", key), ("aria-keyshortcuts", key)]
    if download:
        flags.append(("download", ""))
    return format_html(
        '<a class="{}" role="menuitem" tabindex="-1"{}>{}{}</a>',
        classes,
        format_html_join("", ' {}="{}"', flags),
        text,
        format_html(" <kbd>{}</kbd>", key.upper()) if key else "",
    )


@register.simple_tag
def menu_line() -> SafeString:
    return mark_safe('<span class="menu-line" role="separator"></span>')


@register.simple_tag
def dialog_link(url: str) -> SafeString:
    """Attributes of a link whose answer opens as a dialog, and as a page of its own without JavaScript."""
    # hx-swap is inherited: below a fragment that replaces itself, the answer would replace the dialog's element.
    return format_html('href="{0}" hx-get="{0}" hx-target="#dialog" hx-swap="innerHTML"', url)
