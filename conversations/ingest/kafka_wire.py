"""A few words of Kafka's protocol over a socket of our own: logging in, asking for rights, and fetching raw bytes.

kafka-python drops the broker's refusal when the connection ends right behind it, so that a wrong password looks like
a broken network; and it hands over no bytes that it cannot parse. https://kafka.apache.org/protocol: Fetch (1) version
4, Heartbeat (12) version 0, SaslHandshake (17) version 1, SaslAuthenticate (36) version 0.
"""

import itertools
import socket
import ssl
import struct
from dataclasses import dataclass
from typing import Any

from kafka.net.sasl import get_sasl_mechanism

NONE, UNSUPPORTED_MECHANISM, ILLEGAL_STATE = 0, 33, 34
TOPIC_REFUSED, GROUP_REFUSED = 29, 30
LONGEST_ANSWER = 64 * 1024
LONGEST_FETCH = 128 * 1024**2  # brokers answer with at least one whole batch, however large
_FETCH, _HEARTBEAT, _HANDSHAKE, _AUTHENTICATE = (1, 4), (12, 0), (17, 1), (36, 0)
_READ_COMMITTED = 1
_ROUNDS = 5


class NotKafka(Exception):
    """What came was no answer of a Kafka broker, or nothing came."""


class Silent(NotKafka):
    """Nothing came within the socket's time."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a broker has from an offset on. `aborted` are producers, and the first offset of what they took back."""

    fault: int
    records: bytes
    aborted: tuple[tuple[int, int], ...]


class Talk:
    """One connection, plain or TLS. The socket's timeout holds for each read. Raises NotKafka, and ssl.SSLError."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._numbers = itertools.count(1)

    def handshake(self, mechanism: str) -> tuple[int, list[str]]:
        """The error code, and the mechanisms on offer. A listener without SASL answers ILLEGAL_STATE."""
        answer = _Answer(self._ask(_HANDSHAKE, _text(mechanism)))
        code = answer.number("h")
        return code, [answer.text() for _ in range(min(answer.number("i"), 20))]

    def log_in(self, mechanism: str, username: str, password: str) -> bool:
        """After a handshake that went well: whether the broker takes us for that user."""
        dialogue: Any = get_sasl_mechanism(mechanism)(
            host="", sasl_mechanism=mechanism, sasl_plain_username=username, sasl_plain_password=password
        )
        for _ in range(_ROUNDS):
            token = dialogue.auth_bytes()
            answer = _Answer(self._ask(_AUTHENTICATE, struct.pack(">i", len(token)) + token))
            if answer.number("h") != NONE:
                return False
            answer.text()
            try:
                dialogue.receive(answer.take(answer.number("i")))
            except (ValueError, KeyError):  # a SCRAM answer that is none, or that proves nothing
                return False
            if dialogue.is_done():
                return bool(dialogue.is_authenticated())
        return False

    def may_use(self, group: str) -> bool:
        """Whether we may join the group. Asked as nobody of it, so that it does not notice."""
        return (
            _Answer(self._ask(_HEARTBEAT, _text(group) + struct.pack(">i", -1) + _text(""))).number("h")
            != GROUP_REFUSED
        )

    def may_read(self, topic: str) -> bool:
        """Whether we may fetch; of a topic that is not there, whether we might."""
        return self.fetch(topic, 0, -1).fault != TOPIC_REFUSED

    def fetch(self, topic: str, partition: int, offset: int) -> Fetched:
        """The batch of records that the offset is in, and perhaps others. Only the partition's leader has it."""
        wished = struct.pack(">iiiibi", -1, 0, 0, 1, _READ_COMMITTED, 1)  # no replica, no waiting, one byte, one topic
        wished += _text(topic) + struct.pack(">iiqi", 1, partition, offset, 1)
        answer = _Answer(self._ask(_FETCH, wished, LONGEST_FETCH))
        answer.number("i")  # how long we are throttled
        if answer.number("i") != 1 or answer.text() != topic or answer.number("i") != 1:
            raise NotKafka
        answer.number("i")  # the partition
        code, _end, _stable_end = answer.number("h"), answer.number("q"), answer.number("q")
        aborted = tuple((answer.number("q"), answer.number("q")) for _ in range(answer.number("i")))
        return Fetched(code, answer.take(answer.number("i")), aborted)

    def _ask(self, call: tuple[int, int], body: bytes, longest: int = LONGEST_ANSWER) -> bytes:
        number = next(self._numbers)
        request = struct.pack(">hhi", *call, number) + _text("parley") + body
        try:
            self._socket.sendall(struct.pack(">i", len(request)) + request)
            (length,) = struct.unpack(">i", self._read(4))
            if not 4 <= length <= longest:
                raise NotKafka
            answer = self._read(length)
        except ssl.SSLError:
            raise
        except TimeoutError:
            raise Silent from None
        except OSError:
            raise NotKafka from None
        if struct.unpack(">i", answer[:4]) != (number,):
            raise NotKafka
        return answer[4:]

    def _read(self, count: int) -> bytes:
        read = bytearray()
        while len(read) < count:
            more = self._socket.recv(min(count - len(read), LONGEST_ANSWER))
            if not more:
                raise NotKafka
            read += more
        return bytes(read)


class _Answer:
    def __init__(self, data: bytes) -> None:
        self._data = data

    def take(self, count: int) -> bytes:
        taken, self._data = self._data[: max(0, count)], self._data[max(0, count) :]
        if len(taken) < count:
            raise NotKafka
        return taken

    def number(self, kind: str) -> int:
        (value,) = struct.unpack(f">{kind}", self.take(struct.calcsize(f">{kind}")))
        return int(value)

    def text(self) -> str:
        return self.take(self.number("h")).decode(errors="replace")


def _text(text: str) -> bytes:
    data = text.encode()
    return struct.pack(">h", len(data)) + data
