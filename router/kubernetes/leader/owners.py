"""The owner of each name: all routers of a site agree on ConfigMap `OWNERS_CONFIGMAP`.

`agreed` decides which owner counts where they differ. A change that this router learns counts here
at once and is written as soon as the API allows. While the API is away, this process's memory
counts.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Mapping

from router.kubernetes.client.api import Api
from router.kubernetes.client.errors import ApiError
from router.kubernetes.codecs.owners import KIND, owners_map, owners_of, with_owners
from router.kubernetes.objects.names import OWNERS_CONFIGMAP
from router.kubernetes.objects.objects import Object, Snapshot, version_of
from router.kubernetes.store.error_source import ErrorSource
from router.kubernetes.store.supervise import woken
from router.kubernetes.trust.trust_calls import is_older, map_refusal, until_written
from router.model import limits
from router.model.errors import ConfigError
from router.model.rights.owners import NOBODY, Owner, agreed

log = logging.getLogger("router.kubernetes")

Owners = Mapping[str, Owner]


class OwnersMap(ErrorSource):
    """Implements `node.services.ports.SharedOwners`.

    Belongs to one event loop, `run` to one task.
    """

    def __init__(
        self, api: Api, site: str, rng: random.Random, site_is_gone: Callable[[], bool]
    ) -> None:
        """``site_is_gone``: nothing is written then, as another site may have its place."""
        super().__init__()
        self._api, self._site, self._rng = api, site, rng
        self._site_is_gone = site_is_gone
        self._shared: Owners = NOBODY
        """The owners in the object, as last seen."""
        self._own: Owners = NOBODY
        self._current: Callable[[], Owners] = lambda: self._own
        self._take: Callable[[Owners], None] = self._remember
        self._adopted: set[str] = set()
        self._version = ""
        self._looked: Object | None = None
        self._damage: ConfigError | None = None
        self._refusal: ConfigError | None = None
        self._poked = asyncio.Event()

    @property
    def errors(self) -> tuple[ConfigError, ...]:
        """Damage of the object, or an obstacle to writing it."""
        return tuple(error for error in (self._damage, self._refusal) if error is not None)

    @property
    def is_settled(self) -> bool:
        """Whether the object agrees with this router's knowledge."""
        return self._current() == self._shared

    # Exchange with the router ---------------------------------------------------------------

    def begin(self, kept: Owners) -> Owners:
        """The owners at the start.

        ``kept``: saved by this pod, in an earlier life of the container.
        """
        self._own = {**kept, **self._own}
        return self._own

    def follow(self, current: Callable[[], Owners], take: Callable[[Owners], None]) -> None:
        """Set the callbacks: ``current`` returns the router's owners, ``take`` replaces them."""
        self._current, self._take = current, take

    def changed(self) -> None:
        """The router's owners changed: write them."""
        self._poked.set()

    def adopted(self, name: str) -> None:
        """An operator chose the owner of ``name``; the router knows it by now."""
        self._adopted.add(name)
        self._forget_written()
        self._poked.set()

    def _remember(self, owners: Owners) -> None:
        """Hold the owners until there is a router."""
        self._own = owners

    # Following ------------------------------------------------------------------------------

    def look(self, snapshot: Snapshot) -> None:
        """Take the owners from the cluster. A damaged object changes nothing here."""
        before, found = self._looked, snapshot.get(KIND, OWNERS_CONFIGMAP)
        if found is before:
            return
        self._looked = found
        if found is None:  # It was deleted: write this router's owners again.
            self._shared, self._version, self._damage = NOBODY, "", None
            self._poked.set()
        # Else it is from before our own write.
        elif not is_older(version_of(found), self._version):
            try:
                self._meet(owners_of(found, self._site), version_of(found))
            except ConfigError as error:
                self._damage = error
                self._poked.set()

    def _meet(self, shared: Owners, version: str) -> None:
        """Merge with ``shared``, the owners in the object now."""
        self._forget_written()
        ours = self._current()
        after = agreed(self._shared, ours, shared, self._adopted)
        self._shared, self._version, self._damage = shared, version, None
        if after != ours:
            self._take(after)
        self._forget_written()
        if not self.is_settled:
            self._poked.set()

    def _forget_written(self) -> None:
        """Forget operators' choices that the object also has by now, or that ended."""
        ours = self._current()
        self._adopted = {n for n in self._adopted if ours.get(n) != self._shared.get(n)}

    # Writing --------------------------------------------------------------------------------

    async def run(self) -> None:
        """Keep the object up to date until cancelled."""
        while True:
            most_s = limits.TRUST_OPEN_S if self.errors else limits.TRUST_SETTLED_S
            await woken(self._poked, most_s * self._rng.uniform(0.8, 1.2))
            self._poked.clear()
            await self.step()
            self._tell(self.errors)
            await asyncio.sleep(limits.OWNERS_EVERY_S)

    async def step(self) -> None:
        """Write what the object lacks. The next call tries again after a failure."""
        try:
            for _ in range(limits.SECRET_TRIES_MAX):  # The router's owners may change meanwhile.
                if not self.is_settled and not self._site_is_gone():
                    await until_written(self._keep)
        except ApiError as error:
            doing = "keep which site owns which name"
            self._refusal = map_refusal(error, OWNERS_CONFIGMAP, doing)
        except ConfigError as error:
            self._damage = error
        else:
            self._refusal = None

    async def last(self) -> None:
        """Before the end: save, within a short time, what would be lost with the pod."""
        try:
            async with asyncio.timeout(limits.TRUST_LAST_S):
                await self.step()
        except TimeoutError:
            log.warning("the end came before all owners of names could be kept")

    async def _keep(self) -> None:
        found = await self._api.find(KIND, OWNERS_CONFIGMAP)
        if found is None:
            self._shared = NOBODY
            made = owners_map(self._site, self._current())
        else:
            self._meet(owners_of(found, self._site), version_of(found))
            made = with_owners(found, self._site, self._current())
        if self.is_settled:
            return
        sent = self._current()
        written = await (self._api.create(made) if found is None else self._api.replace(made))
        if not is_older(version_of(written), self._version):
            self._shared, self._version = sent, version_of(written)
            self._forget_written()
