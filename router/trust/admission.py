"""Admission: judges peers by their certificates, which no session outlives."""

import time
from collections.abc import Callable

import msgspec

from certs import certificates
from certs import limits as certs_limits
from certs.ca import terms
from certs.errors import CertError
from certs.links.revocation import Revocation
from router.link.fault import OLD_CERTIFICATE, Fault
from router.link.link_renewals import LinkRenewals
from router.link.neighbour import LinkPermission, Neighbour
from router.model import limits
from router.model.errors import HandshakeRejected
from router.model.events import Problem
from router.model.ids import SiteId
from router.model.rights.sharing import FREE, Terms
from router.model.wording.system_errors import text_of
from router.net.ports import Network
from router.trust.bar_list import BarList
from router.trust.ca_rotation import CaRotation
from router.trust.certificate_issuer import Issuer
from router.trust.revocations import RevocationList

Drop = Callable[[Callable[[Neighbour], bool], str], int]
"""Ends the sessions of the neighbors that a predicate selects, with a reason."""


class _Life(msgspec.Struct, frozen=True):
    """The life of a neighbor's certificate, on the network's clock. From ``old_at`` on its owner
    should have a new one."""

    ends_at: float
    old_at: float


class NeighbourCertificates:
    """Owns the knowledge about certificates of neighbors."""

    __slots__ = (
        "_bars",
        "_ca",
        "_drop",
        "_issuer",
        "_links",
        "_lives",
        "_network",
        "_revoking",
        "_serials",
        "_succeeded_at",
        "name",
    )

    def __init__(
        self, revoking: RevocationList, issuer: Issuer, ca: CaRotation, bars: BarList
    ) -> None:
        self._revoking, self._issuer, self._ca, self._bars = revoking, issuer, ca, bars
        self.name = ""  # Of this site, for messages to refused peers.
        self._network: Network | None = None
        self._drop: Drop | None = None
        self._links: LinkRenewals | None = None
        self._serials: dict[SiteId, str] = {}  # Of our certificates, bound to one site.
        self._lives: dict[bytes, _Life] = {}  # By certificates of neighbors, DER.
        self._succeeded_at = float("-inf")

    def start(self, network: Network, drop: Drop) -> None:
        """Begin to judge."""
        self._network, self._drop = network, drop

    def watch(self, links: LinkRenewals) -> None:
        """From now on end those of ``links`` that outlive their certificates."""
        self._links = links
        self._judge_lives()

    def admit(self, peer_certificate: bytes, neighbour: Neighbour) -> HandshakeRejected | None:
        """None unless revoked, or the certificate names another site than the peer proved to be."""
        serial = certificates.serial_of(peer_certificate)
        try:
            revoked = self._revoking.is_revoked(serial, neighbour.site)
            is_barred = self._revoking.is_revoked("", neighbour.site)
        except (CertError, OSError) as error:
            return HandshakeRejected(
                "revocations-damaged", f"{self.name} admits no site: {text_of(error)}"
            )
        if revoked:
            return HandshakeRejected(
                "revoked",
                f"{self.name} has revoked the access of {neighbour.name}"
                if is_barred
                else f"{self.name} has revoked the certificate that {neighbour.name} shows, but "
                "not the site",
                f"On {self.name} run: sitectl token create FILE",
            )
        if self._is_of_another_ca(peer_certificate, neighbour):
            if self._issuer.has_current(neighbour.site):
                return HandshakeRejected(
                    OLD_CERTIFICATE,
                    f"{self.name} has replaced its CA, and {neighbour.name} has a certificate of "
                    "the new one, but does not show it yet",
                )
            return HandshakeRejected(
                "revoked",
                f"{self.name} has another CA since {neighbour.name} came",
                f"On {self.name} run: sitectl token create FILE",
            )
        unfit = certificates.unfit_for_links(certificates.read(peer_certificate))
        if unfit:
            return HandshakeRejected(
                "wrong-certificate",
                f"the certificate shown by {neighbour.name} {unfit}",
                f"Link again with a new token of {self.name}",
            )
        try:
            terms.of_certificate(peer_certificate)
        except CertError as error:
            return HandshakeRejected(
                "terms-unreadable",
                f"{self.name} cannot read on which terms {neighbour.name} was let in: {error}",
                f"Upgrade the router of {self.name}, or make a new token there",
            )
        named = certificates.site_in_certificate(peer_certificate)
        is_bound = neighbour.is_sibling or certificates.has_names(peer_certificate)
        if is_bound and named != neighbour.site:
            return HandshakeRejected(
                "wrong-site",
                f"the certificate shown by {neighbour.name} is that of another site, "
                f"{named or 'of its holder'}",
                "Link again with a token of the site that you mean",
            )
        if not neighbour.is_sibling:
            self._ca.shown(neighbour.site, peer_certificate)
            self._lives.setdefault(peer_certificate, self._life_of(peer_certificate))
            if certificates.is_for_clients(certificates.read(peer_certificate)):
                self._issuer.seen(peer_certificate, neighbour)
                if named is not None:
                    self._serials[neighbour.site] = serial
            self._bars.let_in(neighbour.site)
        return None

    def permission_of(self, peer_certificate: bytes) -> LinkPermission:
        """The terms in an admitted certificate; a peer that we dial has no terms from us."""
        told = terms.of_certificate(peer_certificate)
        is_ours = certificates.is_for_clients(certificates.read(peer_certificate))
        return LinkPermission(
            FREE if told.are_unrestricted else Terms(told.declare, told.export, told.import_),
            certificates.common_name(peer_certificate) if is_ours else "",
        )

    def revoke(self, site: str) -> None:
        """Refuse ``site`` and its certificate from now on and end its sessions.

        If it redeems a claim later, that admits it again, with a new certificate. Raises CertError.
        """
        serial = self._serials.get(SiteId(site))
        serials = self._issuer.serials(site) | ({serial} if serial else set())
        self._revoking.apply(Revocation(serials=serials, sites=frozenset({site})))
        self._drop_revoked()

    def problems(self) -> tuple[Problem, ...]:
        """Why no site is admitted."""
        return self._revoking.problems()

    def refresh(self) -> bool:
        """Apply revocations that another process wrote; their sessions end in this turn.

        False: they cannot be read.
        """
        changed = self._revoking.refresh()
        if changed:
            self._drop_revoked()
        return changed is not None

    def _drop_revoked(self) -> None:
        if self._drop is not None:
            self._drop(
                lambda one: self._revoking.is_revoked(self._serials.get(one.site, ""), one.site),
                "its access was revoked",
            )

    def _is_of_another_ca(self, certificate: bytes, neighbour: Neighbour) -> bool:
        """Whether the CA that TLS trusted was replaced during the handshake."""
        shown = certificates.read(certificate)
        is_dialer = certificates.is_for_clients(shown) and not neighbour.is_sibling
        return is_dialer and not self._ca.authority.admits(shown)

    def _life_of(self, certificate: bytes) -> _Life:
        """TLS just judged it by the wall clock; from here on the network's clock counts."""
        assert self._network is not None
        now = self._network.now()
        left_s = certificates.expires_at(certificate) - time.time()
        begins_at = certificates.read(certificate).not_valid_before_utc.timestamp()
        whole_s = certificates.expires_at(certificate) - begins_at
        return _Life(now + left_s, now + left_s - whole_s * (1 - certs_limits.RENEW_AT_SHARE) / 2)

    def _judge_lives(self) -> None:
        """Judge by a clock that is never set: no session outlives the certificates shown on it."""
        assert self._network is not None and self._links is not None
        now = self._network.now()
        self._network.call_at(now + limits.RENEW_LOOK_S, self._judge_lives)
        lives = self._lives
        ended = Fault("certificate-ended", "the certificate of its dialer has ended")
        out = self._links.end_outlived(
            lambda leaf: leaf in lives and now >= lives[leaf].ends_at, ended
        )
        self._bars.put_out(out)
        if now - self._succeeded_at >= limits.SUCCEED_OLD_EACH_S:
            self._succeeded_at = now
            self._links.succeed_where(lambda leaf: leaf in lives and now >= lives[leaf].old_at)
        self._lives = {leaf: life for leaf, life in lives.items() if now < life.ends_at + 3600}
