"""Listeners for links: the one port between sites, and a door for workers of this router."""

import errno
from collections.abc import Callable

from router.link.links import Links
from router.link.sessions.claims import CLAIM_ALPN, ClaimDoor, ClaimJudge
from router.model import limits
from router.model.addresses import join
from router.model.events import Tell
from router.model.specs import SiteSpec
from router.net.ports import Address, Connection, ConnectionHandler, Listener, Network, Timer, Tls
from router.trust.ports import Credentials

INNER_HOST = "127.0.0.1"
"""Workers of one router link to each other within the host, with the site's own certificates."""


def place_of(site: SiteSpec) -> tuple[str, str, int]:
    """The listening address of a site; when it changes, the listener opens again."""
    return (site.ingress, site.ingress_bind_ip, site.bind_port)


class LinkDoor:
    """Listens for links and claims, distinguished by ALPN; retries each second while the port is
    taken."""

    def __init__(
        self,
        network: Network,
        links: Links,
        credentials: Credentials,
        claims: ClaimJudge | None,
        failed: Callable[[str], None],
    ) -> None:
        """``claims`` None: accept links only. ``failed`` is called with each new reason why links
        cannot be accepted."""
        self._network = network
        self._links = links
        self._credentials = credentials
        self._claim_door = ClaimDoor(network, claims) if claims is not None else None
        self._failed = failed
        self._listener: Listener | None = None
        self._retry: Timer | None = None
        self.error = ""
        self.is_taken = False  # By another socket of this host, perhaps only for a moment.

    def open(self, site: SiteSpec) -> None:
        """Listen at the address of ``site`` with the present certificate; nowhere if the site is
        private."""
        if site.ingress == "none":
            self.close()
            self.error, self.is_taken = "", False
            return
        self.open_at(site.ingress_bind_ip, site.bind_port)

    def open_at(self, host: str, port: int) -> None:
        """Listen at that address, with the present certificate."""
        self.close()
        tls = self._credentials.listener_tls()
        try:
            self._listener = self._network.listen(
                host, port, self._accepting(tls), tls=tls, essential=True
            )
        except OSError as cause:
            self.is_taken = cause.errno == errno.EADDRINUSE
            error = f"cannot accept links on {host}:{port}: {cause.strerror}"
            if error != self.error:
                self.error = error
                self._failed(error)
            again = self._network.now() + limits.LISTEN_RETRY_S
            self._retry = self._network.call_at(again, lambda: self.open_at(host, port))
        else:
            self.error, self.is_taken = "", False

    def renew(self) -> None:
        """Show the present certificate and use the present CAs, without losing any connection."""
        if self._listener is not None:
            tls = self._credentials.listener_tls()
            self._listener.set_tls(tls, self._accepting(tls))

    def _accepting(self, tls: Tls) -> Callable[[Connection], ConnectionHandler | None]:
        """The callback for connections that were shown the certificate of ``tls``."""
        accept_link = self._links.acceptor(lambda: tls.certificate)

        def accept(connection: Connection) -> ConnectionHandler | None:
            if connection.alpn == CLAIM_ALPN:
                desk = self._claim_door
                return desk.accept(connection) if desk is not None else None
            return accept_link(connection)

        return accept

    @property
    def address(self) -> Address | None:
        """The address that accepts links; None: none does."""
        return self._listener.address if self._listener is not None else None

    def close(self) -> None:
        """Accept nothing more; accepted links stay."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None


class LinkDoors:
    """The door for other sites, at the address in wanted state, and the inner door.

    ``has_inner``: other workers of this router dial it.
    """

    def __init__(
        self,
        network: Network,
        links: Links,
        credentials: Credentials,
        claims: ClaimJudge,
        tell: Tell,
        *,
        is_edge: bool,
        has_inner: bool,
    ) -> None:
        """``is_edge``: it accepts no links from other sites."""
        self._tell, self._has_inner = tell, has_inner
        self._door = LinkDoor(network, links, credentials, claims, self._taken)
        self._inner_door = LinkDoor(network, links, credentials, None, self._taken)
        self._site: SiteSpec | None = None
        self._is_shut = is_edge

    def apply(self, site: SiteSpec) -> None:
        """Listen at the address of ``site``; do nothing if that is unchanged."""
        before, self._site = self._site, site
        if before is None or place_of(before) != place_of(site):
            self.open()
        if before is None and self._has_inner:
            self._inner_door.open_at(INNER_HOST, 0)

    def open(self) -> None:
        """Listen for links and claims of other sites, again if needed; not once they are shut
        out."""
        if self._site is not None and not self._is_shut:
            self._door.open(self._site)

    def renew(self) -> None:
        """Our certificate changed, or the CAs that we trust."""
        self._door.renew()
        self._inner_door.renew()

    def shut_out(self) -> None:
        """Accept no more connections from other sites; accepted links stay."""
        self._is_shut = True
        self._door.close()

    def close(self) -> None:
        """Accept nothing more; accepted links stay."""
        self.shut_out()
        self._inner_door.close()

    @property
    def address(self) -> Address | None:
        """The address that accepts links of other sites; None: none does."""
        return self._door.address

    @property
    def inner_address(self) -> str:
        """Where other workers of this router dial it, ``HOST:PORT``; empty: nowhere."""
        address = self._inner_door.address
        return join(address.host, address.port) if address is not None else ""

    @property
    def error(self) -> str:
        """Why links of other sites cannot be accepted; empty: they can, or are not wanted."""
        return self._door.error

    @property
    def port_is_taken(self) -> bool:
        """Whether another socket of this host has the port of `error`."""
        return self._door.is_taken

    def _taken(self, error: str) -> None:
        self._tell("error", "link-port-taken", "links", error)
