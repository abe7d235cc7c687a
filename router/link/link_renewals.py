"""Renewal of link certificates over the links, and the end of links whose certificate is over."""

from collections.abc import Callable, Collection

from router.link.fault import Fault
from router.link.neighbour import LinkedDialer, Neighbour
from router.link.sessions.accepted import AcceptedLinks
from router.link.sessions.dialed_links import DialedLinks
from router.link.sessions.renewals import Answer, AskedForRenewal, refuse_renewal
from router.link.sessions.session import LinkSession
from router.model.ids import SiteId


class LinkRenewals:
    """Renewals on all links of a router. Issuing certificates and trusting them is `trust`'s
    business."""

    __slots__ = ("_accepted", "_asked", "_dialed", "_due")

    def __init__(self, dialed: DialedLinks, accepted: AcceptedLinks) -> None:
        self._dialed = dialed
        self._accepted = accepted
        self._asked: AskedForRenewal = refuse_renewal
        self._due: Callable[[str], None] = lambda name: None

    # Links that we dial.

    def follow_renewals(self, due: Callable[[str], None]) -> None:
        """Call ``due`` with the name of each link of ours whose neighbor asks us to renew its
        certificate."""
        self._due = due

    def ask_renewal(self, name: str, request: str, answered: Answer) -> bool:
        """Ask the neighbor of link ``name`` for another certificate, for the key of ``request``.

        False: the link is down, its neighbor renews nothing, or a request is pending. ``answered``
        gets the answer, or None when none came. `Links.set_links` with the new certificate then
        replaces the link's lanes, and no stream is lost.
        """
        link = self._dialed.wanted.get(name)
        session = link.session if link is not None else None
        renewals = session.renewals if session is not None else None
        return renewals is not None and renewals.ask(request, answered)

    def succeed_where(self, is_old: Callable[[bytes], bool]) -> None:
        """Replace without loss the lanes of links that we dial if their acceptor showed an old
        certificate (DER)."""
        self._dialed.succeed_where(is_old)

    # Links that other sites dialed.

    def renew_by(self, asked: AskedForRenewal) -> None:
        """Call ``asked`` when a dialer asks for a certificate: with the dialer, its present
        certificate (DER), its request, and a callback for the answer, now or later."""
        self._asked = asked

    def dialers(self) -> list[LinkedDialer]:
        """The dialers of the links that are up here."""
        return self._accepted.dialers()

    def tell_renewal_due(self, whom: Callable[[Neighbour], bool]) -> int:
        """Ask these dialers to request another certificate soon; returns how many were asked.

        Dialers that are not linked or cannot renew are not asked: they learn it when they connect.
        """
        return self._accepted.tell_renewal_due(whom)

    def end_outlived(self, is_over: Callable[[bytes], bool], fault: Fault) -> frozenset[SiteId]:
        """End the links whose dialer's certificate (DER) is over; returns the sites that this cut
        off.

        Links of neighbors that cannot renew their certificate stay.
        """
        return self._put_out(self._accepted.end_outlived(is_over, fault))

    def drop_incoming(self, reason: str) -> frozenset[SiteId]:
        """Abort all links that other sites dialed here, in this turn; returns the sites cut off."""
        return self._put_out(self._accepted.drop(Fault("revoked", reason, kind="refused")))

    def _put_out(self, ended: Collection[LinkSession]) -> frozenset[SiteId]:
        """The sites at the other end of ``ended`` that no other link leads to."""
        accepted = self._accepted
        others = (*self._dialed.sessions, *accepted.up, *accepted.handshaking)
        left = {one.neighbour.site for one in others if one.neighbour and one not in ended}
        return frozenset(one.neighbour.site for one in ended if one.neighbour) - left

    # SessionOwner.

    def session_renewal(self, session: LinkSession, request: str, answer: Answer) -> None:
        """The dialer of an incoming link asks for a certificate."""
        assert session.neighbour is not None
        self._asked(session.neighbour, session.leaves[1], request, answer)

    def session_renewal_due(self, session: LinkSession) -> None:
        """The acceptor of a link of ours asks us to renew."""
        link = self._dialed.link_of(session)
        if link is not None and self._dialed.wanted.get(link.name) is link:
            self._due(link.name)
