"""Long work in slices: traffic on the same loop goes on in between."""

import asyncio
import time
from collections.abc import Iterable
from typing import Generic, TypeVar

import msgspec

from router.admin.answers import encode
from router.model import limits

Item = TypeVar("Item")


class Sliced(msgspec.Struct, Generic[Item], frozen=True):
    """Items, and the CPU time that they took."""

    items: list[Item]
    busy_s: float


async def sliced(items: Iterable[Item | None]) -> Sliced[Item]:
    """All ``items``, produced lazily; a None is no item, but its time counts."""
    found: list[Item] = []
    busy_s = 0.0
    began, worked = time.perf_counter(), time.thread_time()
    for item in items:
        if item is not None:
            found.append(item)
        if time.perf_counter() - began >= limits.SLICE_S:
            busy_s += time.thread_time() - worked
            await asyncio.sleep(0)
            began, worked = time.perf_counter(), time.thread_time()
    busy_s += time.thread_time() - worked
    await asyncio.sleep(0)
    return Sliced(found, busy_s)


async def encoded(items: Iterable[object]) -> Sliced[msgspec.Raw]:
    """Each of ``items`` as JSON."""
    return await sliced(None if item is None else msgspec.Raw(encode(item)) for item in items)
