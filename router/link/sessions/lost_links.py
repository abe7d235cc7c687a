"""Links that a neighbor dialed and that were lost: `link status` lists them for some minutes.

Only the dialer has a link configured. Without this memory, the site that accepted a link forgets
its neighbor at the moment the link breaks.
"""

from collections.abc import Callable, Collection, Iterable

import msgspec

from router.link.fault import Fault
from router.link.neighbour import Neighbour
from router.link.sessions.link_status import LinkStatus, incoming_status
from router.link.sessions.session import LinkSession
from router.model import limits
from router.model.ids import SiteId

ORDERLY = frozenset({"removed", "changed", "replaced", "succeeded", "restarted", "revoked"})
"""Codes of faults after which the neighbor is not missing: the link was deleted or leads elsewhere,
or another session carries it on. A site that stops says ``shutdown``, and is missing."""

_Key = tuple[SiteId, str]


class LostLink(msgspec.Struct, frozen=True):
    """``line``: as `link status` shows it."""

    neighbour: Neighbour
    line: LinkStatus


class LostLinks:
    """A link is identified by its site and by the site's name for it: routers of one site replace
    each other. Bounded: the oldest are forgotten first."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._lost: dict[_Key, LostLink] = {}

    @property
    def names(self) -> set[str]:
        """Names that stay reserved for these links."""
        return {one.line.name for one in self._fresh().values()}

    def went_down(self, name: str, session: LinkSession, fault: Fault) -> None:
        """The accepted link that was shown as ``name`` is over."""
        neighbour = session.neighbour
        if neighbour is None or neighbour.is_sibling:
            return
        key = _key(session, neighbour)
        before = self._fresh().pop(key, None)
        if fault.kind == "refused" or fault.code in ORDERLY:
            return
        if before is not None:  # The first of several routers of its site has no number.
            name = min(before.line.name, name, key=lambda one: (len(one), one))
        line = msgspec.structs.replace(
            incoming_status(name, session),
            state="down",
            since=self._now(),
            rtt_s=None,
            lanes=0,
            streams=0,
            error=fault.reason,
        )
        self._lost[key] = LostLink(neighbour, line)
        while len(self._lost) > limits.LOST_LINKS_MAX:
            del self._lost[next(iter(self._lost))]

    def came_up(self, session: LinkSession, neighbour: Neighbour) -> str:
        """The name that the link had here; empty: it was not missing."""
        found = self._fresh().pop(_key(session, neighbour), None)
        return found.line.name if found is not None else ""

    def forget(self, whom: Callable[[Neighbour], bool]) -> None:
        """These neighbors may not return."""
        self._lost = {key: one for key, one in self._lost.items() if not whom(one.neighbour)}

    def lines(
        self, up: Iterable[LinkSession], elsewhere: Callable[[], Collection[SiteId]]
    ) -> list[LinkStatus]:
        """The lost links that no session in ``up`` carries. ``elsewhere``: sites that are linked to
        another router of this site now."""
        if not self._fresh():
            return []
        carried = {_key(one, one.neighbour) for one in up if one.neighbour is not None}
        missing = [one for key, one in self._lost.items() if key not in carried]
        linked = elsewhere() if missing else ()
        return [one.line for one in missing if one.neighbour.site not in linked]

    def _fresh(self) -> dict[_Key, LostLink]:
        oldest = self._now() - limits.LOST_LINK_SHOWN_S
        for key in [key for key, one in self._lost.items() if one.line.since < oldest]:
            del self._lost[key]
        return self._lost


def _key(session: LinkSession, neighbour: Neighbour) -> _Key:
    return neighbour.site, session.link_name
