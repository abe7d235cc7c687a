"""Header blocks: we read them as hpack does, remembered or not, and hpack reads ours."""

import hpack
from hypothesis import given
from hypothesis import strategies as st

from router.http.http2.blocks import BlockError, BlockReader, OversizedBlockError, encoded
from router.http.http2.heads import SECRET, Fields
from router.model import limits

LIST_BYTES = 20_000
NAMES = st.sampled_from(
    [b":path", b":status", b":method", b"date", b"cookie", b"x", b"y" * 130, b"z" * 300, b""]
)
VALUES = st.sampled_from(
    [b"", b"/", b"200", b"GET", b"v" * 126, b"w" * 127, b"u" * 1500, b"q" * 4100]
)
FIELDS = st.lists(st.tuples(NAMES, VALUES), max_size=8)
INDEXES = st.sampled_from([0, 1, 2, 8, 61, 62, 63, 70, 126, 127, 200, 2**40])
STRINGS = st.tuples(st.binary(max_size=6), st.booleans())


def number(kind: int, mask: int, value: int) -> bytes:
    """An integer of HPACK (RFC 7541, 5.1)."""
    if value < mask:
        return bytes((kind | value,))
    octets = bytearray((kind | mask,))
    value -= mask
    while value >= 128:
        octets.append(value & 127 | 128)
        value >>= 7
    octets.append(value)
    return bytes(octets)


def string(text: bytes, huffman: bool) -> bytes:
    return number(0x80 if huffman else 0, 0x7F, len(text)) + text


INDEXED = INDEXES.map(lambda index: number(0x80, 0x7F, index))
RESIZED = st.sampled_from([0, 31, 32, 100, 4096, 4097]).map(lambda size: number(0x20, 0x1F, size))
LITERAL = st.tuples(
    st.sampled_from([(0x40, 0x3F), (0x40, 0x3F), (0x00, 0x0F), (0x10, 0x0F)]),
    INDEXES,
    STRINGS,
    STRINGS,
).map(lambda it: number(*it[0], it[1]) + (b"" if it[1] else string(*it[2])) + string(*it[3]))
CRAFTED = st.lists(st.one_of(INDEXED, INDEXED, LITERAL, LITERAL, LITERAL, RESIZED), max_size=6)
BLOCKS = st.one_of(
    st.tuples(st.lists(RESIZED, max_size=2), CRAFTED).map(lambda it: b"".join(it[0] + it[1])),
    CRAFTED.map(b"".join),
    st.binary(max_size=12),
)


def reference(decoder: hpack.Decoder, data: bytes) -> Fields | str:
    """What hpack reads, or how it refuses."""
    try:
        return [(bytes(name), bytes(value)) for name, value in decoder.decode(data, raw=True)]
    except hpack.OversizedHeaderListError:
        return "oversized"
    except (hpack.HPACKError, IndexError, TypeError):
        return "broken"


def ours(reader: BlockReader, data: bytes) -> Fields | str:
    try:
        return list(reader.read(data))
    except OversizedBlockError:
        return "oversized"
    except BlockError:
        return "broken"


@given(
    blocks=st.lists(BLOCKS, min_size=1, max_size=5), order=st.lists(st.integers(0, 4), max_size=40)
)
def test_blocks_that_come_again_in_any_order_are_what_hpack_reads(
    blocks: list[bytes], order: list[int]
) -> None:
    reader, decoder = BlockReader(LIST_BYTES), hpack.Decoder(LIST_BYTES)
    for number_ in order:
        data = blocks[number_ % len(blocks)]
        found = ours(reader, data)
        assert found == reference(decoder, data)
        if isinstance(found, str):
            return


@given(
    heads=st.lists(FIELDS, min_size=1, max_size=4), order=st.lists(st.integers(0, 3), max_size=40)
)
def test_what_another_end_compresses_is_read_however_often(
    heads: list[Fields], order: list[int]
) -> None:
    reader, encoder = BlockReader(LIST_BYTES), hpack.Encoder()
    for number_ in order:
        fields = heads[number_ % len(heads)]
        found = ours(reader, encoder.encode(fields))
        # hpack's encoder drops the never-indexed mark; the order of fields is the same.
        assert found == fields or found == "oversized"
        if found == "oversized":
            return


@given(heads=st.lists(FIELDS, max_size=4))
def test_what_we_write_is_read_and_leaves_no_trace_in_a_table(heads: list[Fields]) -> None:
    decoder = hpack.Decoder(LIST_BYTES * 10)
    decoder.header_table_size = 0
    for fields in heads:
        read = decoder.decode(encoded(fields), raw=True)
        assert [tuple(field) for field in read] == fields
        for field in read:
            if field[0] in SECRET and field[1]:
                assert not field.indexable
    assert not decoder.header_table.dynamic_entries


def test_what_waits_for_the_table_is_all_that_matters_of_it() -> None:
    reader, decoder = BlockReader(LIST_BYTES), hpack.Decoder(LIST_BYTES)
    tiny = number(0x40, 0x3F, 0) + string(b"", False) + string(b"", False)
    first = number(0x40, 0x3F, 0) + string(b"first", False) + string(b"", False)
    entries = limits.HTTP2_TABLE_BYTES // 32
    for data in (first, tiny, *[tiny] * (2 * entries)):
        assert ours(reader, data) == reference(decoder, data)
    for index in (62, 61 + entries, 62 + entries):
        data = number(0x80, 0x7F, index)
        assert ours(reader, data) == reference(decoder, data)
