"""Values as MessagePack between sites: structs to bytes and back, bounded.

`msgpack` reads the bytes, then `msgspec.convert` checks the types. Control messages, signed adverts
and questions use this module. The payload of OPEN, sent with each request, does not
(`link.control`).

A peer's bytes are measured before anything is built from them. A header of five bytes may claim
four billion items, and msgpack allocates a list as soon as it reads the header. So a first pass
skips over the message: it builds nothing and stops at a false claim. After that pass each item has
at least one byte of the message, nesting ends at the limit of msgpack's stack (1,024), and arrays
and maps, the most expensive values, are counted while they are built.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgpack
import msgspec

_T = TypeVar("_T")
Buffer = bytes | bytearray | memoryview

_UNCHECKED_BYTES = 64
"""Messages up to this size need no first pass: their false claims cost at most 11 KiB."""

CONTAINERS_MAX = 8_192
"""Arrays and maps of one message, or one per `CONTAINER_BYTES` if that is more. Our messages have
one in five bytes at the very most, and one in thirty typically."""

CONTAINER_BYTES = 4

_NATIVE = (bytes,)
"""Types that `msgspec` leaves alone. Without this, bytes would become base64 text."""

_AT = re.compile(r" - at `\$\[(\d+)\]")
_packer = msgpack.Packer(buf_size=4_096)


class Unreadable(ValueError):
    """Malformed bytes of a peer. The text names the field."""


def pack(value: object) -> bytes:
    """``value`` (structs, tuples, texts, bytes, numbers) in its shortest encoding."""
    packed: bytes = _packer.pack(msgspec.to_builtins(value, builtin_types=_NATIVE))
    return packed


def pack_array(items: Sequence[bytes]) -> bytes:
    """An array of ``items`` that are already packed."""
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
    except ValueError as error:  # Cut short, text that is not UTF-8, or a key that is not text.
        raise Unreadable(f"the message is malformed: {error}") from None
    return found


def _counted(size: int) -> dict[str, Callable[[_T], _T]]:
    """Hooks for `msgpack.unpackb` that stop a message of ``size`` bytes with too many arrays and
    maps.
    """
    left = max(CONTAINERS_MAX, size // CONTAINER_BYTES)

    def count(built: _T) -> _T:
        nonlocal left
        left -= 1
        if left < 0:
            raise ValueError("too many arrays and maps")
        return built

    return {"list_hook": count, "object_hook": count}


def judge(found: Any, kind: type[_T]) -> _T:
    """``found``, a result of `unpack`, as ``kind``. Raises Unreadable."""
    try:
        return msgspec.convert(found, kind, builtin_types=_NATIVE)
    except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError) as error:
        raise Unreadable(_with_field(kind, str(error))) from None


def read(data: Buffer, kind: type[_T]) -> _T:
    """``data`` as ``kind``. Raises Unreadable."""
    return judge(unpack(data), kind)


def _with_field(kind: object, text: str) -> str:
    """``text`` with a field name in place of msgspec's array index."""
    at = _AT.search(text)
    if at is None or not isinstance(kind, type) or not issubclass(kind, msgspec.Struct):
        return text
    names = (() if kind.__struct_config__.tag is None else ("",)) + kind.__struct_fields__
    return f"{kind.__name__}.{names[int(at[1])]}: {text}"
