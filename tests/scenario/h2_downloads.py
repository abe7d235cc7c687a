"""Downloads over HTTP/2 from a target that ends its responses as its path says."""

import asyncio
import socket

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import msgspec

from tests.scenario.backends import Target, payload
from tests.scenario.clients import TIMEOUT_S
from tests.unit.exchange.http2_peers import H2Peer

UNTIL_TORN_BYTES = 1_000  # So much less than it declared is sent of a response that is torn.


class DownloadTarget(Target):
    """An HTTP/2 server. A path is ``/END/SIZE``; each response declares its length.

    ``end``: END_STREAM with the last bytes. ``node``: RST_STREAM with NO_ERROR in its place, as the
    http2 server of Node 20.20.2 ended 2 to 6 of 20 responses that were under way together, each
    written by ``write`` and ``drain`` and then ``end``. Recorded on 2026-11-21: one HEADERS,
    123 DATA with all of the 2,000,000 bytes declared, none with END_STREAM, RST_STREAM 0.
    ``torn``: RST_STREAM with INTERNAL_ERROR, `UNTIL_TORN_BYTES` before the end.
    """

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        config = h2.config.H2Configuration(client_side=False, header_encoding=None)
        connection = h2.connection.H2Connection(config)
        connection.initiate_connection()
        left: dict[int, tuple[str, bytes]] = {}
        while True:
            writer.write(connection.data_to_send())
            await writer.drain()
            data = await reader.read(65_536)
            if not data:
                return
            for event in connection.receive_data(data):
                if isinstance(event, h2.events.RequestReceived):
                    stream_id = event.stream_id or 0
                    path = bytes(dict(event.headers)[b":path"]).decode()
                    end, size = path.split("/")[1:]
                    head = [(":status", "200"), ("content-length", size)]
                    connection.send_headers(stream_id, head)
                    left[stream_id] = end, payload(int(size))
                elif isinstance(event, h2.events.StreamReset):
                    left.pop(event.stream_id or 0, None)
            for stream_id, (end, body) in list(left.items()):
                rest = _send(connection, stream_id, end, body)
                left[stream_id] = end, rest
                if not rest:
                    del left[stream_id]


def _send(connection: h2.connection.H2Connection, stream_id: int, end: str, body: bytes) -> bytes:
    """What credit allows of ``body``; the rest."""
    kept = UNTIL_TORN_BYTES if end == "torn" else 0
    while len(body) > kept:
        size = min(
            connection.local_flow_control_window(stream_id),
            connection.max_outbound_frame_size,
            len(body) - kept,
        )
        if size <= 0:
            return body
        piece, body = body[:size], body[size:]
        connection.send_data(stream_id, piece, end_stream=end == "end" and not body)
    if end != "end":
        code = h2.errors.ErrorCodes.INTERNAL_ERROR if kept else h2.errors.ErrorCodes.NO_ERROR
        connection.reset_stream(stream_id, code)
    return b""


class Download(msgspec.Struct, frozen=True):
    """What a client got of one response, and its last words."""

    status: str
    body: bytes
    end: str


def downloads(host: str, port: int, path: str, count: int) -> list[Download]:
    """Ask for ``path`` ``count`` times at once, over one connection."""
    client = H2Peer(client=True)
    fields = [(b":method", b"GET"), (b":scheme", b"http"), (b":authority", b"shop")]
    streams = [client.ask([*fields, (b":path", path.encode())]) for _ in range(count)]
    bodies: dict[int, list[bytes]] = {stream: [] for stream in streams}
    ends: dict[int, str] = {}
    with socket.create_connection((host, port), TIMEOUT_S) as door:
        while len(ends) < count:
            door.sendall(client.take())
            data = door.recv(65_536)
            assert data, "the connection ended"
            for event in client.hear(data):
                if isinstance(event, h2.events.DataReceived):
                    bodies[event.stream_id or 0].append(event.data or b"")
                elif isinstance(event, (h2.events.StreamEnded, h2.events.StreamReset)):
                    ends[event.stream_id or 0] = client.said(event.stream_id or 0)[-1]
    return [
        Download(client.said(stream)[0], b"".join(bodies[stream]), ends[stream])
        for stream in streams
    ]
