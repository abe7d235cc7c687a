"""Writes Secret `IN_FORCE_SECRET`: the documents in force of wrong objects."""

import asyncio
import logging
from collections.abc import Callable, Mapping

from router.documents.in_force import InForce
from router.kubernetes.client.api import Api
from router.kubernetes.client.errors import ApiError
from router.kubernetes.codecs import in_force as codec
from router.kubernetes.objects.names import IN_FORCE_SECRET
from router.kubernetes.objects.objects import Object, uid_of
from router.kubernetes.store.error_source import ErrorSource
from router.kubernetes.store.store import Look
from router.kubernetes.store.supervise import woken
from router.kubernetes.trust.trust_calls import SECRET, refusal
from router.model import limits
from router.model.errors import ConfigError

log = logging.getLogger("router.kubernetes")


class InForceWriter(ErrorSource):
    """Keeps the Secret equal to what the looks want, while this router holds the Lease."""

    def __init__(
        self, api: Api, may_write: Callable[[], bool], site_is_gone: Callable[[], bool]
    ) -> None:
        super().__init__()
        self._api, self._may_write, self._site_is_gone = api, may_write, site_is_gone
        self._wanted: Mapping[str, InForce] | None = None
        self._found: Object | None = None
        self._poked = asyncio.Event()
        self.errors: tuple[ConfigError, ...] = ()
        """The API server refuses to write it."""

    def look(self, seen: Look) -> None:
        """Take what the Secret has, and what it should have."""
        if seen.reading is not None:
            self._wanted = seen.reading.in_force
            self._found = seen.snapshot.get(SECRET, IN_FORCE_SECRET)
            if not self._is_settled:
                self._poked.set()

    @property
    def _is_settled(self) -> bool:
        if self._wanted is None or not self._may_write() or self._site_is_gone():
            return True
        return codec.has(self._found, self._wanted)

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            is_over = self._is_settled and not self.errors
            await woken(self._poked, None if is_over else limits.TRUST_OPEN_S)
            self._poked.clear()
            await self.step()
            self._tell(self.errors)
            await asyncio.sleep(limits.IN_FORCE_EVERY_S)

    async def step(self) -> None:
        """Write what differs. The next call tries again after a failure."""
        try:
            if not self._is_settled:
                await self._write()
        except ApiError as error:
            log.info("Secret %s could not be written: %s", IN_FORCE_SECRET, error)
            if error.is_answer:
                doing = "store the documents in force of wrong objects"
                self.errors = (refusal(error, f"{SECRET}/{IN_FORCE_SECRET}", doing),)
        else:
            self.errors = ()

    async def _write(self) -> None:
        if self._wanted:
            self._found = await self._api.apply(codec.secret(self._wanted))
        else:
            await self._api.delete(SECRET, IN_FORCE_SECRET, uid=uid_of(self._found))
            self._found = None
