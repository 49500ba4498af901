"""What keeps us from one Kafka server, step by step and each in its own sentence: name, connection, TLS, user, rights.

The steps are ours because kafka-python, whatever was wrong, tries again until its time is over and says that it was.
"""

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from conversations.ingest import kafka_wire
from conversations.ingest.kafka_hosts import parted
from conversations.ingest.kafka_settings import KafkaSettings, client_options
from conversations.ingest.kafka_words import certified, group_refused, said, topic_refused
from studio.web import outgoing

CONNECT_SECONDS = 2.0
ANSWER_SECONDS = 3.0
_WRONG_NAME, _EXPIRED = 62, 10  # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_CERT_HAS_EXPIRED


class No(Exception):
    """Why nothing can be taken from a server; the message says what to do."""


def failures(settings: KafkaSettings) -> dict[str, str]:
    """By server, why nothing can be taken from it; servers that are well are missing. Takes seconds for each that does
    not answer, and tries the password once at each that does."""
    found = {}
    for server in settings.servers:
        try:
            with greeted(settings, server) as talk:
                _ask_for_rights(settings, talk)
        except No as error:
            found[server] = str(error)
    return found


def none_is_well(settings: KafkaSettings) -> str:
    """Why none of the servers can be taken from; empty when one can."""
    found = failures(settings)
    return " ".join(dict.fromkeys(found.values())) if len(found) == len(settings.servers) else ""


@contextmanager
def greeted(settings: KafkaSettings, server: str) -> Iterator[kafka_wire.Talk]:
    """A connection, logged in. Raises No."""
    try:
        context = client_options(settings).get("ssl_context")
    except (ValueError, OSError) as error:  # ssl.SSLError is an OSError
        raise No(f"The certificate or key cannot be used: {said(error)}.") from None
    host, plain = _connected(server)
    with plain:
        plain.settimeout(ANSWER_SECONDS)
        if context is None:
            yield _logged_in(settings, server, plain)
            return
        with _secured(plain, host, server, settings, context) as secure:
            yield _logged_in(settings, server, secure)


def _ask_for_rights(settings: KafkaSettings, talk: kafka_wire.Talk) -> None:
    try:
        refused = [topic for topic in settings.topics if not talk.may_read(topic)]
        if refused:
            raise No(topic_refused(settings, *refused))
        if not talk.may_use(settings.group):
            raise No(group_refused(settings))
    except (kafka_wire.NotKafka, OSError):
        return  # a broker that does not know these questions; what it refuses is said when it comes to that


def _connected(server: str) -> tuple[str, socket.socket]:
    try:
        host, port = parted(server)
        addresses = outgoing.allowed_addresses(host, port)
    except ValueError:
        raise No(f"{server} is not a host and a port, such as kafka.example.org:9092.") from None
    except outgoing.OutgoingError as error:
        raise No(error.message) from None
    problem: OSError | None = None
    for address in dict.fromkeys(addresses):
        try:
            return host, socket.create_connection((address, port), CONNECT_SECONDS)
        except OSError as error:
            problem = error
    if isinstance(problem, TimeoutError):
        raise No(f"{server} does not answer: the attempt to connect got no reply. Does a firewall lie between?")
    raise No(f"{server} refused the connection. Is Kafka running there, and is this its port?")


def _secured(
    plain: socket.socket, host: str, server: str, settings: KafkaSettings, context: ssl.SSLContext
) -> ssl.SSLSocket:
    try:
        return context.wrap_socket(plain, server_hostname=host)
    except ssl.SSLCertVerificationError as error:
        raise No(_untrusted(error, host, server)) from None
    except ssl.SSLError as error:
        raise No(_broken_tls(error, server, settings)) from None
    except TimeoutError:
        raise No(_silent(server)) from None
    except OSError:
        raise No(f"{server} ended the connection in the middle of TLS. Does its listener speak TLS?") from None


def _silent(server: str) -> str:
    waited = f"{server} took the connection and said nothing for {ANSWER_SECONDS:.0f} seconds."
    return f"{waited} Is it starting, or busy? If not, choose the security protocol that its listener has."


def _untrusted(error: ssl.SSLCertVerificationError, host: str, server: str) -> str:
    if error.verify_code == _WRONG_NAME:
        return f"The certificate of {server} is not for the name {host}. Correct the name, or do not check it."
    if error.verify_code == _EXPIRED:
        return f"The certificate of {server} has expired. Whoever runs the cluster has to renew it."
    return f"The certificate of {server} is signed by nobody we know. Paste the certificate of its authority (CA)."


def _broken_tls(error: ssl.SSLError, server: str, settings: KafkaSettings) -> str:
    if "ALERT" in str(error).upper():
        if not settings.ssl_certificate:
            return f"{server} asks for a certificate of ours: paste it with its key. ({said(error)})"
        ours = f"our certificate, of {certified(settings)}"
        return f"{server} refused {ours}: its authority must be one that Kafka trusts. ({said(error)})"
    return f"{server} does not speak TLS. Choose the security protocol that its listener has."


def _logged_in(settings: KafkaSettings, server: str, sock: socket.socket) -> kafka_wire.Talk:
    talk, mechanism = kafka_wire.Talk(sock), settings.sasl_mechanism
    try:
        code, offered = talk.handshake(mechanism)
        is_open = code == kafka_wire.ILLEGAL_STATE
        if settings.uses_sasl and is_open:
            raise No(f"{server} asks for no user name. Choose the security protocol without SASL, or another port.")
        if not settings.uses_sasl and not is_open:
            raise No(f"{server} asks for a user name. Choose the security protocol with SASL, or another port.")
        if is_open:
            return talk
        if code != kafka_wire.NONE:
            raise No(f"{server} does not offer {mechanism}. It offers {', '.join(offered) or 'nothing we know'}.")
        if not talk.log_in(mechanism, settings.sasl_username, settings.sasl_password):
            raise No(f"{server} refused the user name or password. Correct them in this source's settings.")
        return talk
    except ssl.SSLError as error:  # under TLS 1.3 the server judges our certificate only now
        raise No(_broken_tls(error, server, settings)) from None
    except kafka_wire.Silent:
        raise No(_silent(server)) from None
    except kafka_wire.NotKafka:
        protocol = settings.security_protocol
        text = f"{server} does not speak Kafka with {protocol}. Choose the security protocol that its listener has."
        raise No(text) from None
