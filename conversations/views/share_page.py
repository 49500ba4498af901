"""The page of one share link: how to hand it out, who came, and what they thought."""

import io
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import segno
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import get_language_info
from django.views.decorators.http import require_safe

from conversations.chat.links import snippet_of
from conversations.ingest.whose import sender_key
from conversations.loaders import load_link
from conversations.models import Conversation, Rating, ShareGuest, ShareLink, TalkSession
from conversations.paging import Cursor
from conversations.views.share_rows import Row
from studio.access.loaders import signed_in
from studio.access.permissions import Permission, Scope

GUESTS = 25  # of a page
COMMENTS = 20
CHATS = 3  # of one guest that are named
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Visitor:
    """A guest of the list. `chats` are keys of their newest conversations, for whoever may read them."""

    guest: ShareGuest
    chats: Sequence[int]

    @property
    def language(self) -> str:
        return language_name(self.guest.language)


def language_name(code: str) -> str:
    """In English; the code itself where Django knows no name."""
    try:
        return str(get_language_info(code)["name"]) if code else ""
    except KeyError:
        return code


@require_safe
def link_page(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    link = load_link(request, slug, pk)
    assistant = link.environment.assistant
    may_read = signed_in(request).may(Permission.CONVERSATIONS_VIEW, Scope(assistant.pk, link.environment_id))
    row = Row(link, Conversation.objects.filter(share_link=link).count(), may_read)
    guests, older = _guests(link, Cursor.parse(request.GET.get("after", "")))
    context = {
        "row": row,
        "link": link,
        "visitors": _visitors(guests, assistant.pk) if may_read else [Visitor(one, ()) for one in guests],
        "older": older,
        "is_later": "after" in request.GET,
        "rated": Rating.objects.filter(link=link).aggregate(
            up=Count("pk", filter=Q(is_up=True)), down=Count("pk", filter=Q(is_up=False))
        ),
        "comments": _comments(link, assistant.pk) if may_read else [],
        "snippet": snippet_of(link) if row.address and link.origins else "",
        "language": language_name(link.language),
    }
    return render(request, "conversations/share_link.html", context)


def _guests(link: ShareLink, after: Cursor | None) -> tuple[list[ShareGuest], Cursor | None]:
    """Those who were here last first, and where the next page begins."""
    guests = ShareGuest.objects.filter(link=link)
    if after is not None and 0 <= after.value < 2**53:
        at = _EPOCH + timedelta(microseconds=after.value)
        guests = guests.filter(Q(last_at__lt=at) | Q(last_at=at, pk__lt=after.pk), last_at__lte=at)
    rows = list(guests[: GUESTS + 1])
    if len(rows) <= GUESTS:
        return rows, None
    last = rows[GUESTS - 1]
    return rows[:GUESTS], Cursor(float((last.last_at - _EPOCH) // _MICROSECOND), last.pk)


def _visitors(guests: Sequence[ShareGuest], assistant_id: int) -> list[Visitor]:
    sessions = TalkSession.objects.filter(guest__in=[one.pk for one in guests])
    found = list(sessions.order_by("-pk").values_list("guest_id", "sender_id"))
    keys = _conversations([sender for _guest, sender in found], assistant_id)
    chats: dict[int | None, list[int]] = defaultdict(list)
    for guest, sender in found:
        if sender in keys:
            chats[guest].append(keys[sender])
    return [Visitor(one, chats[one.pk][:CHATS]) for one in guests]


def _conversations(senders: Sequence[str], assistant_id: int) -> dict[str, int]:
    found = Conversation.objects.filter(assistant=assistant_id, sender_key__in=list(map(sender_key, senders)))
    return dict(found.values_list("sender_id", "pk"))


def _comments(link: ShareLink, assistant_id: int) -> list[tuple[Rating, int | None]]:
    """The newest, each with its conversation when that has come."""
    rows = Rating.objects.filter(link=link).exclude(comment="").select_related("session").order_by("-at", "-pk")
    comments = list(rows[:COMMENTS])
    keys = _conversations([one.session.sender_id for one in comments], assistant_id)
    return [(one, keys.get(one.session.sender_id)) for one in comments]


@require_safe
def link_qr(request: HttpRequest, slug: str, pk: int, kind: str) -> HttpResponse:
    """The address as a picture to scan: `svg` or `png`. With ?download it comes as a file."""
    link = load_link(request, slug, pk)
    address = Row(link, 0, may_read=False).address
    if not address:
        return HttpResponse("This link works no more.", status=410, content_type="text/plain")
    picture = io.BytesIO()
    segno.make(address, error="m", micro=False).save(picture, kind=kind, scale=8, border=4)
    content_type = "image/svg+xml" if kind == "svg" else "image/png"
    response = HttpResponse(picture.getvalue(), content_type=content_type)
    response["Cache-Control"] = "private, no-store"  # it holds the address
    if "download" in request.GET:
        response["Content-Disposition"] = f'attachment; filename="share-link-{link.pk}.{kind}"'
    return response
