"""Values as MessagePack between sites: structs to bytes and back, bounded.

`msgpack` owns the bytes, `msgspec.convert` judges types after it. Control messages, signed adverts
and questions use this module; the payload of OPEN, which each request has, does not
(`link.control`).

Bytes of a peer are never built before they are measured. A header of five bytes may claim four
billion items, and a list has its room as soon as its header is read: so a message is first skipped
over, which builds nothing and ends where a claim is not kept. After that each item has at least one
byte of the message, the nesting ends where msgpack's stack does (1,024), and arrays and maps, which
cost most, are counted while they are built.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgpack
import msgspec

_T = TypeVar("_T")
Buffer = bytes | bytearray | memoryview

_UNCHECKED_BYTES = 64
"""Up to here a message is not skipped over first: lists that claim too much take 11 KiB."""

CONTAINERS_MAX = 8_192
"""Arrays and maps of one message, or one in `CONTAINER_BYTES` if that is more. Ours have one in
five bytes at the very most, and thirty as a rule."""

CONTAINER_BYTES = 4

_NATIVE = (bytes,)
"""What `msgspec` leaves as it is. Without it bytes would be text in base 64."""

_AT = re.compile(r" - at `\$\[(\d+)\]")
_packer = msgpack.Packer(buf_size=4_096)


class Unreadable(ValueError):
    """Bytes of a peer that are not what they should be. The text names the field."""


def pack(value: object) -> bytes:
    """``value`` (structs, tuples, texts, bytes, numbers) in its shortest spelling."""
    packed: bytes = _packer.pack(msgspec.to_builtins(value, builtin_types=_NATIVE))
    return packed


def pack_array(items: Sequence[bytes]) -> bytes:
    """An array of ``items`` that are packed already."""
    header: bytes = _packer.pack_array_header(len(items))
    return header + b"".join(items)


def unpack(data: Buffer) -> object:
    """Decode ``data`` to tuples, dicts with text keys, and plain values. Raises Unreadable."""
    size = len(data)
    try:
        if size > _UNCHECKED_BYTES:
            skipped = msgpack.Unpacker(read_size=size, max_buffer_size=size)
            skipped.feed(data)
            skipped.skip()
        found: object = msgpack.unpackb(
            data,
            raw=False,
            use_list=False,
            strict_map_key=True,
            max_str_len=size,
            max_bin_len=size,
            max_array_len=size,
            max_map_len=size // 2,
            max_ext_len=size,
            **(_counted(size) if size > CONTAINERS_MAX else {}),
        )
    except msgpack.OutOfData:
        raise Unreadable("the message is cut short") from None
    except msgpack.StackError:
        raise Unreadable("the message is nested too deeply") from None
    except msgpack.FormatError:
        raise Unreadable("the message is no MessagePack") from None
    except msgpack.ExtraData:
        raise Unreadable("bytes follow the message") from None
    except ValueError as error:  # Cut short, text that is no UTF-8, a key that is no text.
        raise Unreadable(f"the message is malformed: {error}") from None
    return found


def _counted(size: int) -> dict[str, Callable[[_T], _T]]:
    """Hooks of `msgpack.unpackb` that end it when a message of ``size`` bytes has too many."""
    left = max(CONTAINERS_MAX, size // CONTAINER_BYTES)

    def count(built: _T) -> _T:
        nonlocal left
        left -= 1
        if left < 0:
            raise ValueError("too many arrays and maps")
        return built

    return {"list_hook": count, "object_hook": count}


def judge(found: Any, kind: type[_T]) -> _T:
    """``found``, of `unpack`, as ``kind``. Raises Unreadable."""
    try:
        return msgspec.convert(found, kind, builtin_types=_NATIVE)
    except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError) as error:
        raise Unreadable(_with_field(kind, str(error))) from None


def read(data: Buffer, kind: type[_T]) -> _T:
    """``data`` as ``kind``. Raises Unreadable."""
    return judge(unpack(data), kind)


def _with_field(kind: object, text: str) -> str:
    """``text`` of msgspec counts the fields of an array; a person knows them by name."""
    at = _AT.search(text)
    if at is None or not isinstance(kind, type) or not issubclass(kind, msgspec.Struct):
        return text
    names = (() if kind.__struct_config__.tag is None else ("",)) + kind.__struct_fields__
    return f"{kind.__name__}.{names[int(at[1])]}: {text}"
