"""The configuration of an outgoing link."""

from collections.abc import Callable

import msgspec

from router.link.sessions.race import Endpoint
from router.model import limits
from router.model.ids import SiteId
from router.model.rights.sharing import FREE, Terms
from router.net.ports import Proxy, Tls


class OutgoingSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A link to dial. ``endpoints`` (host, port) race, the first with a small head start.

    ``tls`` may be a function: it is called at each dial, so that renewed credentials count from
    then on. ``expected_site``: the only site that may answer; None: any site that TLS admits.
    ``retry_after_error_s`` is the pause after a refusal or a broken protocol. ``is_sibling``: to
    another router of our own site, at no cost. ``via``: the proxy that every dial goes through.
    ``terms``: the terms on which the other end lets us in, as our certificate says; for display.
    ``expected_name``: the token's name for ``expected_site``, until that site sends its name.
    """

    endpoints: tuple[Endpoint, ...]
    tls: Tls | Callable[[], Tls]
    cost: int = 1
    expected_site: SiteId | None = None
    expected_name: str = ""
    retry_after_error_s: float = limits.RECONNECT_MAX_S
    is_sibling: bool = False
    via: Proxy | None = None
    terms: Terms = FREE

    def needs_reconnect(self, newer: "OutgoingSpec") -> bool:
        """Whether ``newer`` leads elsewhere. A new cost or credential, a proxy's too, does not."""
        return self._way() != newer._way()

    def _way(self) -> tuple[object, ...]:
        return self.endpoints, self.expected_site, "" if self.via is None else str(self.via)
