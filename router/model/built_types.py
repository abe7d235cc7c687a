"""Prepare msgspec's type information before a second thread decodes."""

from collections.abc import Iterator
from functools import cache

import msgspec


def build_types() -> None:
    """Build the decoder of every type imported so far. Call it before a thread starts.

    msgspec inspects a type when it first decodes it, and another thread can see the unfinished
    result (0.22): the process then ends by SIGSEGV, without a message.
    """
    for kind in _below(msgspec.Struct):
        _build(kind)


@cache
def _build(kind: type[msgspec.Struct]) -> None:
    try:
        msgspec.msgpack.Decoder(kind)
    except (TypeError, NameError):  # Never decoded: a type of arguments and results.
        return


def _below(kind: type[msgspec.Struct]) -> Iterator[type[msgspec.Struct]]:
    for one in kind.__subclasses__():
        yield one
        yield from _below(one)
