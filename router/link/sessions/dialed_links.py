"""Links that this router dials: those configured, and those no longer configured that drain.

A link whose neighbor stops gets a successor of the same name, which may reach another router at
that endpoint; the old link stays until the neighbor has ended it.
"""

import random
from collections.abc import Callable, Mapping
from typing import Final

from router.link.fault import Fault
from router.link.sessions.outgoing import LinkDialing, OutgoingLink
from router.link.sessions.outgoing_spec import OutgoingSpec
from router.link.sessions.session import LinkSession
from router.link.sessions.session_owner import SessionConfig
from router.model import limits
from router.net.ports import FarNetwork

_DELETED: Final = Fault("removed", "the link was deleted")


class DialedLinks:
    """Owns outgoing links: ``wanted`` by name, and ``leaving`` ones whose streams go on."""

    def __init__(
        self,
        network: FarNetwork,
        rng: random.Random,
        new_session: Callable[[SessionConfig, bool], LinkSession],
        changed: Callable[[str], None],
    ) -> None:
        """``new_session``: its second argument says whether the link is to a sibling. ``changed``
        is called with names of links."""
        self.wanted: dict[str, OutgoingLink] = {}
        self.leaving: dict[OutgoingLink, None] = {}
        self._down_since: Mapping[str, float] = {}
        self._network = network
        self._rng = rng
        self._new_session = new_session
        self._changed = changed
        self._link_of: dict[LinkSession, OutgoingLink] = {}

    @property
    def sessions(self) -> list[LinkSession]:
        """The sessions of all links, also those that come up or drain."""
        return list(self._link_of)

    def link_of(self, session: LinkSession) -> OutgoingLink | None:
        """The link of ``session``; None: it was accepted."""
        return self._link_of.get(session)

    def remember_down(self, since: Mapping[str, float]) -> None:
        """See `Links.remember_down`."""
        self._down_since = since

    def set_links(
        self, specs: Mapping[str, OutgoingSpec], kept: Mapping[str, Fault], deadline: float
    ) -> None:
        """Dial exactly these links; links that are up to other places drain until ``deadline``.
        ``kept``: see `Links.set_links`."""
        for name in [name for name in self.wanted if name not in specs]:
            self._let_go(name, kept.get(name, _DELETED), deadline)
        for name, spec in specs.items():
            link = self.wanted.get(name)
            if link is not None and link.spec.needs_reconnect(spec):
                self._let_go(name, Fault("changed", "the link was configured again"), deadline)
                link = None
            if link is None:
                link = self.wanted[name] = self._new_link(name, spec)
                self._start(link)
            else:
                link.update(spec)
            self._changed(name)
        self._down_since = {}  # A link configured later is new.

    def _new_link(
        self, name: str, spec: OutgoingSpec, predecessor: OutgoingLink | None = None
    ) -> OutgoingLink:
        return OutgoingLink(
            name,
            spec,
            self._network,
            self,
            self._rng,
            down_since=self._down_since.get(name),
            predecessor=predecessor,
        )

    def _let_go(self, name: str, fault: Fault, deadline: float) -> None:
        link = self.wanted.pop(name)
        self._changed(name)
        if link.sessions:
            self.leaving[link] = None
        link.drain(fault, deadline)
        for before in self.leaving:  # To a neighbor that stops: `link` was to replace it.
            if before is link.predecessor:
                before.drain(fault, deadline)

    def _start(self, link: OutgoingLink | None) -> None:
        """Dial ``link``, unless another link of its name drains and the neighbor may not know that
        yet: it would take a second dial as a sign that the dialer lost the first link."""
        if link is not None and link.dialing is LinkDialing.NOT_YET:
            before = (old for old in self.leaving if old.name == link.name)
            older = (session for old in before for session in old.sessions)
            if all(one.link_drain.peer_is_quiet or not one.is_up for one in older):
                link.start()

    def retry_all(self) -> None:
        """Dial every waiting link at once."""
        for link in self.wanted.values():
            link.retry_now()

    def drain(self, fault: Fault) -> None:
        """Dial no more; each link ends with its last stream."""
        for link in (*self.wanted.values(), *self.leaving):
            link.drain(fault)

    def stop(self, fault: Fault) -> None:
        """Dial no more and close all links that are up."""
        for link in (*self.wanted.values(), *self.leaving):
            link.stop(fault)

    def succeed_where(self, is_old: Callable[[bytes], bool]) -> None:
        """See `LinkRenewals.succeed_where`."""
        for link in self.wanted.values():
            session = link.session
            if session is not None and session.greeting.peer_renews and is_old(session.leaves[1]):
                link.succeed()

    # OutgoingOwner.

    def make_session(self, link: OutgoingLink, config: SessionConfig) -> LinkSession:
        """See `OutgoingOwner`."""
        session = self._new_session(config, link.spec.is_sibling)
        self._link_of[session] = link
        return session

    def link_changed(self, name: str) -> None:
        """See `OutgoingOwner`."""
        self._changed(name)

    # Events of sessions.

    def session_draining(self, session: LinkSession, *, may_succeed: bool) -> None:
        """An end opens no more streams. ``may_succeed``: dial the links of neighbors that stop
        again."""
        link = self._link_of.get(session)
        if link is not None and link in self.leaving:
            self._start(self.wanted.get(link.name))
        elif (
            link is not None
            and link.session is session
            and session.link_drain.is_draining
            and may_succeed
        ):
            self._succeed(link)

    def _succeed(self, link: OutgoingLink) -> None:
        """The neighbor stops: another router may answer there while the old link's streams end."""
        if link.spec.is_sibling or self.wanted.get(link.name) is not link:
            return
        left = [old.neighbour for old in self.leaving if old.name == link.name]
        is_new = self._network.now() - link.since < limits.RECONNECT_MIN_S
        # A neighbor that stops still listens: wait for its end.
        if is_new or link.neighbour in left:
            return
        link.retire()
        self.leaving[link] = None
        successor = self.wanted[link.name] = self._new_link(link.name, link.spec, link)
        successor.expect_soon()
        successor.start()

    def session_down(self, session: LinkSession, fault: Fault) -> None:
        """A session is over; the link dials again unless it is leaving."""
        link = self._link_of.pop(session, None)
        if link is not None:
            link.session_down(session, fault)
            if link in self.leaving:
                self._has_left(link, fault)

    def _has_left(self, link: OutgoingLink, fault: Fault) -> None:
        """A session of a leaving link is over; the link goes with its last session."""
        successor = self.wanted.get(link.name)
        if successor is not None and fault.code == "shutdown":
            successor.neighbour_stopped()
        if not link.sessions:
            del self.leaving[link]
            if successor is not None and successor.predecessor is link:
                successor.stand_alone()
            self._changed(link.name)
        self._start(successor)
