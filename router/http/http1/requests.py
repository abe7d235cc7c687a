"""Requests as clients send them: judges heads, decodes bodies, one request at a time."""

import enum
from typing import Protocol

from router.http.http1.bytes_cache import BytesCache
from router.http.http1.chunks import ChunkDecoder
from router.http.http1.forwarding import Forwarding
from router.http.http1.grammar import HttpError
from router.http.http1.heads import DEFAULT, HeadLimits
from router.http.http1.messages import HEAD_END, BodySink, MessageParser
from router.http.http1.request_heads import START, RequestHead, read_request_head
from router.model.requests import Request


class RequestSink(BodySink, Protocol):
    """Receives a client's requests.

    `request`, `body`…, `body_trailers`, `complete`; or `failed`.
    """

    def request(self, head: RequestHead) -> None:
        """Without a body (``body_bytes`` 0) the request is complete: `complete` is not called."""

    def complete(self) -> None:
        """The request and its body are complete; later bytes wait for `RequestParser.proceed`."""

    def failed(self, error: HttpError) -> None:
        """The stream cannot be parsed any further. The last call."""


class _State(enum.Enum):
    HEAD = enum.auto()
    BODY = enum.auto()
    COMPLETE = enum.auto()
    FAILED = enum.auto()


# Bound once: reading a member of an Enum costs more than a call (CPython 3.11).
BETWEEN = _HEAD = _State.HEAD
_BODY = _State.BODY
_COMPLETE = _State.COMPLETE
_FAILED = _State.FAILED


class KnownRequest:
    """A head that may come again, and the request made of it by the terms of ``memory``.

    ``head`` is as if from ``client``, which sent it last. ``made`` is the request that the owner of
    that client's connection made of it.
    """

    __slots__ = ("client", "head", "made", "memory")

    def __init__(self, memory: "KnownRequests", client: bytes, head: RequestHead) -> None:
        self.memory = memory
        self.client = client
        self.head = head
        self.made: Request | None = None

    def turn_to(self, client: bytes) -> RequestHead:
        """Change the head to that of another client."""
        self.head = self.head.of_client(self.client, client)
        self.client = client
        self.made = None
        return self.head


class KnownRequests:
    """The heads known for the terms of one service port, among those in ``store``.

    The terms are everything that a verdict depends on beside the bytes of the head and the client's
    address: the site's name, limits, the scheme, the service's name. Other terms need another
    memory.
    """

    __slots__ = ("store",)

    def __init__(self, store: BytesCache[KnownRequest] | None = None) -> None:
        self.store: BytesCache[KnownRequest] = store if store is not None else BytesCache()


class RequestParser(MessageParser):
    """The requests of one client connection, one at a time.

    ``known``: the heads known for exactly the terms of ``forwarding`` and ``limits``. Bytes after a
    complete request are kept, unread, until `proceed`: the owner stops feeding while ``held_bytes``
    is not 0, so that no more than one read is ever held. While it is 0, an owner may set ``state``
    to `BETWEEN` instead of calling `proceed` (hot).
    """

    __slots__ = (
        "_client",
        "_forwarding",
        "_heads",
        "_memory",
        "_sink",
        "_skipped",
        "held_bytes",
        "is_in_head",
        "known",
        "state",
    )

    def __init__(
        self,
        sink: RequestSink,
        forwarding: Forwarding,
        limits: HeadLimits = DEFAULT,
        known: KnownRequests | None = None,
    ) -> None:
        MessageParser.__init__(self, START, limits)
        # Bytes after a complete request are pending as well.
        self._sink = sink
        self._forwarding = forwarding
        self.state = _HEAD
        self._client = forwarding.client
        self._memory = known if known is not None else KnownRequests()
        self._heads = self._memory.store.known
        self._skipped = False  # One empty line before a request line is allowed (9112, 2.2).
        self.held_bytes = 0
        """Bytes received after the request under way."""
        self.is_in_head = False
        """A head has begun and is not complete."""
        self.known: KnownRequest | None = None
        """The known form of the last reported head; None: it is not known."""

    @property
    def scheme(self) -> bytes:
        """That of the connection, for all of its requests."""
        return self._forwarding.proto

    def set_terms(self, limits: HeadLimits, known: KnownRequests) -> None:
        """Use other limits for the requests after the one that was reported last."""
        self._limits = limits
        self._memory, self._heads = known, known.store.known

    @property
    def is_idle(self) -> bool:
        """Between requests, with no byte of the next one."""
        return self.state is _HEAD and not self._pending

    @property
    def is_closed(self) -> bool:
        """All input is dropped: it was no request, or no more is wanted."""
        return self.state is _FAILED

    def feed(self, data: memoryview) -> None:
        """Report what ``data`` completes to the sink. Dropped after `failed`."""
        state = self.state
        if state is _HEAD:
            buffer = bytes(data)
            heads = self._heads
            known = heads[buffer] if buffer in heads and not self._pending else None
            if known is not None and known.memory is self._memory and known.head.body_bytes == 0:
                # The usual case: a known head, and nothing else.
                self.state = _COMPLETE
                self._skipped = False
                self.known = known
                mine = known.client == self._client
                self._sink.request(known.head if mine else known.turn_to(self._client))
            else:
                self._feed_head(buffer)
        elif state is _BODY:
            self._take_body(data, self._sink)
        elif state is _COMPLETE:
            self._pending += bytes(data)
            self.held_bytes = len(self._pending)

    def proceed(self) -> None:
        """Begin the next request, with the bytes kept for it. Only after `complete`."""
        assert self.state is _COMPLETE, "proceed within a request"
        self.state = _HEAD
        if self.held_bytes:
            held, self._pending = self._pending, b""
            self.held_bytes = 0
            self._feed_head(held)

    def take_held(self) -> bytes:
        """The bytes after a complete request, for another protocol: after 101. Ends parsing."""
        held = self._pending
        self.close()
        return held

    def close(self) -> None:
        """Drop all further input."""
        self.state = _FAILED
        self._pending = b""
        self.held_bytes = 0
        self.is_in_head = False

    def detach(self) -> None:
        """The connection is gone: `close`, and release the sink, which refers to us."""
        self.close()
        del self._sink
        self.known = None

    def _feed_head(self, buffer: bytes) -> None:
        if self._pending:
            buffer = self._pending + buffer
        if not self._skipped and buffer[:2] == b"\r\n":
            self._skipped = True
            buffer = buffer[2:]
            if not buffer:
                self._pending = b""
                self.is_in_head = False
                return
        end = buffer.find(HEAD_END) + 4
        if end < 4:
            self._keep_head(buffer)
            self.is_in_head = self.state is _HEAD
            return
        text = buffer[:end]
        known = self._heads.get(text)
        head: RequestHead | HttpError
        if known is not None and known.memory is self._memory:
            head = known.head if known.client == self._client else known.turn_to(self._client)
        else:
            head = read_request_head(text, self._forwarding, self._limits)
            if type(head) is not RequestHead:  # `isinstance` is slow for this kind of class.
                assert isinstance(head, HttpError), "it is one of the two"
                self._broken(head)
                return
            known = None
            store = self._memory.store
            if store.is_wanted(text):
                known = KnownRequest(self._memory, self._client, head)
                store.keep(text, known)
        if self._pending:
            self._pending = b""
            self._judge = None
            self.is_in_head = False
        self._skipped = False
        self.known = known
        if head.body_bytes != 0:
            self._begin(head, memoryview(buffer)[end:])
            return
        self.state = _COMPLETE
        if end != len(buffer):
            self._pending = buffer[end:]
            self.held_bytes = len(self._pending)
        self._sink.request(head)

    def _begin(self, head: RequestHead, rest: memoryview) -> None:
        """Begin a request that has or announces a body."""
        self.state = _BODY
        if head.body_bytes > 0:
            self._left = head.body_bytes
        else:
            self._chunks = ChunkDecoder(head.fields, self._limits)
        self._sink.request(head)
        if len(rest) > 0:
            self.feed(rest)

    def _whole(self, rest: memoryview) -> None:
        if self.state is _FAILED:
            return  # The sink closed us while it took the body.
        self.state = _COMPLETE
        self._pending = bytes(rest)
        self.held_bytes = len(self._pending)
        self._sink.complete()

    def _broken(self, error: HttpError) -> None:
        if self.state is _FAILED:
            return
        self.close()
        self._sink.failed(error)
