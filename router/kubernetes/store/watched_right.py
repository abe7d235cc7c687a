"""One permission of ours, asked for again and again."""

import asyncio
import logging
from collections.abc import Callable, Mapping

from router.kubernetes.client.api import Api
from router.kubernetes.client.errors import ApiError
from router.model import limits
from router.model.ticks import doubled_s

log = logging.getLogger("router.kubernetes")


class WatchedRight:
    """Learns whether we may do what ``attributes`` say (as in `ApiVerbs.allows`).

    ``answered`` is called with each answer; None: the API server gave none. A permission that is
    missing at the start may come a moment later, so the first checks follow each other closely;
    then one is made every ``refused_s`` seconds.
    """

    def __init__(
        self,
        api: Api,
        attributes: Mapping[str, str],
        answered: Callable[[bool | None], None],
        refused_s: float,
    ) -> None:
        self._api, self._attributes = api, attributes
        self._answered, self._refused_s = answered, refused_s

    async def run(self) -> None:
        """Ask until cancelled."""
        in_vain = 0
        while True:
            answer: bool | None = None
            try:
                answer = await self._api.allows(self._attributes)
            except ApiError as error:
                log.debug("a right could not be asked for: %s", error)
            self._answered(answer)
            if answer:
                in_vain = 0
                wait_s = limits.RIGHTS_LOOK_S
            else:
                most_s = limits.WATCH_BACKOFF_MAX_S if answer is None else self._refused_s
                wait_s = doubled_s(limits.RIGHTS_AGAIN_S, in_vain, most_s)
                in_vain += 1
            await asyncio.sleep(wait_s)
