"""The state of the site in short, in ConfigMap `STATUS_CONFIGMAP`: for GitOps tools and people.

Written only when it is another, and seldom: status objects that change with the traffic fill etcd.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Protocol

from router.kubernetes.client.errors import NOT_FOUND, ApiError
from router.kubernetes.codecs.status import KIND, ShortStatus, config_map
from router.kubernetes.objects.names import STATUS_CONFIGMAP
from router.kubernetes.objects.objects import Object
from router.model import limits

log = logging.getLogger("router.kubernetes")


class ConfigMaps(Protocol):
    """The part of `Api` that is used here."""

    async def find(self, kind: str, name: str, *, namespace: str = "") -> dict[str, Any] | None:
        """The object, or None."""
        ...

    async def create(self, made: Object, *, namespace: str = "") -> dict[str, Any]:
        """ApiError 409: there is one."""
        ...

    async def patch(
        self, kind: str, name: str, changes: dict[str, Any], *, namespace: str = ""
    ) -> dict[str, Any]:
        """Merge ``changes``."""
        ...


class StatusWriter:
    """``tell`` gives the state; None: there is none yet."""

    def __init__(
        self,
        api: ConfigMaps,
        may_write: Callable[[], bool],
        tell: Callable[[], ShortStatus | None],
    ) -> None:
        self._api, self._may_write, self._tell = api, may_write, tell
        self._written: ShortStatus | None = None

    async def run(self) -> None:
        """Keep it as it should be until cancelled."""
        loop = asyncio.get_running_loop()
        check_at = loop.time() + limits.STATUS_CHECK_S
        while True:
            wait_s: float = limits.STATUS_LOOK_S
            may_write = self._may_write()
            told = self._tell() if may_write else None
            if not may_write or loop.time() >= check_at:
                # Another router writes it meanwhile, or somebody else did.
                self._written, check_at = None, loop.time() + limits.STATUS_CHECK_S
            if told is not None and (self._written is None or told.gist != self._written.gist):
                try:
                    await self._write(told)
                except ApiError as error:
                    log.info("the status could not be written: %s", error)
                wait_s = limits.STATUS_EVERY_S
            await asyncio.sleep(wait_s)

    async def _write(self, told: ShortStatus) -> None:
        data = told.data
        if self._written is None:
            found = await self._api.find(KIND, STATUS_CONFIGMAP)
            if found is not None and found.get("data") == dict(data):
                self._written = told
                return
            if found is None:
                await self._api.create(config_map(data))
                self._written = told
                return
            gone = {key: None for key in found.get("data") or () if key not in data}
        else:
            gone = {key: None for key in self._written.data if key not in data}
        try:
            await self._api.patch(KIND, STATUS_CONFIGMAP, {"data": {**gone, **data}})
        except ApiError as error:
            if error.status == NOT_FOUND:
                self._written = None  # Somebody deleted it.
            raise
        self._written = told
