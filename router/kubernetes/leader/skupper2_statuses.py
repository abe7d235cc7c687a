"""The statuses of Skupper v2's objects, kept up to date by the replica with the Lease."""

import asyncio
import time
from collections.abc import Callable, Collection

from router.kubernetes.client.api import Api
from router.kubernetes.leader.object_statuses import ObjectStatuses
from router.kubernetes.leader.skupper2_claims import access_facts
from router.kubernetes.objects.access_levels import AccessLevel
from router.kubernetes.objects.addresses import Addresses
from router.kubernetes.objects.objects import stamp_now
from router.kubernetes.skupper2.network_facts import NetworkFacts
from router.kubernetes.skupper2.remote_attached_connectors import with_bound_connectors
from router.kubernetes.skupper2.statuses import LISTENER_KINDS, StatusInputs, statuses
from router.kubernetes.store.store import Look
from router.kubernetes.store.supervise import run_supervised
from router.model import limits

AsksNetwork = Callable[[Collection[str]], NetworkFacts | None]
"""The router's facts, with the remote users of the given services. None: there are none yet."""


class V2StatusWriter:
    """Writes the statuses: `look` takes the namespace, `run` writes until cancelled."""

    def __init__(
        self,
        api: Api,
        may_write: Callable[[], bool],
        network: AsksNetwork,
        addresses: Callable[[], Addresses],
    ) -> None:
        self._network, self._addresses, self._may_write = network, addresses, may_write
        self._statuses = ObjectStatuses(api, may_write, every_s=limits.V2_STATUS_EVERY_S)
        self._seen: Look | None = None
        self._unlistened_since: dict[str, float] = {}  # Services whose listener is not bound.

    def look(self, seen: Look) -> None:
        """Take the namespace as it is now."""
        self._seen = seen
        self._offer()

    async def run(self) -> None:
        """Compare repeatedly: links and targets change without a change of any object."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(run_supervised(self._statuses, "statuses of Skupper v2's objects"))
            while True:
                await asyncio.sleep(limits.STATUS_LOOK_S)
                self._offer()

    def _offer(self) -> None:
        seen = self._seen
        if seen is None or not self._may_write() or not _is_due(seen):
            return
        wanted = None if seen.reading is None else seen.reading.wanted
        connectors = {} if wanted is None else wanted.connectors
        listeners = {} if wanted is None else wanted.listeners
        facts = self._network({one.service for one in connectors.values()})
        if facts is None:
            return
        where = self._addresses()
        inputs = StatusInputs(
            snapshot=seen.snapshot,
            seen=seen.v2.seen,
            levels=seen.v2.levels,
            facts=facts,
            addresses=where,
            now=stamp_now(),
            connectors=connectors,
            listeners=listeners,
            errors=() if seen.reading is None else seen.reading.errors,
            access=access_facts(seen.snapshot, where, time.time()),
        )
        unsettled = self._unsettled(facts)
        waiting = {name for name, one in listeners.items() if one.service in unsettled}
        told = {
            (kind, name): status
            for (kind, name), status in statuses(inputs).items()
            if kind not in LISTENER_KINDS or name not in waiting
        }
        self._statuses.offer(with_bound_connectors(seen.snapshot), told)

    def _unsettled(self, facts: NetworkFacts) -> Collection[str]:
        """Services whose listener has an error that may pass, as while objects arrive: statuses
        of their Listeners stay as they are."""
        now, before = asyncio.get_running_loop().time(), self._unlistened_since
        wrong = [name for name, one in facts.keys.items() if one.unlistened]
        self._unlistened_since = {name: before.get(name, now) for name in wrong}
        return [
            name
            for name, since in self._unlistened_since.items()
            if now - since < limits.OBJECT_EVENT_AFTER_S
        ]


def _is_due(seen: Look) -> bool:
    """Whether there is an object whose status this router should write."""
    return seen.v2.seen.is_used and AccessLevel.FULL in seen.v2.levels.values()
