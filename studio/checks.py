"""What must never be served: unsafe combinations of settings, found before the first request.

Errors stop the web and every `manage.py` command; warnings are printed. Each is described in docs/security.md.
"""

import ipaddress
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any
from urllib.parse import urlsplit

from cryptography.fernet import Fernet
from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error, Tags, Warning
from django.db import DatabaseError, connections

from studio import rotation
from studio.audit import ownership

LEAST_SECRET = 32  # letters of a key that others can reach us by
LEAST_TOKEN = 16
_EXAMPLE = re.compile(
    r"change.?me|example|insecure|placeholder|^(secret|password|admin|postgres|parley)$", re.IGNORECASE
)


def on_this_machine(url: str) -> bool:
    """Whether an address leads to the very machine it is opened on."""
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_of_an_example(secret: str) -> bool:
    """Whether it is known to everybody."""
    return bool(_EXAMPLE.search(secret))


def unsafe_settings(app_configs: object = None, **options: object) -> list[CheckMessage]:
    """Everything that settings alone can tell."""
    return [message for find in _FINDERS for message in find()]


def stored_secrets(
    app_configs: object = None, *, databases: Sequence[str] | None = None, **_: Any
) -> list[CheckMessage]:
    """Warn while secrets of the database still need a key other than the first."""
    if len(settings.ENCRYPTION_KEYS) < 2 or not databases:
        return []
    try:
        count = rotation.old_ones()
    except DatabaseError:  # its tables are not made yet
        return []
    if not count:
        return []
    text = f"{count} stored secrets still need an older one of PARLEY_ENCRYPTION_KEYS."
    return [Warning(text, hint="Run `manage.py rotate_keys`; then the older keys can go.", id="parley.W001")]


def audit_table(app_configs: object = None, *, databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Warn when the application's role could change what the audit log says."""
    if not databases:
        return []
    try:
        with connections["default"].cursor() as cursor:
            found = ownership.state(cursor)
            cursor.execute("SELECT current_user, current_database()")
            me, database = cursor.fetchone()
    except DatabaseError:  # not made yet
        return []
    if found.is_superuser:
        hint = "Give Parley a role of its own in DATABASE_URL, without SUPERUSER."
        return [Warning(f"{me} is a superuser of PostgreSQL, so nothing is closed to it.", hint=hint, id="parley.W002")]
    if found.may_alter:
        hint = f"An administrator of PostgreSQL runs:\n{ownership.as_script(me, database)}"
        return [
            Warning(f"{me} may alter the audit log; a trigger alone keeps it from that.", hint=hint, id="parley.W003")
        ]
    return []


def register() -> None:
    checks.register(unsafe_settings, Tags.security)
    checks.register(stored_secrets, Tags.database)
    checks.register(audit_table, Tags.database)


def refuse_unsafe() -> None:
    """For processes that no management command starts: print what is wrong, and end the process on an error."""
    found = unsafe_settings()
    for message in found:
        print(message, file=sys.stderr)  # noqa: T201 - there is no log before the start
    if any(message.is_serious() for message in found):
        sys.exit(3)


# --- One function for each finding ----------------------------------------------------------------------------------


def _address() -> Iterable[CheckMessage]:
    parts = urlsplit(settings.PUBLIC_URL)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path or parts.query:
        yield Error(
            f"PARLEY_URL is {settings.PUBLIC_URL}, and is no address of a whole server.",
            hint="It must look like https://parley.example.com, without a path.",
            id="parley.E001",
        )


def _debug() -> Iterable[CheckMessage]:
    if settings.DEBUG and not on_this_machine(settings.PUBLIC_URL):
        yield Error(
            "PARLEY_DEBUG is 1, and PARLEY_URL can be reached by others.",
            hint="Error pages would show them code and settings. Set PARLEY_DEBUG=0.",
            id="parley.E002",
        )


def _secret_key() -> Iterable[CheckMessage]:
    if len(settings.SECRET_KEY) < LEAST_SECRET and not on_this_machine(settings.PUBLIC_URL):
        yield Error(
            f"PARLEY_SECRET_KEY has fewer than {LEAST_SECRET} letters.",
            hint="Whoever guesses it signs in as anybody. `openssl rand -hex 32` makes a good one.",
            id="parley.E003",
        )


def _example_secrets() -> Iterable[CheckMessage]:
    """Whatever an example or a guide has in the place of a secret is known to everybody."""
    found = {
        "PARLEY_SECRET_KEY": settings.SECRET_KEY,
        "PARLEY_ADMIN_PASSWORD": settings.ADMIN_PASSWORD,
        "PARLEY_OIDC_CLIENT_SECRET": settings.OIDC_CLIENT_SECRET,
        "PARLEY_S3_SECRET_ACCESS_KEY": settings.S3_SECRET_ACCESS_KEY,
        "PARLEY_BACKUP_S3_SECRET_ACCESS_KEY": settings.BACKUP_S3_SECRET_ACCESS_KEY,
        "PARLEY_METRICS_TOKEN": settings.METRICS_TOKEN,
        "RASA_X_TOKEN": settings.RASA_X_TOKEN,
        "DATABASE_URL": str(settings.DATABASES["default"]["PASSWORD"]),
        "REDIS_URL": urlsplit(settings.REDIS_URL).password or "",
    }
    for name, value in found.items():
        if is_of_an_example(value):
            yield Error(
                f"{name} is that of an example, which everybody can read.",
                hint="`scripts/secrets.sh` makes all secrets of an installation in containers; `openssl rand -hex 32` "
                "makes one.",
                id="parley.E008",
            )


def _encryption_keys() -> Iterable[CheckMessage]:
    bad = [number for number, key in enumerate(settings.ENCRYPTION_KEYS, start=1) if not _is_fernet(key)]
    if bad or not settings.ENCRYPTION_KEYS:
        which = f"Number {bad[0]} of" if bad else "None is in"
        yield Error(
            f"{which} PARLEY_ENCRYPTION_KEYS is no key.",
            hint="Each is 32 bytes in URL-safe base64: `openssl rand -base64 32 | tr +/ -_` makes one.",
            id="parley.E004",
        )


def _is_fernet(key: str) -> bool:
    try:
        Fernet(key)
    except ValueError:
        return False
    return True


def _hosts() -> Iterable[CheckMessage]:
    if "*" in settings.ALLOWED_HOSTS and settings.SECURE_COOKIES:
        yield Error(
            "PARLEY_ALLOWED_HOSTS is *, although PARLEY_URL is an https address.",
            hint="A request could make us write links to another host. Leave it empty, or list the names you use.",
            id="parley.E005",
        )


def _rasa_hosts() -> Iterable[CheckMessage]:
    wide = [listed for listed in settings.RASA_HOSTS if _is_everything(listed)]
    if wide:
        yield Error(
            f"PARLEY_RASA_HOSTS holds {wide[0]}, which is every host.",
            hint="Then people could make Parley call any address of your network. List the hosts of your Rasa servers.",
            id="parley.E006",
        )


def _is_everything(listed: str) -> bool:
    try:
        return ipaddress.ip_network(listed, strict=False).prefixlen == 0
    except ValueError:
        return not listed.strip("*?[]!.")


def _single_sign_on() -> Iterable[CheckMessage]:
    issuer = settings.OIDC_ISSUER
    if issuer.startswith("http://") and not on_this_machine(issuer):
        yield Error(
            f"PARLEY_OIDC_ISSUER is {issuer}: who may sign in would travel unprotected.",
            hint="Use the provider's https address. Plain http is for a provider on this machine.",
            id="parley.E007",
        )


def _plain_http() -> Iterable[CheckMessage]:
    if not settings.SECURE_COOKIES and not on_this_machine(settings.PUBLIC_URL):
        yield Warning(
            f"PARLEY_URL is {settings.PUBLIC_URL}: passwords and cookies travel unprotected.",
            hint="Put a TLS proxy in front, and set PARLEY_URL to its https address.",
            id="parley.W004",
        )


def _proxies() -> Iterable[CheckMessage]:
    if settings.SECURE_COOKIES and not settings.TRUSTED_PROXIES:
        yield Warning(
            "PARLEY_URL is an https address, and PARLEY_TRUSTED_PROXIES is 0.",
            hint="Behind a proxy all people would share its address: one person's wrong passwords would lock out all, "
            "and no browser is told to keep to https. Set it to the number of your proxies.",
            id="parley.W005",
        )


def _model_token() -> Iterable[CheckMessage]:
    if 0 < len(settings.RASA_X_TOKEN) < LEAST_TOKEN:
        yield Warning(
            f"RASA_X_TOKEN has fewer than {LEAST_TOKEN} letters, and reads every model.",
            hint="`openssl rand -hex 32` makes a good one.",
            id="parley.W006",
        )


_FINDERS: tuple[Callable[[], Iterable[CheckMessage]], ...] = (
    _address,
    _debug,
    _secret_key,
    _example_secrets,
    _encryption_keys,
    _hosts,
    _rasa_hosts,
    _single_sign_on,
    _plain_http,
    _proxies,
    _model_token,
)
