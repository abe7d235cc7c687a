"""How a router leaves its neighbors: it drains, then finishes, and says why in its farewell."""

import enum
from collections.abc import Callable, Collection, Mapping
from typing import Final

from router.link.fault import CRASHED, Fault
from router.link.sessions.session import LinkSession
from router.model.ids import RouterId


class DepartureStage(enum.Enum):
    """How far a router is in leaving. Stages only advance."""

    STAYING = enum.auto()
    DRAINING = enum.auto()  # Neighbors open no more streams here; this site still opens its own.
    FINISHING = enum.auto()  # This site opens none either: each link ends with its last stream.
    CLOSED = enum.auto()  # All links are closed, with whatever streams remained.


STAYING, DRAINING, FINISHING, CLOSED = DepartureStage

AFTER_STAGE: Final[Mapping[DepartureStage, frozenset[DepartureStage]]] = {
    STAYING: frozenset((DRAINING, FINISHING, CLOSED)),
    DRAINING: frozenset((FINISHING, CLOSED)),
    FINISHING: frozenset((CLOSED,)),
    CLOSED: frozenset(),
}
"""The stages that may follow each stage. A later call for an earlier stage changes nothing."""


class Departure:
    """The departure of the router ``name``. ``farewell`` is the reason its peers get for each
    link's end."""

    __slots__ = (
        "_done",
        "_is_whole_site",
        "_name",
        "_staying",
        "_stopping",
        "_stops_alone",
        "farewell",
        "stage",
    )

    def __init__(self, name: str) -> None:
        self._name = name
        self._done: Callable[[], None] | None = None
        self._staying: set[RouterId] = set()
        """Other routers of this site that are not known to stop."""
        self._is_whole_site = False
        self.stage = STAYING
        self.farewell = self._stopping = Fault("shutdown", f"{name} was asked to stop")
        self._stops_alone = Fault("shutdown", f"a router of {name} was asked to stop")

    def drain(self) -> None:
        """This site takes no new streams."""
        self._reach(DRAINING)

    def finish(self, done: Callable[[], None]) -> None:
        """This site opens no new streams either. `end` calls ``done``."""
        self._done = done
        self._reach(FINISHING)

    def close(self) -> None:
        """This site has left."""
        self._reach(CLOSED)

    def with_whole_site(self) -> None:
        """This router stops only together with all others of its site: they are workers of one
        router."""
        self._is_whole_site = True

    def leave_others(self, routers: Collection[RouterId]) -> None:
        """Other ``routers`` of this site stay, so the site does not stop unless they leave as
        well."""
        if self._is_whole_site:
            return
        self._staying.update(routers)
        if self._staying and self.farewell is self._stopping:
            self.farewell = self._stops_alone

    def other_leaves(self, router: RouterId) -> bool:
        """Another router of this site stops as well. True: now the whole site stops, which changes
        `farewell`."""
        self._staying.discard(router)
        if self._staying or self.farewell is not self._stops_alone:
            return False
        self.farewell = self._stopping
        return True

    def because_deleted(self) -> None:
        """This site is being deleted: once it stops, its neighbors need not report it as
        missing."""
        self.farewell = Fault("removed", f"{self._name} was deleted")

    def because_crashed(self) -> None:
        """The first worker of this router died, so this one has to stop."""
        self.farewell = Fault(CRASHED, f"the router of {self._name} was killed or crashed")

    def because_copied(self) -> None:
        """Another router has the identity of this one, and the older claim to it."""
        text = f"this router of {self._name} is a copy; one that started earlier has its identity"
        self.farewell = Fault("removed", text)

    def joined_by(self, session: LinkSession) -> None:
        """Ask the neighbor of a link that comes up while this site stops to open no more either."""
        if self.stage is DRAINING or self.stage is FINISHING:
            session.drain(self.farewell, wholly=self.stage is FINISHING)

    @property
    def awaits_end(self) -> bool:
        """A caller of `finish` waits for `end`."""
        return self._done is not None

    def end(self) -> None:
        """The last link is gone: call ``done`` of `finish`, once."""
        done, self._done = self._done, None
        if done is not None:
            done()

    def _reach(self, stage: DepartureStage) -> None:
        if stage in AFTER_STAGE[self.stage]:
            self.stage = stage
