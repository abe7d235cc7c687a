"""A summary of the site's state in ConfigMap `STATUS_CONFIGMAP`, for GitOps tools and people.

Written when it changes, but seldom: status objects that change with the traffic fill etcd. Also
written unchanged from time to time: its age shows whether a router still writes.
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime

from router.kubernetes.client.api import Api
from router.kubernetes.client.errors import NOT_FOUND, ApiError
from router.kubernetes.codecs.status import KIND, ShortStatus, config_map, decode, encode, stopped
from router.kubernetes.objects.names import STATUS_CONFIGMAP
from router.kubernetes.store.error_source import ErrorSource
from router.kubernetes.trust.trust_calls import is_overtaken, map_refusal
from router.model import limits
from router.model.errors import ConfigError
from router.model.ticks import doubled_s

log = logging.getLogger("router.kubernetes")


class StatusWriter(ErrorSource):
    """Writes the summary. ``tell`` returns the state; None: there is none yet."""

    def __init__(
        self,
        api: Api,
        may_write: Callable[[], bool],
        tell: Callable[[], ShortStatus | None],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        super().__init__()
        self._api, self._may_write, self._state, self._clock = api, may_write, tell, clock
        self._written: ShortStatus | None = None
        self.errors: tuple[ConfigError, ...] = ()
        """The API server refuses to write it: readers see the old state."""

    async def run(self) -> None:
        """Keep the summary up to date until cancelled."""
        loop = asyncio.get_running_loop()
        again_at = loop.time()
        failures = 0
        while True:
            wait_s: float = limits.STATUS_LOOK_S
            may_write = self._may_write()
            told = self._state() if may_write else None
            if not may_write:
                self._found(())  # The Lease's errors explain why.
            if not may_write or loop.time() >= again_at:
                self._written = None  # Another router, or a person, may have changed it meanwhile.
            if told is not None and (self._written is None or told.gist != self._written.gist):
                try:
                    await self._write(told)
                except ApiError as error:
                    log.info("the status could not be written: %s", error)
                    wait_s = doubled_s(limits.STATUS_LOOK_S, failures, limits.STATUS_EVERY_S)
                    failures += 1
                    if error.is_answer and not is_overtaken(error):
                        doing = "write the state of the site"
                        self._found((map_refusal(error, STATUS_CONFIGMAP, doing),))
                else:
                    self._found(())
                    failures = 0
                    again_at = loop.time() + limits.STATUS_AGAIN_S
                    wait_s = limits.STATUS_EVERY_S
            await asyncio.sleep(wait_s)

    def _found(self, errors: tuple[ConfigError, ...]) -> None:
        self.errors = errors
        self._tell(errors)

    async def stop(self, failure: str = "") -> None:
        """Write that the last router has ended; tries only briefly, since this process ends.

        ``failure``: why it ended; empty: it was asked to stop.
        """
        try:
            async with asyncio.timeout(limits.LEASE_RELEASE_S):
                told = decode(await self._api.find(KIND, STATUS_CONFIGMAP))
                if told:
                    data = stopped(told, self._clock(), failure)
                    await self._api.patch(KIND, STATUS_CONFIGMAP, {"data": data})
        except (ApiError, TimeoutError) as error:
            log.info("it could not be written that the router stopped: %s", error)

    async def _write(self, told: ShortStatus) -> None:
        data: dict[str, str | None] = {**encode(told.fields, self._clock())}
        if self._written is None:
            found = await self._api.find(KIND, STATUS_CONFIGMAP)
            if found is None:
                await self._api.create(config_map(encode(told.fields, self._clock())))
                self._written = told
                return
            data = {**{key: None for key in found.get("data") or ()}, **data}
        try:
            await self._api.patch(KIND, STATUS_CONFIGMAP, {"data": data})
        except ApiError as error:
            if error.status == NOT_FOUND:
                self._written = None  # It was deleted.
            raise
        self._written = told
