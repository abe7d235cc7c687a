"""A long answer lets others run."""

import asyncio
from collections.abc import Iterator
from types import SimpleNamespace

import msgspec
import pytest

from router.admin import slices
from router.admin.slices import encoded
from router.model import limits


def test_between_slices_others_run(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(
        slices, "time", SimpleNamespace(perf_counter=lambda: now, thread_time=lambda: now / 2)
    )

    async def story() -> None:
        turns = 0
        made = 0

        def slow() -> Iterator[int]:
            nonlocal made, now
            for number in range(20):
                now += limits.SLICE_S * (6 if number == 7 else 2)
                made += 1
                yield number

        async def other() -> None:
            nonlocal turns
            while made < 20:
                await asyncio.sleep(0)
                turns += 1

        found, _ = await asyncio.gather(encoded(slow()), other())
        assert turns >= 19
        assert msgspec.json.decode(msgspec.json.encode(found.items)) == list(range(20))
        assert found.busy_s == pytest.approx(22 * limits.SLICE_S)

    asyncio.run(story())
