"""A signer of tokens behind the few addresses of an OpenID Connect provider, for what a real one never sends.

tests/stack/test_single_sign_on.py holds the same code against a real Keycloak.
"""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, parse_qsl, unquote, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from django.test import Client

ACCOUNT = "/settings/account"
CLIENT, SECRET = "parley-web", "secret of the client"
OURSELVES = "subject-of-the-client"
_UNKNOWN = 404, {"error": "User not found"}


def new_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@dataclass
class SmallProvider:
    issuer: str
    keys: dict[str, rsa.RSAPrivateKey]
    document: dict[str, Any] = field(default_factory=dict)  # what differs in the discovery document
    token_answer: tuple[int, dict[str, Any]] = (400, {"error": "invalid_grant"})
    userinfo: dict[str, Any] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)  # (path, form) of every request
    headers: list[dict[str, str]] = field(default_factory=list)
    broken: bool = False
    # Its administration, as far as it is Keycloak's: who has which id and is enabled, and the client's own account.
    people: dict[str, bool] = field(default_factory=dict)
    account_id: str = OURSELVES
    searches_for_ids: bool = True  # for several at once
    token_of_client: tuple[int, dict[str, Any]] | None = None  # instead of a right one
    administration_answer: tuple[int, Any] | None = None  # instead of what it knows

    def claims(self, **changed: object) -> dict[str, Any]:
        """Those of a right ID token, with changes; None leaves a claim out."""
        now = int(time.time())
        right = {
            "iss": self.issuer,
            "sub": "subject-1",
            "aud": CLIENT,
            "azp": CLIENT,
            "iat": now,
            "exp": now + 60,
            "sid": "session-1",
            "preferred_username": "mara",
            "name": "Mara",
            "email": "mara@example.com",
            "realm_access": {"roles": ["annotator", "offline_access"]},
            "groups": [],
        }
        return {name: value for name, value in {**right, **changed}.items() if value is not None}

    def sign(self, claims: dict[str, Any], *, kid: str = "one", key: Any = None, algorithm: str = "RS256") -> str:
        return jwt.encode(claims, key or self.keys[kid], algorithm=algorithm, headers={"kid": kid})

    def gives(self, id_token: str, **more: object) -> None:
        """What the token endpoint answers from now on."""
        body = {"access_token": "access", "refresh_token": "refresh-2", "expires_in": 300, "refresh_expires_in": 1800}
        self.token_answer = 200, {**body, "id_token": id_token, **more}

    def answer(self, path: str, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        self.asked.append((path, form))
        if self.broken:
            return 503, {}
        if path.endswith("/openid-configuration"):
            return 200, self._discovery()
        if path.endswith("/certs"):
            return 200, {"keys": [self._public(kid) for kid in self.keys]}
        if path.endswith("/userinfo"):
            return 200, self.userinfo
        if path.startswith("/admin/realms/small/users"):
            return self._administration(path.removeprefix("/admin/realms/small/users"))
        if form.get("grant_type") == "client_credentials":
            return self.token_of_client or (200, {"access_token": self.sign({"sub": OURSELVES}), "expires_in": 300})
        return self.token_answer

    def _administration(self, rest: str) -> tuple[int, Any]:
        """Keycloak's search for ids, and its page of one person."""
        if self.administration_answer is not None:
            return self.administration_answer
        known = {self.account_id: True, **self.people}
        if not rest.startswith("?"):
            subject = unquote(rest.removeprefix("/"))
            return (200, {"id": subject, "enabled": known[subject]}) if subject in known else _UNKNOWN
        asked = parse_qs(rest[1:])["search"][0].removeprefix("id:").split()
        found = [subject for subject in asked if subject in known and (self.searches_for_ids or len(asked) == 1)]
        return 200, [{"id": subject, "enabled": known[subject]} for subject in found]

    def _discovery(self) -> dict[str, Any]:
        at = self.issuer
        return {
            "issuer": at,
            "authorization_endpoint": f"{at}/auth",
            "token_endpoint": f"{at}/token",
            "jwks_uri": f"{at}/certs",
            "userinfo_endpoint": f"{at}/userinfo",
            "end_session_endpoint": f"{at}/logout",
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            **self.document,
        }

    def _public(self, kid: str) -> dict[str, Any]:
        public = jwt.algorithms.RSAAlgorithm.to_jwk(self.keys[kid].public_key(), as_dict=True)
        return {**public, "kid": kid, "alg": "RS256", "use": "sig"}


@contextmanager
def small_provider(key: rsa.RSAPrivateKey) -> Iterator[SmallProvider]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._send({})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            self._send({name: values[0] for name, values in parse_qs(body).items()})

        def _send(self, form: dict[str, str]) -> None:
            provider.headers.append(dict(self.headers))
            status, found = provider.answer(self.path, form)
            content = json.dumps(found).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        provider = SmallProvider(f"http://127.0.0.1:{server.server_port}/realms/small", {"one": key})
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield provider
        server.shutdown()


def begin(client: Client, target: str = ACCOUNT) -> dict[str, str]:
    """What the provider is asked."""
    answer = client.get("/oidc/begin", {"next": target})
    assert answer.status_code == 302, answer.content
    return dict(parse_qsl(urlsplit(answer["Location"]).query))


def come_back(client: Client, asked: dict[str, str], **more: str):
    return client.get("/oidc/callback", {"code": "code-1", "state": asked["state"], **more})


def sign_in(client: Client, provider: SmallProvider, target: str = ACCOUNT, **changed: object):
    asked = begin(client, target)
    provider.gives(provider.sign(provider.claims(nonce=asked["nonce"], **changed)))
    return come_back(client, asked)
