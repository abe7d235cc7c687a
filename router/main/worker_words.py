"""What the first worker of a router and another one say to each other, over a socket pair."""

import asyncio
import struct
from typing import TypeVar

import msgspec

from router.admin.ports import Figures, MetricValues
from router.admin.views import ScaleView, ServiceView

_LENGTH = struct.Struct("!I")

Place = tuple[str, int]
"""Where services are listened for, as wanted: host and port."""


class Follow(msgspec.Struct, frozen=True, tag="follow"):
    """Link to these workers, and listen at no other places than these: the first one does."""

    siblings: tuple[str, ...]
    places: frozenset[Place]


class Ask(msgspec.Struct, frozen=True, tag="ask"):
    """How are you? ``figures``: with these."""

    number: int
    figures: Figures | None = None


class ReadAgain(msgspec.Struct, frozen=True, tag="read-again"):
    """The documents and secrets may be others."""


class Reopen(msgspec.Struct, frozen=True, tag="reopen"):
    """Log files were moved away; the documents and secrets may be others too."""


class Stop(msgspec.Struct, frozen=True, tag="stop"):
    """Drain and end; a second one: end."""


class Door(msgspec.Struct, frozen=True, tag="door"):
    """Others reach this worker there."""

    address: str


class Answer(msgspec.Struct, frozen=True, tag="answer"):
    """To `Ask` of that number; of the figures those that it asked for, the others None."""

    number: int
    ready: bool
    links: int
    metrics: tuple[MetricValues, ...] | None = None
    services: tuple[ServiceView, ...] | None = None
    scales: tuple[ScaleView, ...] | None = None


ToWorker = Follow | Ask | ReadAgain | Reopen | Stop
FromWorker = Door | Answer

_HeardT = TypeVar("_HeardT")


def words(message: ToWorker | FromWorker) -> bytes:
    """``message`` as it is written."""
    body = msgspec.msgpack.encode(message)
    return _LENGTH.pack(len(body)) + body


async def heard(reader: asyncio.StreamReader, decoder: msgspec.msgpack.Decoder[_HeardT]) -> _HeardT:
    """The next message. EOFError (`asyncio.IncompleteReadError`): the other one is gone."""
    (size,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
    return decoder.decode(await reader.readexactly(size))
