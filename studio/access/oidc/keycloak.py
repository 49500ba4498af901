"""Addresses of Keycloak's beside those of OpenID Connect; of other providers we know none."""

import re
from urllib.parse import quote

from studio.access.models import Identity

_ISSUER = re.compile(r"(?P<base>https?://.+)/realms/(?P<realm>[^/]+)")


def account_console(issuer: str) -> str:
    """Where people of this issuer change their password, e-mail address and second factor; empty when not Keycloak."""
    return f"{issuer}/account" if _ISSUER.fullmatch(issuer) else ""


def administration(issuer: str) -> str:
    """Where programs ask about this issuer's realm; empty when it is not Keycloak."""
    found = _ISSUER.fullmatch(issuer)
    return f"{found['base']}/admin/realms/{found['realm']}" if found else ""


def admin_page(identity: Identity) -> str:
    """Keycloak's page of one person, for its administrators; empty when the person's provider is not Keycloak."""
    found = _ISSUER.fullmatch(identity.issuer)
    if found is None:
        return ""
    realm, subject = found["realm"], quote(identity.subject, safe="")
    return f"{found['base']}/admin/master/console/#/{realm}/users/{subject}/settings"
