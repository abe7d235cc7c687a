"""The links of the wanted state: which are dialed, and which wait for a certificate."""

from collections.abc import Mapping
from typing import Final

import msgspec

from router.documents import Wanted
from router.link.fault import Fault
from router.link.links import Links
from router.link.sessions.outgoing_spec import OutgoingSpec
from router.model.addresses import split
from router.model.ids import SiteId
from router.trust.ports import Credentials, PendingLink

_DISABLED: Final = Fault("removed", "the link was disabled")
_ANOTHER_TOKEN: Final = Fault("changed", "the link has another token")
_NO_TOKEN: Final = Fault("removed", "the link has no token that can be used")


class WantedLinks:
    """Gives ``links`` the specs to dial, including links to replicas of this site."""

    __slots__ = ("_credentials", "_is_edge", "_links", "_site", "pending")

    def __init__(
        self, links: Links, credentials: Credentials, site: SiteId, *, is_edge: bool
    ) -> None:
        self._links, self._credentials = links, credentials
        self._site, self._is_edge = site, is_edge
        self.pending: Mapping[str, PendingLink] = {}
        """Links that cannot be dialed yet, and why."""

    def differ(self, before: Wanted, wanted: Wanted) -> bool:
        """Whether `refresh` would do anything; it costs some 3 ms a link."""
        return (
            (before.links, before.siblings) != (wanted.links, wanted.siblings)
            or before.site.link_proxy != wanted.site.link_proxy
            or bool(self.pending)
        )

    def refresh(self, wanted: Wanted) -> None:
        """Dial the wanted links that have a credential; called again when a claim was redeemed."""
        ready: dict[str, OutgoingSpec] = {}
        pending: dict[str, PendingLink] = {}
        kept: dict[str, Fault] = {}
        for name, spec in wanted.links.items():
            if spec.disabled:
                kept[name] = _DISABLED
                continue
            if not spec.proxy:
                spec = msgspec.structs.replace(spec, proxy=wanted.site.link_proxy)
            outgoing = self._credentials.outgoing(name, spec)
            if isinstance(outgoing, PendingLink):
                pending[name] = outgoing
                has_token = bool(outgoing.site_id) or outgoing.state == "connecting"
                kept[name] = _ANOTHER_TOKEN if has_token else _NO_TOKEN
            else:
                ready[name] = outgoing
        self.pending = pending
        self._credentials.forget_links(frozenset(pending) | ready.keys())
        if not self._is_edge:
            for address in wanted.siblings:
                ready[f"router {address}"] = self._to_sibling(address)  # No link has such a name.
        self._links.set_links(ready, kept)

    def give_up(self, error: str, now: float) -> None:
        """Dial nothing any more: this router is a copy. Its links stay shown, with ``error``."""
        given_up = {
            line.name: PendingLink(
                state="refused",
                error=error,
                error_code="copy",
                site_name=line.neighbour_name,
                site_id=line.neighbour_site,
                cost=line.cost,
                since=now,
                via=line.via,
            )
            for line in self._links.status()
            if line.direction == "outgoing"
        }
        self.pending = {**self.pending, **given_up}
        self._links.set_links({})
        self._links.close()

    def _to_sibling(self, address: str) -> OutgoingSpec:
        return OutgoingSpec(
            endpoints=(split(address),),
            tls=self._credentials.sibling_tls,
            expected_site=self._site,
            is_sibling=True,
        )
