"""Pieces of charts that there are hundreds of on a page: a template takes twenty times as long to write them."""

from collections.abc import Sequence
from html import escape

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from conversations.analytics.charts import Drawing, Spot
from conversations.analytics.page import Cell

register = template.Library()


@register.simple_tag
def chart_shapes(drawing: Drawing) -> SafeString:
    """Bars and lines."""
    bars = format_html('<path class="chart-bar" d="{}"/>', drawing.bars) if drawing.bars else ""
    lines = format_html_join("", '<path class="chart-line chart-line-{}" d="{}"/>', drawing.lines)
    return format_html("{}{}", bars, lines)


@register.simple_tag
def chart_spots(drawing: Drawing) -> SafeString:
    """The room of each point, which says what is there and leads to it."""
    return mark_safe("".join(map(_spot, drawing.spots)))  # noqa: S308 - escaped below


def _spot(spot: Spot) -> str:
    title = escape(spot.title)
    room = (
        f'<rect class="chart-spot" x="{spot.x}" width="{spot.width}" height="100" data-title="{title}">'
        f"<title>{title}</title></rect>"
    )
    return f'<a href="{escape(spot.url)}" tabindex="-1">{room}</a>' if spot.url else room


@register.simple_tag
def chart_rows(rows: Sequence[tuple[str, Sequence[Cell]]]) -> SafeString:
    """The table of a chart: a row for each point."""
    return mark_safe("\n".join(map(_row, rows)))  # noqa: S308 - escaped below


def _row(row: tuple[str, Sequence[Cell]]) -> str:
    title, cells = row
    numbers = "".join(f'<td class="num">{_cell(one)}</td>' for one in cells)
    return f'<tr><th scope="row">{escape(title)}</th>{numbers}</tr>'


def _cell(cell: Cell) -> str:
    text = escape(cell.text)
    return f'<a href="{escape(cell.url)}">{text}</a>' if cell.url else text
