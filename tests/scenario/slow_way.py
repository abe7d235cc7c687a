"""A TCP relay that takes its time: bytes arrive one delay after they were sent, each way."""

import asyncio
import threading

from tests.doors import close_server

CHUNK_BYTES = 65_536


class SlowWay:
    """Listens on ``address`` in a thread and leads to ``host:port``. A context manager."""

    def __init__(self, address: str, host: str, port: int, one_way_s: float) -> None:
        self.address, self._host, self._port = address, host, port
        self._one_way_s = one_way_s
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._carriers: set[asyncio.Task[None]] = set()

    def __enter__(self) -> "SlowWay":
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._begin(), self._loop).result(10)
        return self

    def __exit__(self, *error: object) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _begin(self) -> None:
        self._server = await asyncio.start_server(self._accept, self.address, 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _end(self) -> None:
        await close_server(self._server)
        for carrier in self._carriers:
            carrier.cancel()
        await asyncio.gather(*self._carriers, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            onward_reader, onward_writer = await asyncio.open_connection(self._host, self._port)
        except OSError:
            writer.close()
            return
        for ends in ((reader, onward_writer), (onward_reader, writer)):
            carrier = self._loop.create_task(self._carry(*ends))
            self._carriers.add(carrier)
            carrier.add_done_callback(self._carriers.discard)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(CHUNK_BYTES):
                self._loop.call_later(self._one_way_s, writer.write, data)
            await asyncio.sleep(self._one_way_s)
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
