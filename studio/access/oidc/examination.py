"""What `manage.py doctor` asks the provider of single sign-on."""

from collections.abc import Iterator

from django.conf import settings

from studio.access.oidc import provider
from studio.access.oidc.errors import SingleSignOnError
from studio.doctor import Finding, Status

PART = "single sign-on"


def single_sign_on() -> Iterator[Finding]:
    if not provider.is_configured():
        yield Finding(PART, Status.OK, "None is set: people sign in with local accounts.")
        return
    try:
        provider.forget()
        issuer = provider.current().issuer
        keys, seconds = provider.usable_keys(), provider.clock_differs()
    except SingleSignOnError as error:
        yield Finding(PART, Status.FAIL, error.message, "docs/single-sign-on.md says what the provider has to be.")
        return
    if not keys:
        yield Finding(PART, Status.FAIL, "It has no key that signs by RS256, ES256 or PS256.", "Give it one.")
    if abs(seconds) > settings.OIDC_SKEW + 1:
        message = (
            f"Its clock is {abs(seconds):.0f} s {'ahead of' if seconds > 0 else 'behind'} ours: sign-ins are refused."
        )
        mend = "Let both take their time from the same NTP servers, or raise PARLEY_OIDC_SKEW."
        yield Finding(PART, Status.FAIL, message, mend)
    elif keys:
        yield Finding(PART, Status.OK, f"{issuer} answers, with {keys} usable keys.")
