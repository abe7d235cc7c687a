"""OPENs that end here: judged, turned into requests, and remembered."""

from collections.abc import Collection, Mapping

from router.balance.targets.sessions import SESSION_KEY_MAX
from router.exchange.active_exchanges import ActiveExchanges
from router.exchange.sites.egress import UNTOLD, EgressExchange
from router.exchange.sites.upgrades import upgrade_of
from router.exchange.upload import LENGTH_NOT_KNOWN
from router.http.http1.bytes_cache import BytesCache
from router.http.http1.canonical import check_request_head
from router.http.http1.render import with_via
from router.link.ports import BroughtRequest, OfferedStream, OpenRequest
from router.model.addresses import ADDRESS_CHARS_MAX, same_text
from router.model.ids import ServiceKey, SiteId
from router.model.requests import Request
from router.model.specs import ServiceProtocol
from router.service.pressure import Pressure
from router.service.service import Service

RELAYED = ("tcp", "http", "http2")
"""Protocols of streams."""


def request_of(
    offer: OpenRequest, service: Service, vias: Mapping[ServiceProtocol, bytes]
) -> Request | None:
    """The request that ``offer`` carries, checked: a neighbor is not trusted. None: not canonical.

    ``vias``: this hop's addition to its Via.
    """
    session = offer.session & SESSION_KEY_MAX
    if offer.protocol == "tcp":
        return Request(
            key=service.key,
            protocol="tcp",
            body_bytes=LENGTH_NOT_KNOWN,
            client=offer.client,
            local=offer.local if len(offer.local) > ADDRESS_CHARS_MAX else same_text(offer.local),
            session=session,
        )
    line = check_request_head(offer.head)
    upgrade = upgrade_of(offer) if offer.protocol == "http" else ""
    # With an upgrade no length is written: a body would become further requests at the target.
    if (
        upgrade is None
        or line is None
        or offer.body_bytes < LENGTH_NOT_KNOWN
        or (upgrade and offer.body_bytes)
    ):
        return None
    return Request(
        key=service.key,
        protocol=offer.protocol,
        head=with_via(offer.head, vias[offer.protocol]),
        body_bytes=offer.body_bytes,
        idempotent=line.idempotent,
        head_only=line.head_only,
        upgrade=upgrade,
        session=session,
    )


class Offer:
    """The request of one OPEN, judged: an OPEN of the very same bytes asks for the same.

    Conditions that may change are checked again each time. Implements `KnownOffer`.
    """

    __slots__ = (
        "_brought_by",
        "_exchanges",
        "_ingress",
        "_is_for_siblings",
        "_request",
        "_service",
        "_wait_ms",
    )

    def __init__(
        self,
        request: Request,
        service: Service,
        exchanges: ActiveExchanges,
        ingress: SiteId,
        wait_ms: int,
        brought_by: SiteId,
    ) -> None:
        self._brought_by = brought_by
        self._request = request
        self._service = service
        self._exchanges = exchanges
        self._ingress = ingress
        self._wait_ms = wait_ms
        # Only routers of this site, or those on the way to one, may bring its streams, and only
        # they name the neighbor that brought one.
        self._is_for_siblings = brought_by != UNTOLD or ingress == service.site

    def take(self, stream: OfferedStream) -> bool:
        """Serve the stream. False: it must be judged again. A removed service has no targets."""
        service, request, exchanges = self._service, self._request, self._exchanges
        if (
            not service.own_targets.are_there
            or service.protocol != request.protocol
            or exchanges.is_draining
            or service.pressure.is_refusing
            or (self._is_for_siblings and stream.neighbour_site != service.site)
        ):
            return False
        EgressExchange(
            stream, request, service, exchanges, self._ingress, self._wait_ms, self._brought_by
        )
        return True


class Offers:
    """``known`` has the `Offer` of an OPEN's bytes, if it is remembered."""

    __slots__ = (
        "_declared",
        "_exchanges",
        "_known",
        "_pressure",
        "_services",
        "_vias",
        "known",
    )

    def __init__(
        self,
        services: Mapping[ServiceKey, Service],
        declared: Collection[ServiceKey],
        exchanges: ActiveExchanges,
        pressure: Pressure,
        site_name: str,
    ) -> None:
        """``declared``: those of ``services`` that some site declares; both are live."""
        self._services = services
        name = site_name.encode("ascii")
        self._vias: dict[ServiceProtocol, bytes] = {"http": b"1.1 " + name, "http2": b"2.0 " + name}
        self._declared = declared
        self._exchanges = exchanges
        self._pressure = pressure
        self._known: BytesCache[Offer] = BytesCache()
        self.known = self._known.known

    def __len__(self) -> int:
        return len(self._known)

    def forget(self) -> None:
        """Forget all of them."""
        self._known.forget()

    def take(self, stream: OfferedStream, offer: OpenRequest, body: bytes = b"") -> None:
        """See `LinkOwner.stream_offered`."""
        service = self._services.get(ServiceKey(offer.service, offer.port))
        if service is None or not service.own_targets.are_there:
            stream.refuse("no-target", 0)
            return
        if self._exchanges.is_draining:
            stream.refuse("draining", service.ledger.load)
            return
        if self._pressure.is_refusing:
            self._pressure.refused_total += 1
            stream.refuse("busy", service.ledger.load)
            return
        if offer.protocol != service.protocol and (
            service.key in self._declared or offer.protocol not in RELAYED
        ):
            stream.refuse("not-allowed", service.ledger.load)
            return
        request = request_of(offer, service, self._vias)
        if request is None:
            service.refused_messages.note(
                "request-refused-here", service.key, stream.neighbour_site, offer.ingress
            )
            stream.refuse("bad-head", service.ledger.load)
            return
        exchanges = self._exchanges
        brought_by = offer.brought_by if type(offer) is BroughtRequest else UNTOLD
        if body and offer.protocol != "tcp" and self._known.is_wanted(body):
            judged = Offer(request, service, exchanges, offer.ingress, offer.wait_ms, brought_by)
            self._known.keep(body, judged)
        EgressExchange(
            stream, request, service, exchanges, offer.ingress, offer.wait_ms, brought_by
        )
