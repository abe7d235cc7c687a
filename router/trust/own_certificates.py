"""Our own certificates: the one of the link port, and the one with which replicas dial each
other."""

import time
from collections.abc import Callable
from pathlib import Path

from certs import certificates, keys
from certs import limits as certs_limits
from certs.ca.authority import Authority, Leaf, ensure_leaf, is_fresh
from certs.errors import CertError
from certs.tls.contexts import CLAIM_ALPN, LINK_ALPN, client_context, server_context
from router.model.events import Problem, Tell
from router.model.wording.system_errors import text_of
from router.net.ports import Network, Tls
from router.trust.clock import out_of_time_now

RENEWAL_CHECK_S, RENEWAL_RETRY_S = 3600.0, 60.0


class OwnCertificates:
    """Owns both, and renews them in time."""

    __slots__ = (
        "_authority",
        "_leads",
        "_leaf",
        "_network",
        "_not_renewed",
        "_renewed",
        "_secrets",
        "_sibling",
        "_site",
        "_tell",
    )

    def __init__(
        self,
        secrets: Path,
        site: str,
        authority: Callable[[], Authority],
        tell: Tell,
        *,
        leads: bool = True,
    ) -> None:
        """``authority`` issues now. ``leads``: this process alone writes the link port's
        certificate to its file; other processes generate their own. Raises CertError, naming the
        file."""
        self._leads = leads
        self._secrets, self._site = secrets, site
        self._authority, self._tell = authority, tell
        self._network: Network | None = None
        self._renewed: Callable[[], None] = lambda: None
        self._not_renewed = ""  # Why renewal failed.
        self._leaf = self._first()
        self._sibling = self._new_sibling()  # Never written to disk.

    def start(self, network: Network, renewed: Callable[[], None]) -> None:
        """Renew from now on; ``renewed`` is called when `listener_tls` changes."""
        self._network, self._renewed = network, renewed
        network.call_at(network.now() + RENEWAL_CHECK_S, self._look)

    @property
    def expires_at(self) -> float:
        """Unix seconds at which the link port's certificate ends."""
        return certificates.expires_at(self._leaf.chain_pem)

    def listener_tls(self) -> Tls:
        """For the link port: claims need no client certificate, links do."""
        return Tls(
            context=server_context(self._leaf, self._authority().trusted_pem),
            certificate=certificates.to_der(self._leaf.chain_pem),
            alpn=(LINK_ALPN, CLAIM_ALPN),
            alpn_with_certificate=(LINK_ALPN,),
            tells_time=out_of_time_now,
        )

    def sibling_tls(self) -> Tls:
        """Both ends use our own CA: a peer with this site's name in its certificate is one of our
        routers.
        """
        leaf = self._sibling
        return Tls(
            context=client_context(leaf, self._authority().trusted_pem),
            certificate=certificates.to_der(leaf.chain_pem),
            alpn=(LINK_ALPN,),
            tells_time=out_of_time_now,
        )

    def renew(self) -> None:
        """Renew all certificates that are due."""
        before = self._leaf
        try:
            if self._leads:
                self._leaf = ensure_leaf(self._secrets, self._authority(), self._site, time.time())
            elif not is_fresh(self._leaf.chain_pem, time.time()):
                self._leaf = self._unkept()
            if not is_fresh(self._sibling.chain_pem, time.time()):
                self._sibling = self._new_sibling()
        except (CertError, OSError) as error:
            if not self._not_renewed:
                self._tell("error", "leaf-not-renewed", "leaf", text_of(error))
            self._not_renewed = text_of(error)
            return
        self._not_renewed = ""
        if self._leaf != before:
            self._renewed()

    def certify_anew(self) -> None:
        """Issue both again: another CA issues, or another one is trusted."""
        self._sibling = self._new_sibling()
        before = self._leaf
        if not self._leads:
            self._leaf = self._unkept()
        self.renew()
        if self._leaf == before or not self._leads:
            self._renewed()  # The same leaf, but other CAs are trusted now.

    def problems(self) -> list[Problem]:
        """A problem if renewal failed."""
        if not self._not_renewed:
            return []
        message = f"The certificate that links see here was not renewed: {self._not_renewed}."
        hint = "Free space on that disk and look at its permissions; it is tried every minute"
        return [Problem(code="SW0664", message=message, hint=hint)]

    def _look(self) -> None:
        assert self._network is not None
        try:
            self.renew()
        finally:
            pause_s = RENEWAL_RETRY_S if self._not_renewed else RENEWAL_CHECK_S
            self._network.call_at(self._network.now() + pause_s, self._look)

    def _first(self) -> Leaf:
        """The stored certificate; or an unstored one, if the disk takes nothing."""
        if not self._leads:
            return self._unkept()
        try:
            return ensure_leaf(self._secrets, self._authority(), self._site, time.time())
        except OSError as error:
            self._not_renewed = text_of(error)
        return self._unkept()

    def _unkept(self) -> Leaf:
        now, authority = time.time(), self._authority()
        if authority.trouble(now):
            now = authority.begins_at + certs_limits.BACKDATE_S
        return authority.issue_server_leaf(self._site, now)

    def _new_sibling(self) -> Leaf:
        key, authority = keys.generate(), self._authority()
        now = time.time()
        if authority.trouble(now):  # Valid for as long as the CA: see `ensure_leaf`.
            now = authority.begins_at + certs_limits.BACKDATE_S
        chain = authority.issue_client_leaf(key.public_key(), self._site, now, site_id=self._site)
        return Leaf(key_pem=keys.to_pem(key), chain_pem=chain)
