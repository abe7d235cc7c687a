"""Identity and trust of this site: the secrets of `certs` on disk, for the rooms of the router.

A facade of: `own_certificates` of this site · `admission` of peers · `link_certificates` of dialed
links · `claim_desk` claims of others · `certificate_issuer` renewals for others · `ca_rotation` and
`ca_rotation_watch` the CA · `revocations` the list of revoked sites · `service_tls` of services.
"""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from certs import certificates, clocks
from certs.ca.authority import TROUBLE_HINT, Authority
from certs.identity import SiteIdentity, restored_at, site_id_of, verify
from certs.joining.claims import Grant, GrantStore
from certs.joining.redeem import ClaimDesk
from router.admin.views.status import CaView
from router.link.links import Links
from router.link.neighbour import LinkPermission, Neighbour
from router.link.sessions.claims import Answered
from router.link.sessions.outgoing_spec import OutgoingSpec
from router.model import limits
from router.model.errors import HandshakeRejected
from router.model.events import Problem, Tell
from router.model.ids import RouterId, SiteId
from router.model.specs import LinkSpec
from router.model.ticks import next_tick
from router.net.ports import FarNetwork, Tls
from router.trust.admission import Drop, NeighbourCertificates
from router.trust.bar_list import BarList
from router.trust.ca_rotation import CaRotation, Change
from router.trust.ca_rotation_watch import CaFollower
from router.trust.certificate_issuer import Issuer
from router.trust.claim_desk import ClaimAnswers
from router.trust.holders import Holders
from router.trust.link_certificates import LinkCredentials
from router.trust.own_certificates import OwnCertificates
from router.trust.ports import Bars, Dialers, PendingLink, PrimarySecrets
from router.trust.revocations import RevocationList
from router.trust.service_tls import ServiceTls


class RouterIdentity(msgspec.Struct, frozen=True):
    """The identity of one router of the site. Implements `OwnIdentity`."""

    key: SiteIdentity
    router: RouterId
    name: str

    @property
    def site(self) -> SiteId:
        """The hash of the public key."""
        return SiteId(self.key.site_id)

    @property
    def public_key(self) -> bytes:
        """DER."""
        return self.key.public_key

    def sign(self, data: bytes) -> bytes:
        """By the identity key."""
        return self.key.sign(data)

    def verify(self, public_key: bytes, signature: bytes, data: bytes) -> bool:
        """Whether the owner of ``public_key`` signed ``data``; False for garbage."""
        return verify(public_key, signature, data)

    def site_of(self, public_key: bytes) -> SiteId:
        """The site that owns the key."""
        return SiteId(site_id_of(public_key))


class SiteTrust:
    """The secrets of one site directory. Implements `trust.ports.Credentials`."""

    def __init__(
        self,
        directory: Path,
        tell: Tell,
        *,
        primary: PrimarySecrets | None = None,
        leads: bool = True,
    ) -> None:
        """``primary`` None: the directory is the primary store. ``leads``: this process of the
        router redeems, renews, issues and replaces the CA; other processes follow the files of the
        one that does. Raises CertError, naming the file."""
        self._leads = leads
        secrets = directory / "secrets"
        self._tell = tell
        self._identity = SiteIdentity.load(secrets)
        self.restored_at = restored_at(secrets)
        """Unix seconds at which the site was restored from a backup; 0: never."""
        site = self._identity.site_id
        ca = self._ca = CaRotation(secrets, site, tell, primary)
        self._own_certificates = OwnCertificates(
            secrets, site, lambda: ca.authority, tell, leads=leads
        )
        services = self._services = ServiceTls(
            secrets / "tls", of_secrets=primary is not None, tell=tell if leads else None
        )
        self.service_tls, self.target_tls = services.listener, services.target
        self.keep_service_tls = services.keep
        self.service_tls_changed = services.look
        self.service_tls_problems = services.problems
        self._link_credentials = LinkCredentials(
            secrets, self._identity, tell, primary, leads=leads
        )
        revoking = RevocationList(secrets, primary, tell)
        self._bars = BarList(secrets, lambda: revoking.revocations.sites, tell, writes=leads)
        revoking.follow(self._bars.look)
        desk = ClaimDesk(
            GrantStore(secrets / "grants", ca.authority, waits=False)  # Traffic goes on.
            if primary is None
            else None
        )
        self._claim_answers = ClaimAnswers(desk, ca, revoking, primary, tell)
        self.grant = self._claim_answers.grant
        self.issuer = Issuer(
            secrets,
            self._identity,
            lambda: ca.authority,
            ca.cas_for,
            revoking.revocations,
            desk,
            revoking.apply,
            tell,
            primary,
        )
        self._admission = NeighbourCertificates(revoking, self.issuer, ca, self._bars)
        self.granted: Callable[[], Sequence[Grant]] = (
            desk.granted if primary is None else primary.granted
        )
        holders = Holders(
            self.granted,
            self.issuer.register,
            revoking.is_revoked,
        )
        self._follower = CaFollower(ca, holders, tell, self._follow_ca, self._bars.put_out)
        self._network: FarNetwork | None = None
        self._links_changed: Callable[[], None] = lambda: None
        self._clock_moved: Callable[[], None] = lambda: None
        self._clock_set_s: Callable[[], float] = lambda: 0.0
        self._clock_was_set_s = 0.0
        """`_clock_set_s` at the last check."""

    def follow_claims(self, judged: Callable[[str], None]) -> None:
        """``judged`` is called with the name of each judged claim, before the event about it."""
        self._claim_answers.follow(judged)

    def identity(self, router: RouterId, name: str) -> RouterIdentity:
        """The identity that ``router`` shows under the site's ``name``."""
        self._admission.name = name
        return RouterIdentity(self._identity, router, name)

    def start(
        self,
        network: FarNetwork,
        changed: Callable[[], None],
        leaf_renewed: Callable[[], None],
        drop: Drop,
        clock_moved: Callable[[], None] = lambda: None,
        dialers: Dialers | None = None,
        bars_changed: Callable[[], None] = lambda: None,
        clock_set_s: Callable[[], float] = lambda: 0.0,
    ) -> None:
        """Begin to redeem claims, to watch revocations and to renew our own leaf.

        ``changed`` is called when a link got its certificate or another reason to wait for it,
        ``leaf_renewed`` when `listener_tls` changes; ``drop`` ends the sessions of the neighbors
        that a predicate selects, with a reason. ``clock_moved``: certificates that were invalid may
        be valid now. ``dialers``: the links that a rotation of the CA affects. ``bars_changed``:
        `bars` changed. ``clock_set_s``: see `WallClock.set_s`.
        """
        self._network = network
        self._clock_set_s, self._clock_was_set_s = clock_set_s, clock_set_s()
        self._links_changed, self._clock_moved = changed, clock_moved
        self._bars.follow(bars_changed)
        self._admission.start(network, drop)
        self._follower.start(network, dialers)
        self._link_credentials.start(network, self._admission.name, changed)
        self._own_certificates.start(network, leaf_renewed)
        self._watch()

    def renew_over(self, links: Links) -> None:
        """After `start`: request and issue certificates over ``links``, and end links that outlived
        theirs.
        """
        self._link_credentials.renew_over(links)
        links.renewals.renew_by(self.issuer.asked)
        self._admission.watch(links.renewals)

    def renew_link(self, name: str) -> bool:
        """Request a new certificate for link ``name`` at once. False: it has none yet.

        Raises `OSError` if the next one could not be written.
        """
        return self._link_credentials.renew(name)

    def reload(self) -> None:
        """Take up changes of another process: revocations, and the CA."""
        if self._admission.refresh():
            self._follower.look()

    def revoke(self, site: str) -> None:
        """Refuse ``site`` and its certificate from now on and end its sessions.

        If it redeems a claim later, that admits it again, with a new certificate. Raises CertError.
        """
        self._admission.revoke(site)

    # For the other rooms --------------------------------------------------------------------

    def listener_tls(self) -> Tls:
        """The server leaf; claims need no client certificate, links do."""
        return self._own_certificates.listener_tls()

    def sibling_tls(self) -> Tls:
        """A peer with this site's name by our own CA is a router of this site."""
        return self._own_certificates.sibling_tls()

    def outgoing(self, name: str, spec: LinkSpec) -> OutgoingSpec | PendingLink:
        """The parameters for dialing, once there is a certificate; until then this redeems the
        claim.
        """
        return self._link_credentials.outgoing(name, spec)

    def is_renewal_due(self, name: str) -> bool:
        """See `Credentials.is_renewal_due`."""
        return self._link_credentials.is_renewal_due(name)

    def forget_links(self, keep: frozenset[str]) -> None:
        """For links that are no longer wanted: redeem nothing, show nothing."""
        self._link_credentials.forget(keep)

    def site_deleted(self, site: SiteId) -> None:
        """Record it: a rotation of the CA does not wait for ``site``."""
        self.issuer.deleted(site)

    def admit(self, peer_certificate: bytes, neighbour: Neighbour) -> HandshakeRejected | None:
        """None unless revoked, or the certificate names another site than the peer proved to be."""
        return self._admission.admit(peer_certificate, neighbour)

    def permission_of(self, peer_certificate: bytes) -> LinkPermission:
        """The terms in an admitted certificate."""
        return self._admission.permission_of(peer_certificate)

    def bars(self) -> Bars:
        """Sites that this one bars."""
        return self._bars.bars

    def problems(self) -> tuple[Problem, ...]:
        """Problems of this host's clock, the site's CA, and the disk below them."""
        found = []
        trouble = self._ca.authority.trouble(time.time())
        if trouble:
            message = f"Sites with a right clock may not link here: {trouble}."
            found.append(Problem(code="SW0661", message=message, hint=TROUBLE_HINT))
        found += (*self._admission.problems(), *self._follower.problems())
        found += self._own_certificates.problems()
        return (*found, *self._link_credentials.problems(), *self._ca.problems())

    def authority(self) -> Authority:
        """The site's CA that issues now."""
        return self._ca.authority

    def ca_pem(self) -> str:
        """The certificate of the CA that issues now."""
        return self._ca.authority.ca_pem

    def ca(self) -> CaView:
        """For `sitectl ca status`."""
        return self._ca.view()

    def certificate_expiries(self) -> dict[str, float]:
        """Unix seconds at which the certificates in use end, by name.

        ``leaf``, ``ca``, ``link/NAME`` of dialed links, ``tls/NAME`` of services.
        """
        return {
            "leaf": self._own_certificates.expires_at,
            "ca": certificates.expires_at(self._ca.authority.ca_pem),
            **{
                f"link/{name}": expires for name, expires in self._link_credentials.expiries.items()
            },
            **self._services.expiries(),
        }

    # Requests of other sites (`link.sessions.claims.ClaimJudge`) ----------------------------------

    def answer(self, name: str, body: bytes, source: str, done: Answered) -> None:
        """Judge a claim that another site redeems here."""
        self._claim_answers.answer(name, body, source, done)

    def renew(self, name: str, body: bytes, source: str, done: Answered) -> None:
        """Judge a site that rejoins."""
        self.issuer.judge(name, body, source, done)

    # Periodic checks ------------------------------------------------------------------------

    def _watch(self) -> None:
        assert self._network is not None
        now = self._network.now()
        self._network.call_at(next_tick(now, limits.CONFIG_POLL_S), self._watch)
        set_s = self._clock_set_s()
        moved_s, self._clock_was_set_s = set_s - self._clock_was_set_s, set_s
        if abs(moved_s) >= limits.CLOCK_MOVED_S:
            self._follow_clock(moved_s)
        self.reload()
        self._bars.look()
        if self._link_credentials.files_have_changed():
            self._links_changed()
        if self._leads:
            self._follower.carry_on()

    def _follow_ca(self, change: Change) -> None:
        self._claim_answers.use(self._ca.authority)
        self._own_certificates.certify_anew()
        if change == "replaced":
            self.issuer.forget_all()

    def _follow_clock(self, by_s: float) -> None:
        """Renew everything that depends on the clock: it was set."""
        how = "back" if by_s < 0 else "ahead"
        slept = ", or the host slept" if by_s > 0 else ""
        now = clocks.utc(time.time())
        self._tell(
            "warning",
            "clock-moved",
            "clock",
            f"This host's clock was set {how} by {clocks.span(abs(by_s))}{slept}: it says {now}.",
            "If that is wrong: timedatectl, chronyc tracking",
        )
        self._own_certificates.renew()
        self._link_credentials.start_again()
        self._clock_moved()
