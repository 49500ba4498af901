"""What goes wrong with a Kafka cluster, in one sentence for people each, with what to do."""

import ssl
from contextlib import suppress

from cryptography import x509
from kafka.errors import (
    AuthorizationError,
    GroupAuthorizationFailedError,
    SaslAuthenticationFailedError,
    TopicAuthorizationFailedError,
    UnsupportedCodecError,
)

from conversations.ingest.kafka_settings import KafkaSettings


def explain(error: BaseException, settings: KafkaSettings, *, has_answered: bool = False) -> str:
    """`has_answered`: one of the servers did, just before."""
    where = ", ".join(settings.servers)
    match error:
        case TopicAuthorizationFailedError():
            return topic_refused(settings, *_names(error))
        case GroupAuthorizationFailedError():
            return group_refused(settings)
        case AuthorizationError():
            return f"{whom(settings)} is not authorised: {said(error)}."
        case SaslAuthenticationFailedError():
            return f"{where} refused the user name or password. Correct them in this source's settings."
        case UnsupportedCodecError():
            return f"The records are compressed in a way that this version of Parley cannot unpack: {said(error)}."
        case ssl.SSLError():
            return f"The certificate or key cannot be used: {said(error)}."
        case ValueError():
            return f"These settings cannot be used: {said(error)}."
    if has_answered:
        return (
            f"{where} answers, and no broker of its cluster does. They must be reachable at the addresses that the "
            "cluster names (advertised.listeners); PARLEY_RASA_HOSTS must list those that are private."
        )
    return f"{where} does not answer. Is Kafka running there, and is the security protocol the right one?"


def topic_refused(settings: KafkaSettings, *topics: str) -> str:
    which = f"the topic {topics[0]}" if len(topics) == 1 else f"the topics {', '.join(topics)}"
    return f"{whom(settings)} may not read {which}: it needs READ on {'it' if len(topics) == 1 else 'them'}."


def group_refused(settings: KafkaSettings) -> str:
    return f"{whom(settings)} may not use the group {settings.group}: it needs READ on it."


def whom(settings: KafkaSettings) -> str:
    """Who we are to the cluster, as the beginning of a sentence."""
    if settings.uses_sasl:
        return f"The user {settings.sasl_username}"
    if settings.ssl_certificate:
        return f"The certificate of {certified(settings)}"
    return "Whoever connects without a name"


def certified(settings: KafkaSettings) -> str:
    """The name that our certificate gives us; what Kafka's rights are granted to."""
    with suppress(ValueError):
        return x509.load_pem_x509_certificate(settings.ssl_certificate.encode()).subject.rfc4514_string()
    return "no readable name"


def said(error: BaseException) -> str:
    return str(error).strip().rstrip(".")[:200]


def _names(error: BaseException) -> list[str]:
    """Of topics; kafka-python gives one or a set."""
    found = error.args[0] if error.args else ()
    return sorted({found} if isinstance(found, str) else map(str, found))
