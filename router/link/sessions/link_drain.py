"""Draining of one link: which end opens no more streams, and which asked the other to stop."""

from collections.abc import Callable

from router.link import control
from router.link.fault import Fault
from router.link.sessions.link_lanes import LinkLanes
from router.link.streams.mux import LaneMux
from router.net.ports import Timer, Timers


class LinkDrain:
    """When neither end opens more streams, an end that asked ends the link with its last stream."""

    __slots__ = (
        "_asked",
        "_deadline",
        "_timers",
        "begun_at",
        "is_quiet",
        "peer_asked",
        "peer_is_quiet",
    )

    def __init__(self, timers: Timers) -> None:
        self.begun_at: float | None = None  # When the first end wanted no more streams.
        self.is_quiet = False  # We open no more.
        self.peer_asked = False  # The neighbor asked us to.
        self.peer_is_quiet = False  # The neighbor opens no more either.
        self._asked: Fault | None = None  # Why we asked the neighbor to open no more.
        self._timers = timers
        self._deadline: Timer | None = None

    @property
    def is_draining(self) -> bool:
        """At least one end wants no more streams."""
        return self.begun_at is not None

    @property
    def is_leaving(self) -> bool:
        """Neither end uses the link for new streams, so routes must not use it.

        A site that stops asks for no more streams but still opens its own, so its link is still
        used.
        """
        return self.is_quiet and (self._asked is not None or self.peer_is_quiet)

    def ask(self, control: LaneMux | None, fault: Fault) -> None:
        """Ask the neighbor to open no more streams; the link will end with ``fault``."""
        self._asked = fault
        self._begin()
        if control is not None:
            control.drain()

    def reword(self, fault: Fault) -> None:
        """If we asked, the link will end with ``fault`` instead."""
        if self._asked is not None:
            self._asked = fault

    def end_by(self, deadline: float, late: Callable[[], None]) -> None:
        """Call ``late`` at ``deadline`` (absolute), whatever is left, unless `stop` came before."""
        self.stop()
        self._deadline = self._timers.call_at(deadline, late)

    def fall_quiet(self, lanes: LinkLanes) -> None:
        """We open no more on any lane."""
        self.is_quiet = True
        self._begin()
        for lane in lanes.serving():
            lane.open_no_more()

    def _begin(self) -> None:
        if self.begun_at is None:
            self.begun_at = self._timers.now()

    def receive(
        self, message: control.Drain | control.Last, lane: LaneMux, lanes: LinkLanes
    ) -> None:
        """Take DRAIN or LAST: on the control lane it is for the link, on a data lane for that
        lane."""
        if isinstance(message, control.Last):
            lane.heard_last()
            self.peer_is_quiet |= lane is lanes.control
        elif lane is lanes.control:
            self.peer_asked = True
            self.fall_quiet(lanes)

    def ends_with(self, lanes: LinkLanes) -> Fault | None:
        """The fault with which we end the link now; None: it stays.

        A lane that joins is awaited: the neighbor may have opened streams on it.
        """
        if self._asked is None or not self.is_quiet or lanes.data.joining:
            return None
        return self._asked if all(lane.is_drained for lane in lanes.serving()) else None

    def stop(self) -> None:
        """The link ends, and its deadline with it."""
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
