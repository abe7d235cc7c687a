"""Who we are and whom we believe: `certs` on disk, as the rooms of the router need it.

Redeems the claims of links that have no certificate yet, answers claims of others, judges peers,
and drops sessions of those who were revoked.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from certs import certificates, redeem, tokens
from certs.authority import Authority, ensure_leaf
from certs.claims import GrantStore
from certs.contexts import CLAIM_ALPN, LINK_ALPN, client_context, server_context
from certs.credentials import LinkStore
from certs.errors import CertError
from certs.identity import SiteIdentity, site_id_of, verify
from certs.redeem import ClaimDesk
from certs.revocation import Revocations
from certs.tokens import Token
from router.link.claims import ClaimCall, ClaimClient
from router.link.outgoing import OutgoingSpec
from router.link.ports import Neighbour
from router.main.ports import Journal, PendingLink
from router.model import limits
from router.model.errors import HandshakeRejected
from router.model.events import Event, Severity
from router.model.ids import RouterId, SiteId
from router.model.specs import LinkSpec
from router.net.ports import Network, Timer, Tls

RENEWAL_CHECK_S = 3600.0


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


class _Redemption:
    """A claim under way: one endpoint after the other, with growing pauses."""

    __slots__ = ("attempts", "call", "error", "final", "since", "timer", "token")

    def __init__(self, token: Token, now: float) -> None:
        self.token = token
        self.since = now  # When it began or, once final, ended.
        self.attempts = 0
        self.call: ClaimCall | None = None
        self.error = ""
        self.final = False
        self.timer: Timer | None = None


class SiteTrust:
    """The secrets of one site directory. Implements `main.ports.Credentials`."""

    def __init__(self, directory: Path, journal: Journal) -> None:
        """Raises CertError, naming the file and the next step."""
        secrets = directory / "secrets"
        self._secrets = secrets
        self._journal = journal
        self._identity = SiteIdentity.load(secrets)
        self._authority = Authority.load(secrets)
        self._leaf = ensure_leaf(secrets, self._authority, self._identity.site_id, time.time())
        self._links = LinkStore(secrets / "links")
        self._revocations = Revocations(secrets)
        self._desk = ClaimDesk(GrantStore(secrets / "grants", self._authority))
        self._redemptions: dict[str, _Redemption] = {}
        self._network: Network | None = None
        self._changed: Callable[[], None] = lambda: None
        self._leaf_renewed: Callable[[], None] = lambda: None
        self._drop: Callable[[Callable[[Neighbour], bool], str], int] | None = None
        self._name = ""
        self._told = ""
        self._serials: dict[SiteId, str] = {}  # Of certificates bound to one site.

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
    ) -> None:
        """Begin to redeem claims, to watch revocations and to renew our own leaf.

        ``changed`` is called when a link got its certificate or another reason to wait for it,
        ``leaf_renewed`` when `listener_tls` gives a new one; ``drop`` ends the sessions of the
        neighbours that a predicate names, with a reason.
        """
        self._network, self._changed, self._drop = network, changed, drop
        self._leaf_renewed = leaf_renewed
        self._watch()
        network.call_at(network.now() + RENEWAL_CHECK_S, self._renew_leaf)

    def _watch(self) -> None:
        assert self._network is not None
        self.reload()
        self._network.call_at(self._network.now() + limits.CONFIG_POLL_S, self._watch)

    def _renew_leaf(self) -> None:
        assert self._network is not None
        self._network.call_at(self._network.now() + RENEWAL_CHECK_S, self._renew_leaf)
        before = self._leaf
        try:
            self._leaf = ensure_leaf(
                self._secrets, self._authority, self._identity.site_id, time.time()
            )
        except (CertError, OSError) as error:
            self._tell("error", "leaf-not-renewed", "leaf", str(error))
            return
        if self._leaf != before:
            self._leaf_renewed()

    def reload(self) -> None:
        """Take up revocations that another process wrote; their sessions end in this turn."""
        try:
            changed = self._revocations.refresh()
        except CertError as error:  # Nobody is let in until it is mended; who is in stays.
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
        self._revocations.add(serials=(serial,) if serial else (), sites=(site,))
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
        )

    def outgoing(self, name: str, spec: LinkSpec) -> OutgoingSpec | PendingLink:
        """How to dial, once there is a certificate; starts to redeem the claim until then."""
        assert self._network is not None
        now = self._network.now()
        try:
            stored = self._links.load(name)
        except CertError as error:
            return PendingLink(
                state="refused",
                error=str(error),
                site_name="",
                site_id="",
                cost=spec.cost or 1,
                since=now,
            )
        token = stored.token
        cost = spec.cost if spec.cost is not None else token.cost or 1
        if stored.credential is None:
            redemption = self._redemptions.get(name)
            if redemption is None or redemption.token != token:
                redemption = self._redemptions[name] = _Redemption(token, now)
                self._again(name, redemption)
            return PendingLink(
                state="refused" if redemption.final else "connecting",
                error=redemption.error,
                site_name=token.site_name,
                site_id=token.site_id,
                cost=cost,
                since=redemption.since,
            )
        leaf = stored.credential.leaf
        return OutgoingSpec(
            endpoints=tuple(token.endpoints),
            cost=cost,
            tls=Tls(
                context=client_context(leaf, stored.credential.ca_pem),
                certificate=certificates.to_der(leaf.chain_pem),
                alpn=(LINK_ALPN,),
            ),
            expected_site=SiteId(token.site_id),
        )

    def admit(self, peer_certificate: bytes, neighbour: Neighbour) -> HandshakeRejected | None:
        """None unless revoked, or the certificate names another site than the peer proved."""
        serial = certificates.serial_of(peer_certificate)
        try:
            revoked = self._revocations.is_revoked(serial, neighbour.site)
        except CertError as error:
            return HandshakeRejected("revocations-damaged", f"{self._name} admits nobody: {error}")
        if revoked:
            return HandshakeRejected(
                "revoked",
                f"{self._name} has revoked the access of {neighbour.name}",
                f"On {self._name} run: sitectl token create FILE",
            )
        named = certificates.site_in_certificate(peer_certificate)
        if named is not None and named != neighbour.site:
            return HandshakeRejected(
                "wrong-site",
                f"the certificate shown by {neighbour.name} is that of another site, {named}",
                "Link again with a token of the site that you mean",
            )
        if named is not None:
            self._serials[neighbour.site] = serial
        return None

    def certificate_expiries(self) -> dict[str, float]:
        """Unix seconds at which our certificates end: by ``leaf``, ``ca`` and ``link/NAME``."""
        expiries = {
            "leaf": certificates.expires_at(self._leaf.chain_pem),
            "ca": certificates.expires_at(self._authority.ca_pem),
        }
        for name in self._links.names():
            stored = self._links.load(name)
            if stored.credential is not None:
                chain = stored.credential.leaf.chain_pem
                expiries[f"link/{name}"] = certificates.expires_at(chain)
        return expiries

    # Claims of others -----------------------------------------------------------------------

    def answer(self, name: str, body: bytes, source: str) -> tuple[int, bytes]:
        """Judge a claim that somebody redeems here. Implements `link.claims.ClaimDesk`."""
        answer = self._desk.answer(name, body, source, time.time())
        if answer.outcome == "redeemed":
            self._revocations.readmit(answer.site_id)
            self._tell("info", "claim-redeemed", name, f"Claim {name} was redeemed from {source}.")
        elif answer.outcome != "repeated":
            self._tell(
                "warning",
                "claim-refused",
                name,
                f"A claim from {source} was refused: {answer.outcome}.",
                "Make a new one with: sitectl token create FILE",
            )
        return answer.status, answer.body

    # Our own claims -------------------------------------------------------------------------

    def _redeem(self, name: str, redemption: _Redemption) -> None:
        assert self._network is not None
        redemption.timer = None
        token = redemption.token
        try:
            tokens.check_usable(token, self._identity.site_id, time.time())
            key = self._links.redeeming_key(name)
            _, body = redeem.make_request(token, self._identity.site_id, self._name, key)
            context = client_context(None, token.ca_pem, CLAIM_ALPN)
        except (CertError, OSError) as error:
            self._redemption_failed(name, redemption, str(error), final=True)
            return
        endpoint = token.endpoints[redemption.attempts % len(token.endpoints)]
        redemption.attempts += 1
        redemption.call = ClaimClient(self._network).post(
            endpoint,
            Tls(context=context, certificate=b"", alpn=(CLAIM_ALPN,)),
            token.name,
            body,
            lambda status, answer: self._redeem_answered(name, key, redemption, status, answer),
            lambda reason: self._redeem_failed(name, redemption, reason),
        )

    def _redeem_failed(self, name: str, redemption: _Redemption, reason: str) -> None:
        site = redemption.token.site_name
        hint = f"Is the router of {site} running, and reachable there?"
        self._redemption_failed(name, redemption, f"{reason}. {hint}", final=False)
        self._again(name, redemption)

    def _redeem_answered(
        self, name: str, key: str, redemption: _Redemption, status: int, body: bytes
    ) -> None:
        token = redemption.token
        try:
            credential = redeem.read_answer(status, body, key, token)
            self._links.complete(name, credential)
        except (CertError, OSError) as error:
            final = isinstance(error, CertError) and not error.retryable
            self._redemption_failed(name, redemption, str(error), final=final)
            if not final:
                self._again(name, redemption)
            return
        del self._redemptions[name]
        self._tell("info", "claim-accepted", name, f"{token.site_name} accepted our claim.")
        self._changed()

    def _again(self, name: str, redemption: _Redemption) -> None:
        """At once the first time, then after growing pauses."""
        assert self._network is not None
        pause_s = 0.0
        if redemption.attempts:
            grown_s = limits.RECONNECT_MIN_S * 2 ** min(redemption.attempts, 10)
            pause_s = min(limits.RECONNECT_MAX_S, grown_s)

        def due() -> None:
            if self._redemptions.get(name) is redemption:
                self._redeem(name, redemption)

        redemption.timer = self._network.call_at(self._network.now() + pause_s, due)

    def _redemption_failed(
        self, name: str, redemption: _Redemption, error: str, *, final: bool
    ) -> None:
        assert self._network is not None
        told = (redemption.error, redemption.final)
        if error != redemption.error:
            self._tell("error" if final else "warning", "claim-failed", name, error)
        if final:
            redemption.since = self._network.now()
        redemption.error, redemption.final = error, final
        if told != (error, final):
            self._changed()  # `outgoing` says why now.

    def forget_links(self, keep: frozenset[str]) -> None:
        """Stop redeeming for links that are wanted no more."""
        for name in self._redemptions.keys() - keep:
            redemption = self._redemptions.pop(name)
            if redemption.timer is not None:
                redemption.timer.cancel()
            if redemption.call is not None:
                redemption.call.cancel()

    def _tell(
        self, severity: Severity, code: str, subject: str, message: str, hint: str = ""
    ) -> None:
        event = Event(
            at=_now(), severity=severity, code=code, subject=subject, message=message, hint=hint
        )
        self._journal(event)

    def _tell_once(self, severity: Severity, code: str, subject: str, message: str) -> None:
        if message != self._told:
            self._told = message
            self._tell(severity, code, subject, message)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
