"""A request that a program sends again, because the answer was lost on the way, is answered again and not done again.

`Idempotency-Key` on a POST to /api, where studio/web/api/repeats.py says nothing else of it: what it changed and the
answer are one transaction, so that whoever asks a second time finds both or neither. Whoever asks while the first is
under way waits for it.
"""

import hashlib
from collections.abc import Callable
from datetime import timedelta
from functools import wraps

from django.core.exceptions import RequestDataTooBig
from django.db import Error, IntegrityError, transaction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone

from studio.access.models import ApiToken, KeptAnswer, User
from studio.crypto import decrypt, encrypt
from studio.errors import Conflict, DomainError, Invalid

KEPT_FOR = timedelta(hours=24)
LONGEST_KEY = 200
HEADERS = ("Content-Type", "Location")

View = Callable[..., HttpResponseBase]
Proof = ApiToken | User
Handle = Callable[[HttpRequest, Exception], HttpResponseBase]


class _Undo(Exception):
    """Take back what a request that failed has begun, and with it the note that it was made."""


def once(view: View, *, authenticate: Callable[[HttpRequest], Proof | None], on_error: Handle) -> View:
    """`view`, doing what one person asks with one Idempotency-Key once. `authenticate` sets `request.user`."""

    @wraps(view)
    def asked(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        key = request.headers.get("Idempotency-Key", "").replace("\0", "")
        if request.method != "POST" or not key:
            return view(request, *args, **kwargs)
        try:
            if len(key) > LONGEST_KEY:
                raise Invalid(f"An Idempotency-Key has at most {LONGEST_KEY} characters.")
            proof = authenticate(request)
            if proof is None or not isinstance(request.user, User):
                return view(request, *args, **kwargs)  # which refuses it
            note = KeptAnswer(user=request.user, key=key, request=_digest(request, proof))
            return _answer(note, lambda: view(request, *args, **kwargs))
        except (DomainError, Error, RequestDataTooBig) as error:
            return on_error(request, error)

    return asked


def _answer(note: KeptAnswer, do: Callable[[], HttpResponseBase]) -> HttpResponseBase:
    response: HttpResponseBase | None = None
    try:
        with transaction.atomic():
            if not _begin(note):
                return _again(note)
            response = do()
            if response.status_code >= 400 or not isinstance(response, HttpResponse):
                raise _Undo
            note.status, note.body_encrypted = response.status_code, encrypt(response.content.decode())
            note.headers = {name: response[name] for name in HEADERS if name in response}
            note.save()
    except _Undo:
        assert response is not None
    return response


def _begin(note: KeptAnswer) -> bool:
    """Whether it is the first; waits for one that is under way."""
    try:
        with transaction.atomic():
            note.save(force_insert=True)
    except IntegrityError:
        return False
    return True


def _again(note: KeptAnswer) -> HttpResponse:
    kept = KeptAnswer.objects.get(user=note.user, key=note.key)
    if bytes(kept.request) != note.request:
        raise Conflict("This Idempotency-Key was used for another request, or with another token. Take a new word.")
    return HttpResponse(
        decrypt(kept.body_encrypted), status=kept.status, headers={**kept.headers, "X-Repeated": "true"}
    )


def _digest(request: HttpRequest, proof: Proof) -> bytes:
    """Of the token too: an answer may hold what another token of the same person may not read."""
    token = proof.key if isinstance(proof, ApiToken) else "sign-in"
    asked = f"{token} {request.method} {request.get_full_path()}\n".encode()
    return hashlib.sha256(asked + request.body).digest()


def forget_old() -> None:
    """Answers that nobody asks for again."""
    KeptAnswer.objects.filter(at__lt=timezone.now() - KEPT_FOR).delete()
