"""Asks Rasa servers how they are beside the controller's loop: one that does not answer must not hold up the rest."""

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from studio.rasa.client import RasaClient, RasaError

HOST = "127.0.0.1"
THREADS = 8
TIMEOUT_SECONDS = 3.0


@dataclass(frozen=True)
class Answer:
    """What one look at a server showed. Only the process that has our random token counts as answering."""

    answers: bool
    has_model: bool = False


def look(host: str, port: int, token: str, prove: bool) -> Answer:
    """With `prove` also ask without the token: a server of somebody else that asks for none takes ours too.

    Rasa writes an error into its log for that, so it is done once for each start.
    """
    client = RasaClient(f"http://{host}:{port}", token, timeout=TIMEOUT_SECONDS, hosts=(host,))
    try:
        status = client.status()
        return Answer(not prove or client.is_secured(), status.has_model)
    except RasaError:
        return Answer(False)


class Watch:
    """At most one look at each server at a time; its answer is there at a later turn of the loop."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(max_workers=THREADS, thread_name_prefix="watch")
        self._looks: dict[int, Future[Answer]] = {}

    def ask(self, key: int, host: str, port: int, token: str, *, prove: bool) -> None:
        if key not in self._looks:
            self._looks[key] = self._pool.submit(look, host, port, token, prove)

    def answer(self, key: int) -> Answer | None:
        """The answer to the last `ask`, once; None while there is none."""
        look = self._looks.get(key)
        if look is None or not look.done():
            return None
        return self._looks.pop(key).result()

    def forget(self, key: int) -> None:
        """An answer of a process that has ended says nothing of the next one."""
        self._looks.pop(key, None)
