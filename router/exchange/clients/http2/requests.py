"""Header blocks of HTTP/2 clients, read as requests for one service."""

from typing import NamedTuple

from router.http.http1.forwarding import Forwarding
from router.http.http1.grammar import HttpError
from router.http.http2 import heads
from router.http.http2.blocks import Block
from router.http.http2.heads import JudgedRequest, Malformed
from router.model.ids import ServiceKey
from router.model.requests import Request
from router.model.settings import ServiceLimits


class ReadRequest(NamedTuple):
    """A header block, read as a request. ``request`` is None unless it may be served."""

    asked: JudgedRequest | HttpError | Malformed
    request: Request | None
    ended: bool


class RequestReader:
    """Reads header blocks of one connection, each kind of block once."""

    __slots__ = ("_bounds", "_forwarding", "_key")

    def __init__(self, key: ServiceKey, forwarding: Forwarding, bounds: ServiceLimits) -> None:
        self._key = key
        self._forwarding = forwarding
        self._bounds = bounds

    def read(self, fields: Block, ended: bool) -> ReadRequest:
        """``ended``: the request has no body. The block stores the result: both the block and its
        reader belong to one connection.
        """
        read = fields.made
        if type(read) is not ReadRequest or read.ended is not ended:
            read = fields.made = self._read(fields, ended)
        return read

    def _read(self, fields: Block, ended: bool) -> ReadRequest:
        asked = heads.read_request(fields, ended, self._forwarding, self._bounds)
        request = None
        if isinstance(asked, JudgedRequest):
            request = Request(
                key=self._key,
                protocol="http2",
                head=asked.head,
                body_bytes=asked.body_bytes,
                idempotent=asked.idempotent,
                head_only=asked.head_only,
            )
        return ReadRequest(asked, request, ended)
