"""Lets Pods reach a server that listens on this machine alone."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path


@contextmanager
def forwarded(address: str, target: int | Path) -> Iterator[int]:
    """A port at `address` that leads to a port of 127.0.0.1, or to a unix socket."""
    loop = asyncio.new_event_loop()
    listening = socket.create_server((address, 0))
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    serving = asyncio.run_coroutine_threadsafe(_serve(listening, target), loop).result(10)
    try:
        yield int(listening.getsockname()[1])
    finally:
        loop.call_soon_threadsafe(serving.close)
        asyncio.run_coroutine_threadsafe(_end_all(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


async def _serve(listening: socket.socket, target: int | Path) -> asyncio.Server:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.CancelledError), closing(writer):
            if isinstance(target, Path):
                far_reader, far_writer = await asyncio.open_unix_connection(str(target))
            else:
                far_reader, far_writer = await asyncio.open_connection("127.0.0.1", target)
            with closing(far_writer):
                await asyncio.gather(_copy(reader, far_writer), _copy(far_reader, writer))

    return await asyncio.start_server(connected, sock=listening)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


async def _end_all() -> None:
    others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await asyncio.sleep(0.1)  # until what was closed is gone
