"""Which hosts a Kafka client of ours may connect to: those of PARLEY_RASA_HOSTS and public ones, as for HTTP.

A cluster names its brokers itself, so that looking at the servers people typed in would not be enough: whoever runs a
"cluster" could send us anywhere. kafka-python makes its sockets by the scheme of `proxy_url`; ours passes every address
by the rules of studio.web.outgoing at the moment of connecting.
"""

from typing import Any

from django.conf import settings
from kafka.errors import KafkaConnectionError
from kafka.net import KafkaNetSocket

from studio.web import outgoing

CHECKED = "parley-checked://"  # for the option `proxy_url`: no proxy, and every address is looked at


class _CheckedSocket(KafkaNetSocket):  # type: ignore[misc]
    SCHEMES = ("parley-checked",)

    def dns_lookup(self, host: str, port: int, raise_error: bool = False) -> list[Any]:
        found = super().dns_lookup(host, port, raise_error)
        allowed = [one for one in found if outgoing.is_allowed(host, str(one[4][0]), settings.RASA_HOSTS)]
        if found and not allowed:
            raise KafkaConnectionError(f"{host} is a private address that PARLEY_RASA_HOSTS does not list")
        return allowed


def parted(server: str) -> tuple[str, int]:
    """Host and port of `host:port`; ValueError for anything else."""
    host, colon, port = server.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError(server)
    return host, int(port)
