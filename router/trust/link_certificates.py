"""Credentials of dialed links: the certificate of each, redeemed, renewed, and shown."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from certs import certificates
from certs.ca import terms
from certs.errors import CertError
from certs.identity import SiteIdentity
from certs.links.credentials import Credential, LinkStore, StoredLink
from certs.tls.contexts import LINK_ALPN, WORKER_ALPN, client_context
from certs.token_files.tokens import Token
from router.link.links import Links
from router.link.sessions.outgoing_spec import OutgoingSpec
from router.model.events import Problem, Tell
from router.model.ids import SiteId
from router.model.rights.sharing import FREE, Terms
from router.model.specs import LinkSpec
from router.model.wording.system_errors import text_of
from router.net.ports import FarNetwork, Proxy, Tls
from router.trust.certificate_renewal import Renewer
from router.trust.claim_redemption import Redeemer
from router.trust.clock import out_of_time_now
from router.trust.link_proxies import Proxies
from router.trust.ports import PendingLink, PrimarySecrets


class LinkCredentials:
    """The credentials of all links that this site dials, by name."""

    __slots__ = (
        "_damaged",
        "_expiries",
        "_identity",
        "_leads",
        "_links",
        "_network",
        "_offered",
        "_primary",
        "_proxies",
        "_redeemer",
        "_renewer",
        "_stamps",
        "_tell",
    )

    def __init__(
        self,
        secrets: Path,
        identity: SiteIdentity,
        tell: Tell,
        primary: PrimarySecrets | None,
        *,
        leads: bool = True,
    ) -> None:
        """``leads``: this process redeems claims and renews certificates; otherwise another process
        of this router does, and this one reads its files."""
        self._leads = leads
        self._offered = (LINK_ALPN,) if leads else (LINK_ALPN, WORKER_ALPN)
        self._stamps: dict[str, int] = {}  # Of the links' files, if another process writes.
        self._identity, self._tell, self._primary = identity, tell, primary
        self._links = LinkStore(secrets / "links")
        self._proxies = Proxies(secrets, self._links)
        self._network: FarNetwork | None = None
        self._redeemer: Redeemer | None = None
        self._renewer: Renewer | None = None
        self._damaged: set[str] = set()  # Links reported with a damaged certificate.
        self._expiries: dict[str, float] = {}  # Of the certificates in use, Unix seconds.

    def start(self, network: FarNetwork, name: str, changed: Callable[[], None]) -> None:
        """Redeem and renew from now on, as the site ``name``; ``changed``: a link has a new
        certificate, or another reason to wait for it."""
        primary = self._primary

        def redeemed() -> None:
            if primary is not None:
                primary.poke()
            changed()

        site = self._identity
        self._network = network
        self._redeemer = Redeemer(network, self._links, site.site_id, name, self._tell, redeemed)
        self._renewer = Renewer(
            network, self._links, site, random.SystemRandom(), self._tell, redeemed
        )

    def renew_over(self, links: Links) -> None:
        """After `start`: request certificates over ``links``."""
        assert self._renewer is not None
        if not self._leads:
            return
        self._renewer.use(links.renewals, links.outgoing_status)
        links.renewals.follow_renewals(self._renewer.due)
        links.follow_dialed(self._renewer.link_changed)

    def renew(self, name: str) -> bool:
        """Request a new certificate for link ``name`` at once. False: it has none yet.

        Raises `OSError` if the next one could not be written.
        """
        return self._renewer is not None and self._renewer.renew_now(name)

    def start_again(self) -> None:
        """Start all requests again: the clock was set, or the host slept."""
        assert self._redeemer is not None and self._renewer is not None
        self._redeemer.start_again()
        self._renewer.look_again()

    def files_have_changed(self) -> bool:
        """Whether a file used for links has changed: of proxies, and of certificates from another
        process. True only once per change."""
        before = self._stamps
        self._stamps = {name: self._links.stamp(name) for name in before}
        return self._proxies.have_changed() or self._stamps != before

    @property
    def expiries(self) -> dict[str, float]:
        """Unix seconds at which certificates in use end, by link."""
        return self._expiries

    def problems(self) -> tuple[Problem, ...]:
        """Certificates that are long due for renewal."""
        return self._renewer.problems() if self._renewer is not None else ()

    def outgoing(self, name: str, spec: LinkSpec) -> OutgoingSpec | PendingLink:
        """The parameters for dialing, once there is a certificate; until then this redeems the
        claim.
        """
        assert self._network is not None and self._redeemer is not None
        self._expiries.pop(name, None)
        hindrance = None if self._primary is None else self._primary.hindrance(name)
        if hindrance is not None:
            return self._pending(hindrance.state, hindrance.error, spec, hindrance.error_code)
        if not self._leads:
            self._stamps[name] = self._links.stamp(name)
        try:
            stored = self._links.load(name)
            via = self._proxies.via(name, spec.proxy, (host for host, _ in stored.token.endpoints))
            dial = None
            if stored.credential is not None:
                self._redeemer.stop(name)
                dial = self._dial(name, stored.token, stored.credential, spec, via)
            assert self._renewer is not None
            if self._leads and (stored.credential is not None or stored.damage):
                self._renewer.follow(name, stored.token, stored.credential, via)
            if not stored.damage:
                self._damaged.discard(name)
            elif name not in self._damaged and self._leads:
                self._damaged.add(name)
                self._get_another(name, stored)
            if dial is not None:
                return dial
            if stored.damage:
                return self._pending("refused", f"{stored.damage}; another is asked for", spec)
        except (CertError, OSError) as error:  # Only this link fails: the others are dialed.
            return self._pending("refused", text_of(error), spec)
        if not self._leads:
            return self._pending("connecting", "the first worker redeems its claim", spec)
        redemption = self._redeemer.redeem(name, stored.token, via)
        return PendingLink(
            state="refused" if redemption.final or redemption.error_code else "connecting",
            error=redemption.error,
            error_code=redemption.error_code,
            site_name=stored.token.site_name,
            site_id=stored.token.site_id,
            cost=_cost(stored.token, spec),
            since=redemption.since,
            via="" if via is None else str(via),
        )

    def _get_another(self, name: str, stored: StoredLink) -> None:
        """Replace the link's damaged renewed certificate: use the previous one, if any, and
        renew."""
        assert self._renewer is not None
        instead = "the one before it is used" if stored.credential else "there is no other one"
        if stored.credential is not None:
            try:
                self._links.set_aside(name)
            except OSError as error:
                instead += f" (and it cannot be set aside: {error.strerror})"
        self._tell(
            "warning",
            "certificate-damaged",
            name,
            f"The renewed certificate of link {name} cannot be used: {stored.damage}. So {instead} "
            "until another one is here, which is asked for now.",
            "Look at the disk: a write that is whole or not at all was cut short",
        )
        self._renewer.due(name)

    def _pending(
        self,
        state: Literal["connecting", "refused"],
        error: str,
        spec: LinkSpec,
        error_code: Literal["", "token"] = "",
    ) -> PendingLink:
        """The state of a link whose token is unknown."""
        assert self._network is not None
        return PendingLink(
            state=state,
            error=error,
            error_code=error_code,
            site_name="",
            site_id="",
            cost=spec.cost or 1,
            since=self._network.now(),
        )

    def _dial(
        self, name: str, token: Token, credential: Credential, spec: LinkSpec, via: Proxy | None
    ) -> OutgoingSpec:
        leaf = credential.leaf
        tls = Tls(
            context=client_context(leaf, credential.ca_pem, *self._offered),
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
            expected_name=token.site_name,
            via=via,
            terms=_held(leaf.chain_pem),
        )

    def is_renewal_due(self, name: str) -> bool:
        """See `Renewer.is_due`."""
        return self._renewer is not None and self._renewer.is_due(name)

    def forget(self, keep: frozenset[str]) -> None:
        """For links that are no longer wanted: redeem nothing, show nothing."""
        assert self._redeemer is not None and self._renewer is not None
        self._redeemer.stop_all_but(keep)
        self._renewer.forget(keep)
        self._damaged &= keep
        self._proxies.forget(keep)
        for name in self._expiries.keys() - keep:
            del self._expiries[name]
        self._stamps = {name: stamp for name, stamp in self._stamps.items() if name in keep}


def _held(chain_pem: str) -> Terms:
    """The terms in our certificate. Unreadable ones are left to the other end, which refuses
    them."""
    try:
        found = terms.of_certificate(chain_pem)
    except CertError:
        return FREE
    return FREE if found.are_unrestricted else Terms(found.declare, found.export, found.import_)


def _cost(token: Token, spec: LinkSpec) -> int:
    """The document's cost counts, then the token's."""
    return spec.cost if spec.cost is not None else token.cost or 1
