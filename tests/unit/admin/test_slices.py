"""A long answer lets others run."""

import asyncio
import time
from collections.abc import Iterator

import msgspec

from router.admin.slices import encoded
from router.model import limits


def test_between_slices_others_run() -> None:
    async def story() -> None:
        turns = 0
        made = 0

        def slow() -> Iterator[int]:
            nonlocal made
            for number in range(20):
                began = time.perf_counter()
                while time.perf_counter() < began + limits.SLICE_S:
                    pass
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
        assert found.busy_s >= 20 * limits.SLICE_S > found.longest_s >= limits.SLICE_S

    asyncio.run(story())
