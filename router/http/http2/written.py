"""Canonical heads as header blocks, made once for all equal heads."""

from router.http.http1.bytes_cache import BytesCache
from router.http.http1.memory import AsBlock
from router.http.http2 import heads
from router.http.http2.blocks import encoded


def request_block(
    blocks: BytesCache[AsBlock], head: bytes, body_bytes: int, scheme: bytes
) -> AsBlock:
    """A request's head for a target: see `heads.request_fields`."""
    known = blocks.known
    if head in known:
        found = known[head]
        if found[0] == body_bytes and found[2] == scheme:
            return found
    fields = heads.request_fields(head, body_bytes, scheme)
    made = (body_bytes, b"", scheme, encoded(fields), heads.list_bytes(fields))
    blocks.note(head, made)
    return made


def response_block(blocks: BytesCache[AsBlock], head: bytes, body_bytes: int, via: bytes) -> bytes:
    """A response's head for a client: see `heads.response_fields`."""
    known = blocks.known
    if head in known:
        found = known[head]
        if found[0] == body_bytes and found[1] == via:
            return found[3]
    block = encoded(heads.response_fields(head, body_bytes, via))
    blocks.note(head, (body_bytes, via, b"", block, 0))
    return block
