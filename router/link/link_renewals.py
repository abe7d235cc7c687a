"""Certificates of links: renewed over them, and links that end with theirs."""

from collections.abc import Callable, Collection

from router.link.fault import Fault
from router.link.neighbour import Neighbour
from router.link.sessions.accepted import AcceptedLinks
from router.link.sessions.dialled import DialledLinks
from router.link.sessions.renewals import Answer, AskedForRenewal, refuse_renewal
from router.link.sessions.session import LinkSession
from router.model.ids import SiteId


class LinkRenewals:
    """Of all links of a router; what is issued, and believed, is `trust`'s."""

    __slots__ = ("_accepted", "_asked", "_dialled", "_due")

    def __init__(self, dialled: DialledLinks, accepted: AcceptedLinks) -> None:
        self._dialled = dialled
        self._accepted = accepted
        self._asked: AskedForRenewal = refuse_renewal
        self._due: Callable[[str], None] = lambda name: None

    # Of links that we dial.

    def follow_renewals(self, due: Callable[[str], None]) -> None:
        """``due`` is told of each link of ours whose neighbour wants us to renew what we hold of
        it."""
        self._due = due

    def ask_renewal(self, name: str, request: str, answered: Answer) -> bool:
        """Ask the neighbour of link ``name`` for another certificate, of the key of ``request``.

        False: the link is not up, its neighbour renews nothing, or one was asked for already.
        ``answered`` hears the answer, or None when none came. `Links.set_links` with the new
        certificate then replaces the link's lanes, and no stream is lost.
        """
        link = self._dialled.wanted.get(name)
        session = link.session if link is not None else None
        renewals = session.renewals if session is not None else None
        return renewals is not None and renewals.ask(request, answered)

    def succeed_where(self, is_old: Callable[[bytes], bool]) -> None:
        """Replace without loss the lanes of the links that we dial whose acceptor showed an old
        certificate (DER)."""
        self._dialled.succeed_where(is_old)

    # Of links that other sites dialled.

    def renew_by(self, asked: AskedForRenewal) -> None:
        """``asked`` for a certificate: by whom, with which one (DER), by what request, and the way
        back for the answer, now or later."""
        self._asked = asked

    def diallers(self) -> list[tuple[Neighbour, bool]]:
        """Who dialled the links that are up here, and whether it takes other certificates."""
        return self._accepted.diallers()

    def tell_renewal_due(self, whom: Callable[[Neighbour], bool]) -> int:
        """Have these diallers ask for another certificate soon; how many were told.

        Those that are not linked, or do not know how, are not told: they hear when they come.
        """
        return self._accepted.tell_renewal_due(whom)

    def end_outlived(self, is_over: Callable[[bytes], bool], fault: Fault) -> frozenset[SiteId]:
        """End the links whose dialler's certificate (DER) is over; the sites put out by it.

        Not those of neighbours that do not know how to renew it.
        """
        return self._put_out(self._accepted.end_outlived(is_over, fault))

    def drop_incoming(self, reason: str) -> frozenset[SiteId]:
        """Abort all links that other sites dialled here, in this turn; the sites put out by it."""
        return self._put_out(self._accepted.drop(Fault("revoked", reason, kind="refused")))

    def _put_out(self, ended: Collection[LinkSession]) -> frozenset[SiteId]:
        """The sites at the other end of ``ended`` that no other link leads to."""
        accepted = self._accepted
        others = (*self._dialled.sessions, *accepted.up, *accepted.handshaking)
        left = {one.neighbour.site for one in others if one.neighbour and one not in ended}
        return frozenset(one.neighbour.site for one in ended if one.neighbour) - left

    # SessionOwner.

    def session_renewal(self, session: LinkSession, request: str, answer: Answer) -> None:
        """The dialler of an incoming link asks."""
        assert session.neighbour is not None
        self._asked(session.neighbour, session.leaves[1], request, answer)

    def session_renewal_due(self, session: LinkSession) -> None:
        """The acceptor of a link of ours says so."""
        link = self._dialled.link_of(session)
        if link is not None and self._dialled.wanted.get(link.name) is link:
            self._due(link.name)
