"""Who we are and whom we believe: `certs` on disk, as the rooms of the router need it.

Hands out the certificates of links, answers claims of others, judges peers, and drops sessions of
those who were revoked. Claims of ours that have to be redeemed first are `redeeming`'s.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import msgspec

from certs import certificates, clocks, keys
from certs import limits as certs_limits
from certs.authority import TROUBLE_HINT, Authority, Leaf, ensure_leaf, is_fresh
from certs.claims import GrantStore
from certs.contexts import CLAIM_ALPN, LINK_ALPN, client_context, server_context
from certs.credentials import Credential, LinkStore
from certs.errors import CertError
from certs.identity import SiteIdentity, restored_at, site_id_of, verify
from certs.redeem import ClaimAnswer, ClaimDesk
from certs.revocation import Revocation, Revocations
from certs.tokens import Token
from router.link.claims import Answered
from router.link.outgoing import OutgoingSpec
from router.link.ports import Neighbour
from router.main.clock import ClockWatch, out_of_time_now
from router.main.ports import ClaimResult, KeptSecrets, PendingLink, Tell
from router.main.redeeming import Redeemer
from router.main.service_tls import ServiceTls
from router.model import limits
from router.model.errors import HandshakeRejected
from router.model.events import Problem, Severity
from router.model.ids import RouterId, SiteId
from router.model.specs import LinkSpec
from router.net.ports import Network, Tls

RENEWAL_CHECK_S, RENEWAL_RETRY_S = 3600.0, 60.0


class RouterIdentity(msgspec.Struct, frozen=True):
    """The identity of one router of the site. Implements `link.ports.Identity`."""

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
        """Whether the owner of ``public_key`` signed ``data``; garbage is just not."""
        return verify(public_key, signature, data)

    def site_of(self, public_key: bytes) -> SiteId:
        """The site whose key that is."""
        return SiteId(site_id_of(public_key))


class SiteTrust:
    """The secrets of one site directory. Implements `main.ports.Credentials`."""

    def __init__(
        self,
        directory: Path,
        tell: Tell,
        *,
        kept: KeptSecrets | None = None,
    ) -> None:
        """``kept`` None: the directory is all there is. Raises CertError, naming the file."""
        secrets = directory / "secrets"
        self._secrets = secrets
        self._tell = tell
        self._identity = SiteIdentity.load(secrets)
        self.restored_at = restored_at(secrets)
        """Unix seconds at which the site came out of a backup; 0: never."""
        self._authority = Authority.load(secrets)
        self._not_renewed = ""  # Why our own leaf could not be.
        self._leaf = self._first_leaf()
        services = self._services = ServiceTls(secrets / "tls")
        self.service_tls, self.target_tls = services.listener, services.target
        self.keep_service_tls = services.keep
        self.service_tls_changed = services.look
        self.service_tls_problems = services.problems
        self._links = LinkStore(secrets / "links")
        self._revocations = Revocations(secrets)
        self._kept = kept
        self._desk = ClaimDesk(
            GrantStore(secrets / "grants", self._authority, waits=False)  # Traffic goes on.
            if kept is None
            else None
        )
        self._redeemer: Redeemer | None = None
        self._network: Network | None = None
        self._leaf_renewed: Callable[[], None] = lambda: None
        self._clock_moved: Callable[[], None] = lambda: None
        self._drop: Callable[[Callable[[Neighbour], bool], str], int] | None = None
        self._name = ""
        self._told = ""
        self._serials: dict[SiteId, str] = {}  # Of certificates bound to one site.
        self._sibling_leaf = self._new_sibling_leaf()  # Never written down.
        self._clock: ClockWatch | None = None
        self._expiries: dict[str, float] = {}  # Of the links' certificates in use, Unix seconds.

    def identity(self, router: RouterId, name: str) -> RouterIdentity:
        """The identity that ``router`` shows under the site's ``name``."""
        self._name = name
        return RouterIdentity(self._identity, router, name)

    def start(
        self,
        network: Network,
        changed: Callable[[], None],
        leaf_renewed: Callable[[], None],
        drop: Callable[[Callable[[Neighbour], bool], str], int],
        clock_moved: Callable[[], None] = lambda: None,
    ) -> None:
        """Begin to redeem claims, to watch revocations and to renew our own leaf.

        ``changed`` is called when a link got its certificate or another reason to wait for it,
        ``leaf_renewed`` when `listener_tls` gives a new one; ``drop`` ends the sessions of the
        neighbours that a predicate names, with a reason. ``clock_moved``: what was not valid may be
        now.
        """
        self._network, self._drop = network, drop
        self._clock = ClockWatch(network.now)
        self._leaf_renewed, self._clock_moved = leaf_renewed, clock_moved
        kept = self._kept

        def redeemed() -> None:
            if kept is not None:
                kept.poke()
            changed()

        self._redeemer = Redeemer(
            network, self._links, self._identity.site_id, self._name, self._tell, redeemed
        )
        self._watch()
        network.call_at(network.now() + RENEWAL_CHECK_S, self._renew_leaf)

    def _watch(self) -> None:
        assert self._network is not None and self._clock is not None
        self._network.call_at(self._network.now() + limits.CONFIG_POLL_S, self._watch)
        moved_s = self._clock.look()
        if moved_s:
            self._follow_clock(moved_s)
        self.reload()

    def _follow_clock(self, by_s: float) -> None:
        """What was made by the clock of before may be of no use by that of now."""
        way = "ahead" if by_s > 0 else "back"
        now = clocks.utc(time.time())
        self._tell(
            "warning",
            "clock-moved",
            "clock",
            f"This host's clock was set {way} by {clocks.span(abs(by_s))}, or the host slept: it "
            f"says {now}.",
            "If that is wrong: timedatectl, chronyc tracking",
        )
        self._renew()
        assert self._redeemer is not None
        self._redeemer.start_again()
        self._clock_moved()

    def _renew_leaf(self) -> None:
        assert self._network is not None
        self._renew()
        pause_s = RENEWAL_RETRY_S if self._not_renewed else RENEWAL_CHECK_S
        self._network.call_at(self._network.now() + pause_s, self._renew_leaf)

    def _renew(self) -> None:
        before = self._leaf
        try:
            self._leaf = ensure_leaf(
                self._secrets, self._authority, self._identity.site_id, time.time()
            )
            if not is_fresh(self._sibling_leaf.chain_pem, time.time()):
                self._sibling_leaf = self._new_sibling_leaf()
        except (CertError, OSError) as error:
            if not self._not_renewed:
                self._tell("error", "leaf-not-renewed", "leaf", str(error))
            self._not_renewed = str(error)
            return
        self._not_renewed = ""
        if self._leaf != before:
            self._leaf_renewed()

    def _first_leaf(self) -> Leaf:
        """As it is kept; or one that is not, on a disk that takes nothing."""
        now, site = time.time(), self._identity.site_id
        try:
            return ensure_leaf(self._secrets, self._authority, site, now)
        except OSError as error:
            self._not_renewed = str(error)
        if self._authority.trouble(now):
            now = self._authority.begins_at + certs_limits.BACKDATE_S
        return self._authority.issue_server_leaf(site, now)

    def _new_sibling_leaf(self) -> Leaf:
        key, site, authority = keys.generate(), self._identity.site_id, self._authority
        now = time.time()
        if authority.trouble(now):  # Of as long a life as that: see `ensure_leaf`.
            now = authority.begins_at + certs_limits.BACKDATE_S
        chain = authority.issue_client_leaf(key.public_key(), site, now, site_id=site)
        return Leaf(key_pem=keys.to_pem(key), chain_pem=chain)

    def reload(self) -> None:
        """Take up revocations that another process wrote; their sessions end in this turn."""
        try:
            changed = self._revocations.refresh()
        except (CertError, OSError) as error:  # Nobody new is let in until it is mended.
            self._tell_once("error", "revocations-damaged", "revoked.json", str(error))
            return
        self._told = ""
        if changed and self._drop is not None:
            self._drop(self._is_revoked, "its access was revoked")

    def revoke(self, site: str) -> None:
        """Refuse ``site`` and its certificate from now on and end its sessions.

        A claim that it redeems later admits it again, with a new certificate. Raises CertError.
        """
        serial = self._serials.get(SiteId(site))
        self._revoke(
            Revocation(serials=frozenset({serial} if serial else ()), sites=frozenset({site}))
        )
        if self._drop is not None:
            self._drop(self._is_revoked, "its access was revoked")

    def _is_revoked(self, neighbour: Neighbour) -> bool:
        return self._revocations.is_revoked(self._serials.get(neighbour.site, ""), neighbour.site)

    # What the rooms ask ---------------------------------------------------------------------

    def listener_tls(self) -> Tls:
        """The server leaf; claims need no client certificate, links do."""
        return Tls(
            context=server_context(self._leaf, self._authority.ca_pem),
            certificate=certificates.to_der(self._leaf.chain_pem),
            alpn=(LINK_ALPN, CLAIM_ALPN),
            alpn_with_certificate=(LINK_ALPN,),
            tells_time=out_of_time_now,
        )

    def outgoing(self, name: str, spec: LinkSpec) -> OutgoingSpec | PendingLink:
        """How to dial, once there is a certificate; starts to redeem the claim until then."""
        assert self._network is not None and self._redeemer is not None
        self._expiries.pop(name, None)
        hindrance = None if self._kept is None else self._kept.hindrance(name)
        if hindrance is not None:
            return self._pending(hindrance.state, hindrance.error, spec)
        try:
            stored = self._links.load(name)
            if stored.credential is not None:
                self._redeemer.stop(name)
                return self._dial(name, stored.token, stored.credential, spec)
        except (CertError, OSError) as error:  # Of this link alone: the others are dialled.
            return self._pending("refused", str(error), spec)
        redemption = self._redeemer.redeem(name, stored.token)
        return PendingLink(
            state="refused" if redemption.final else "connecting",
            error=redemption.error,
            error_code=redemption.error_code,
            site_name=stored.token.site_name,
            site_id=stored.token.site_id,
            cost=_cost(stored.token, spec),
            since=redemption.since,
        )

    def _pending(
        self, state: Literal["connecting", "refused"], error: str, spec: LinkSpec
    ) -> PendingLink:
        """Of a link whose token is not known."""
        assert self._network is not None
        return PendingLink(
            state=state,
            error=error,
            site_name="",
            site_id="",
            cost=spec.cost or 1,
            since=self._network.now(),
        )

    def _dial(
        self, name: str, token: Token, credential: Credential, spec: LinkSpec
    ) -> OutgoingSpec:
        leaf = credential.leaf
        tls = Tls(
            context=client_context(leaf, credential.ca_pem),
            certificate=certificates.to_der(leaf.chain_pem),
            alpn=(LINK_ALPN,),
            tells_time=out_of_time_now,
        )
        self._expiries[name] = certificates.expires_at(leaf.chain_pem)
        return OutgoingSpec(
            endpoints=tuple(token.endpoints),
            cost=_cost(token, spec),
            tls=tls,
            expected_site=SiteId(token.site_id),
        )

    def sibling_tls(self) -> Tls:
        """Of our own CA both ways: who bears this site's name by it is a router of this site."""
        leaf = self._sibling_leaf
        return Tls(
            context=client_context(leaf, self._authority.ca_pem),
            certificate=certificates.to_der(leaf.chain_pem),
            alpn=(LINK_ALPN,),
            tells_time=out_of_time_now,
        )

    def forget_links(self, keep: frozenset[str]) -> None:
        """Of links that are wanted no more: redeem nothing, show nothing."""
        assert self._redeemer is not None
        self._redeemer.stop_all_but(keep)
        for name in self._expiries.keys() - keep:
            del self._expiries[name]

    def admit(self, peer_certificate: bytes, neighbour: Neighbour) -> HandshakeRejected | None:
        """None unless revoked, or the certificate names another site than the peer proved."""
        serial = certificates.serial_of(peer_certificate)
        try:
            revoked = self._revocations.is_revoked(serial, neighbour.site)
        except (CertError, OSError) as error:
            return HandshakeRejected("revocations-damaged", f"{self._name} admits nobody: {error}")
        if revoked:
            return HandshakeRejected(
                "revoked",
                f"{self._name} has revoked the access of {neighbour.name}",
                f"On {self._name} run: sitectl token create FILE",
            )
        named = certificates.site_in_certificate(peer_certificate)
        if (named is not None or neighbour.is_sibling) and named != neighbour.site:
            return HandshakeRejected(
                "wrong-site",
                f"the certificate shown by {neighbour.name} is that of another site, "
                f"{named or 'of whoever holds it'}",
                "Link again with a token of the site that you mean",
            )
        if named is not None and not neighbour.is_sibling:
            self._serials[neighbour.site] = serial
        return None

    def problems(self) -> tuple[Problem, ...]:
        """Of this host's clock and the site's CA, and of the disk below them."""
        found = []
        trouble = self._authority.trouble(time.time())
        if trouble:
            message = f"Sites with a right clock may not link here: {trouble}."
            found.append(Problem(code="SW0661", message=message, hint=TROUBLE_HINT))
        if self._not_renewed:
            message = f"The certificate that links see here was not renewed: {self._not_renewed}."
            hint = "Free space on that disk and look at its permissions; it is tried every minute"
            found.append(Problem(code="SW0664", message=message, hint=hint))
        return tuple(found)

    def certificate_expiries(self) -> dict[str, float]:
        """Unix seconds at which the certificates in use end, by name.

        ``leaf``, ``ca``, ``link/NAME`` of links that are dialled, ``tls/NAME`` of services.
        """
        return {
            "leaf": certificates.expires_at(self._leaf.chain_pem),
            "ca": certificates.expires_at(self._authority.ca_pem),
            **{f"link/{name}": expires for name, expires in self._expiries.items()},
            **self._services.expiries(),
        }

    # Claims of others -----------------------------------------------------------------------

    def answer(self, name: str, body: bytes, source: str, done: Answered) -> None:
        """Judge a claim that somebody redeems here. Implements `link.claims.ClaimDesk`."""
        now = time.time()
        if self._kept is None:
            answer = self._desk.answer(name, body, source, now)
            self._answered(name, source, answer, done)
            return
        request = self._desk.open(body, source, now)
        if isinstance(request, ClaimAnswer):
            self._answered(name, source, request, done)
            return

        def judged(result: ClaimResult) -> None:
            answer = self._desk.close(request, result, source, now)
            self._answered(name, source, answer, done)

        self._kept.redeem(name, request, now, judged)

    def _answered(self, name: str, source: str, answer: ClaimAnswer, done: Answered) -> None:
        if answer.outcome == "redeemed":
            self._tell("info", "claim-redeemed", name, f"Claim {name} was redeemed from {source}.")
            self._readmit(name, answer.site_id)
        elif answer.outcome != "repeated":
            self._tell(
                "warning",
                "claim-refused",
                name,
                f"A claim from {source} was refused: {answer.outcome}.",
                "Make a new one with: sitectl token create FILE",
            )
        done(answer.status, answer.body)

    def _readmit(self, claim: str, site: str) -> None:
        try:
            self._revoke(Revocation(readmitted=frozenset({site})))
        except (CertError, OSError) as error:  # The claim is spent: its certificate goes out.
            self._tell(
                "error", "not-readmitted", claim, f"Was {site} revoked, it stays so: {error}"
            )

    def _revoke(self, revocation: Revocation) -> None:
        """Here at once; elsewhere as soon as that can be."""
        self._revocations.apply(revocation)
        if self._kept is not None:
            self._kept.revoked(revocation)

    def _tell_once(self, severity: Severity, code: str, subject: str, message: str) -> None:
        if message != self._told:
            self._told = message
            self._tell(severity, code, subject, message)


def _cost(token: Token, spec: LinkSpec) -> int:
    """What the operator here says counts, then what the token says."""
    return spec.cost if spec.cost is not None else token.cost or 1
