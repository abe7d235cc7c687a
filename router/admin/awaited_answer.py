"""An answer that arrives by a callback, for a handler that awaits it."""

import asyncio
from typing import Generic, TypeVar

Told = TypeVar("Told")


class AwaitedAnswer(Generic[Told]):
    """``done`` is called once, later, in the loop's thread."""

    def __init__(self) -> None:
        self._told: asyncio.Future[Told] = asyncio.get_running_loop().create_future()

    def done(self, told: Told) -> None:
        """Deliver the answer."""
        if not self._told.done():  # The client may have gone.
            self._told.set_result(told)

    async def within(self, seconds: float) -> Told:
        """Wait for the answer. Raises TimeoutError."""
        async with asyncio.timeout(seconds):
            return await self._told
