"""mozilla-django-oidc's backend with its gaps closed: its flow, our checks and our people."""

from typing import Any

from django.conf import settings
from django.contrib.auth.backends import ModelBackend
from django.http import HttpRequest
from django.urls import reverse
from mozilla_django_oidc.auth import OIDCAuthenticationBackend

from studio.access.models import User
from studio.access.oidc import person, tokens
from studio.access.oidc.person import Arrival
from studio.access.oidc.tokens import Claims
from studio.access.services import single_sign_on

PATH = "studio.access.oidc.backend.SingleSignOnBackend"


class SingleSignOnBackend(OIDCAuthenticationBackend):  # type: ignore[misc]
    """Which of the library's steps are ours: fetching tokens, checking them, and finding or making the person.

    Its own would match by e-mail address, check neither issuer nor audience, wait for ever, and let in who is shut out.
    """

    def __init__(self) -> None:
        """Django makes a backend for every request: nothing is asked or read here."""
        self.UserModel = User
        self.OIDC_RP_CLIENT_ID = settings.OIDC_CLIENT_ID
        self.OIDC_RP_CLIENT_SECRET = settings.OIDC_CLIENT_SECRET

    def authenticate(
        self, request: HttpRequest | None, nonce: str = "", code_verifier: str = "", **credentials: Any
    ) -> User | None:
        """The person of a callback; None for every other way of signing in. Raises a SingleSignOnError.

        Afterwards `request.arrival` is what the session needs to be renewed and ended.
        """
        if request is None or not (settings.OIDC_ISSUER and nonce and code_verifier):
            return None
        found: User | None = super().authenticate(request, nonce=nonce, code_verifier=code_verifier)
        return found

    def get_token(self, payload: dict[str, str]) -> dict[str, str]:
        self.tokens = tokens.exchange(
            code=payload["code"], code_verifier=payload["code_verifier"], redirect_uri=callback_url()
        )
        return {"id_token": self.tokens.id_token, "access_token": self.tokens.access_token}

    def verify_token(self, token: str, **expected: str) -> Claims:
        return tokens.verify_id_token(token, nonce=expected["nonce"])

    def store_tokens(self, access_token: str, id_token: str) -> None:
        """Not in the session, where they would lie in plain text: with its row, encrypted."""

    def get_or_create_user(self, access_token: str, id_token: str, payload: Claims) -> User:
        identity = single_sign_on.admit(claimed=person.describe(payload, access_token))
        self.request.arrival = Arrival(identity, self.tokens, str(payload.get("sid") or ""))
        return identity.user

    def get_user(self, user_id: int) -> User | None:
        """Nobody who is shut out; the library would not look."""
        found = ModelBackend().get_user(user_id)
        return found if isinstance(found, User) else None


def callback_url() -> str:
    """Of PARLEY_URL and not of the request: that is the one address the provider knows."""
    return f"{settings.PUBLIC_URL}{reverse('access:oidc-callback')}"
