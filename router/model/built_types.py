"""What msgspec must know of our types before a second thread decodes."""

from collections.abc import Iterator
from functools import cache

import msgspec


def build_types() -> None:
    """Have all types that were imported by now built; to be called before a thread starts.

    msgspec looks at a type when it is decoded first, and lets another thread see it half done
    (0.22): the process ends by SIGSEGV, without a word.
    """
    for kind in _below(msgspec.Struct):
        _build(kind)


@cache
def _build(kind: type[msgspec.Struct]) -> None:
    try:
        msgspec.msgpack.Decoder(kind)
    except (TypeError, NameError):  # It is never decoded: a type of arguments and results.
        return


def _below(kind: type[msgspec.Struct]) -> Iterator[type[msgspec.Struct]]:
    for one in kind.__subclasses__():
        yield one
        yield from _below(one)
