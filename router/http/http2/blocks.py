"""HPACK (RFC 7541): header blocks of a peer as fields, and fields as blocks for a peer.

A block that came before is not read again (`BlockReader`). Our blocks use only the static table: so
they are the same on every connection and at any time, can be cached, and need no table that a peer
could size. Only the standard's tables are used from hpack.
"""

from collections import deque

from hpack import HPACKError
from hpack.huffman_table import decode_huffman
from hpack.table import HeaderTable

from router.http.http2 import codes
from router.http.http2.heads import FIELD_COST_BYTES, SECRET, Field, Fields
from router.model import limits

_STATIC: tuple[Field, ...] = ((b"", b""), *HeaderTable.STATIC_TABLE)  # Indexes start at 1.
_DYNAMIC = len(_STATIC)  # The first index of the dynamic table.
_ENTRIES_MAX = limits.HTTP2_TABLE_BYTES // FIELD_COST_BYTES
_EVER = -1
_INTEGER_BITS = 28  # No peer means an integer longer than five octets.

_INDEXES = {_STATIC[index]: b"%c" % (0x80 | index) for index in range(1, _DYNAMIC)}
# The first index of each name.
_NAMES = {_STATIC[index][0]: index for index in range(_DYNAMIC - 1, 0, -1)}
_LITERAL, _NEVER_INDEXED = 0x00, 0x10


class BlockError(Exception):
    """The peer's table and ours differ from here on: the connection is lost."""

    code = codes.COMPRESSION_ERROR


class OversizedBlockError(BlockError):
    """The block unpacks to more than any peer may send."""

    code = codes.ENHANCE_YOUR_CALM


class Block(list[Field]):
    """The fields of a header block, in order: not to be changed, since the block may be reused.

    ``made`` is the owner's value made of them.
    """

    __slots__ = ("added", "is_interim", "made", "version")

    def __init__(self) -> None:
        self.is_interim = False
        """The head of a 1xx response. No client may send one."""
        # Added to the table, by a block that refers to no part of it.
        self.added: tuple[Field, ...] = ()
        self.version = _EVER  # The version of the table that it refers to.
        self.made: object = None


class BlockReader:
    """Reads one peer's header blocks, with the table that they build up.

    It remembers, by their exact bytes, blocks that refer to nothing in the table (their fields and
    additions are always the same), and blocks that change nothing in it (for as long as no other
    block does). The additions of known blocks wait until the table is needed: only as many can
    matter as fit into it.
    """

    __slots__ = ("_entries", "_known", "_list_bytes_max", "_max", "_size", "_version", "_waiting")

    def __init__(self, list_bytes_max: int) -> None:
        self._list_bytes_max = list_bytes_max
        self._entries: deque[Field] = deque()  # The newest first.
        self._size = 0
        self._max = limits.HTTP2_TABLE_BYTES
        self._version = 0
        self._waiting: deque[tuple[Field, ...]] = deque(maxlen=_ENTRIES_MAX)
        self._known: dict[bytes, Block] = {}

    def read(self, data: bytes) -> Block:
        """The fields of a whole block. BlockError: nothing can be read after it."""
        try:
            block = self._known[data]
        except KeyError:
            block = None
        if block is not None:
            if block.added:
                self._waiting.append(block.added)
                self._version += 1
                return block
            if block.version == self._version or block.version == _EVER:
                return block
        while self._waiting:
            for field in self._waiting.popleft():
                self._add(field)
        try:
            return self._read(data)
        except (HPACKError, IndexError) as error:
            raise BlockError(f"a broken header block: {error}") from error

    def forget(self) -> None:
        """Forget the remembered blocks: see `limits.HEADS_FORGOTTEN_S`."""
        self._known.clear()

    def _read(self, data: bytes) -> Block:
        block, static, entries = Block(), _STATIC, self._entries
        added: list[Field] = []
        refers = False
        updates = list_bytes = at = 0
        end = len(data)
        while at < end:
            first = data[at]
            if first & 0x80:  # An indexed field.
                index, at = _integer(data, at, 0x7F)
                if index < _DYNAMIC:
                    field = static[index or _DYNAMIC]  # There is no index 0.
                else:
                    field = entries[index - _DYNAMIC]
                    refers = True
            elif first & 0x60 == 0x20:
                updates += 1
                at = self._resize(data, at, updates, is_first=not block)
                continue
            else:  # A literal.
                index, at = _integer(data, at, 0x3F if first & 0x40 else 0x0F)
                if not index:
                    name, at = _string(data, at)
                elif index < _DYNAMIC:
                    name = static[index][0]
                else:
                    name = entries[index - _DYNAMIC][0]
                    refers = True
                value, at = _string(data, at)
                field = (name, value)
                if first & 0x40:
                    self._add(field)
                    added.append(field)
            block.append(field)
            list_bytes += FIELD_COST_BYTES + len(field[0]) + len(field[1])
            if list_bytes > self._list_bytes_max:
                raise OversizedBlockError("a header list that unpacks to too much")
        block.is_interim = bool(block) and block[0][0] == b":status" and block[0][1][:1] == b"1"
        if added or updates:
            self._version += 1
        if not updates and not (refers and added):
            block.added = tuple(added)
            block.version = self._version if refers else _EVER
            self._keep(data, block, list_bytes)
        return block

    def _keep(self, data: bytes, block: Block, list_bytes: int) -> None:
        if len(data) + list_bytes > limits.HEAD_REMEMBERED_BYTES_MAX:
            return
        if len(self._known) >= limits.HTTP2_BLOCKS_REMEMBERED_MAX:
            self._known.clear()
        self._known[data] = block

    def _add(self, field: Field) -> None:
        self._entries.appendleft(field)
        self._size += FIELD_COST_BYTES + len(field[0]) + len(field[1])
        self._shrink()

    def _shrink(self) -> None:
        entries = self._entries
        while self._size > self._max:
            name, value = entries.pop()
            self._size -= FIELD_COST_BYTES + len(name) + len(value)

    def _resize(self, data: bytes, at: int, updates: int, *, is_first: bool) -> int:
        if not is_first or updates > limits.HTTP2_TABLE_UPDATES_MAX:
            raise BlockError("table size updates in a row, or after a field")
        size, at = _integer(data, at, 0x1F)
        if size > limits.HTTP2_TABLE_BYTES:
            raise BlockError("a table larger than this end allows")
        self._max = size
        self._shrink()
        return at


def encoded(fields: Fields) -> bytes:
    """A header block for any peer. Without Huffman codes: they cost more here than they save."""
    parts = []
    for field in fields:
        code = _INDEXES.get(field)
        if code is None:
            name, value = field
            kind = _NEVER_INDEXED if name in SECRET else _LITERAL
            index = _NAMES.get(name)
            code = _number(kind, 0x0F, index or 0)
            if index is None:
                code += _number(0, 0x7F, len(name)) + name
            code += _number(0, 0x7F, len(value)) + value
        parts.append(code)
    return b"".join(parts)


def _integer(data: bytes, at: int, mask: int) -> tuple[int, int]:
    """The integer in the bits of ``mask`` and the octets after them (5.1), and where it ends."""
    number = data[at] & mask
    at += 1
    if number == mask:
        shift = 0
        while True:
            octet = data[at]
            at += 1
            number += (octet & 0x7F) << shift
            if octet < 0x80:
                break
            shift += 7
            if shift > _INTEGER_BITS:
                raise BlockError("an integer without end")
    return number, at


def _string(data: bytes, at: int) -> tuple[bytes, int]:
    is_huffman = data[at] & 0x80
    size, at = _integer(data, at, 0x7F)
    end = at + size
    if end > len(data):
        raise BlockError("a header block that ends within a field")
    text = data[at:end]
    return (decode_huffman(text) if is_huffman else text), end


def _number(kind: int, mask: int, number: int) -> bytes:
    if number < mask:
        return b"%c" % (kind | number)
    octets = bytearray((kind | mask,))
    number -= mask
    while number >= 0x80:
        octets.append(number & 0x7F | 0x80)
        number >>= 7
    octets.append(number)
    return bytes(octets)
