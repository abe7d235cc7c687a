"""What a site lends of its slots to streams of neighbors, whatever these say of themselves."""

from router.balance.site.lending import BY_OTHER_ROUTERS
from router.link import control
from router.link.ports import BroughtRequest, OpenRequest
from router.model.capacity import LendingTerms, Rate
from router.model.ids import SiteId
from router.model.specs import ServiceSpec
from router.service.ports import TargetConfig
from tests.unit.exchange.fakes import (
    FakeMesh,
    FakeNetwork,
    FakeStream,
    FakeTarget,
    Party,
    Site,
    router_of,
    site_of,
)
from tests.unit.service.test_fair_lines import KEY, Opener

SLOTS = 10
OWN = site_of("b")


class Lender:
    """Site b with 10 slots, whose connections stay open."""

    def __init__(self, terms: LendingTerms | None) -> None:
        self.network = FakeNetwork()
        self.mesh = FakeMesh(self.network)
        self.site = Site(self.network, self.mesh, "b")
        self.target = FakeTarget(self.network, "10.0.0.1", 1, lambda party: None)
        self.forwarder = self.site.forwarder
        self.forwarder.set_service(KEY, ServiceSpec(ports=(8080,), protocol="tcp"))
        config = TargetConfig(connector="main", capacity=SLOTS)
        self.forwarder.set_targets(KEY, {str(self.target): config})
        self.forwarder.set_lending(KEY, terms)
        self.forwarder.set_listeners({KEY: ("127.0.0.1", 5432)})
        self.network.run()

    def open(
        self, link: str, ingress: str, brought_by: str | None = None, wait_ms: int = 0
    ) -> Opener:
        """A stream over the link to ``link`` that says where it came in, and who brought it."""
        near, handler = self.stream(link)
        request = OpenRequest(
            path=(router_of("b"),),
            service=KEY.name,
            port=KEY.port,
            protocol="tcp",
            ingress=SiteId(ingress),
            wait_ms=wait_ms,
        )
        if brought_by is not None:
            request = BroughtRequest(
                **{name: getattr(request, name) for name in request.__struct_fields__},
                brought_by=SiteId(brought_by),
            )
        self.take(near, request)
        return handler

    def stream(self, link: str) -> tuple[FakeStream, Opener]:
        handler = Opener()
        near = FakeStream(self.mesh, router_of("b"))
        far = FakeStream(self.mesh, router_of(link), SiteId(link))
        near.other, far.other = far, near
        near.handler = handler  # type: ignore[assignment]
        return near, handler

    def take(self, near: FakeStream, request: OpenRequest) -> None:
        assert near.other is not None
        self.forwarder.stream_offered(near.other, request)
        near.send(b"hello")
        self.network.run()

    def client(self) -> Party:
        party = self.site.connect("127.0.0.1", 5432)
        party.send(b"own")
        self.network.run()
        return party

    @property
    def lent(self) -> dict[SiteId, int]:
        figures = self.forwarder.readings.services_snapshot()[0].lending
        assert figures is not None
        return figures.borrowers

    @property
    def held(self) -> list[Party]:
        """At the target, of neighbors, the oldest first."""
        return [one for one in self.target.parties if one.got == b"hello" and one.is_open]

    @property
    def in_flight(self) -> int:
        return self.forwarder.readings.load_of(KEY).in_flight


def accepted(*openers: Opener) -> int:
    return sum(not one.refusals for one in openers)


def test_a_neighbor_holds_its_share_whatever_ingress_it_names() -> None:
    world = Lender(LendingTerms(max_share=0.4))
    openers = [world.open("liar", f"site-{number}") for number in range(SLOTS)]
    openers += [world.open("liar", "liar"), world.open("liar", OWN), world.open("liar", "honest")]
    assert accepted(*openers) == 4 and world.lent == {"liar": 4}
    assert {why for one in openers for why in one.refusals} == {"busy"}
    assert accepted(*[world.open("honest", "honest") for _ in range(SLOTS)]) == 4
    assert world.lent == {"liar": 4, "honest": 4}
    for _ in range(3):
        world.client()
    assert world.in_flight == SLOTS


def test_a_reserve_is_for_own_clients_and_other_routers_of_the_site() -> None:
    world = Lender(LendingTerms(reserve_for_own=0.3))
    assert accepted(*[world.open("far", "far") for _ in range(SLOTS)]) == 7
    assert accepted(world.open(OWN, OWN)) == 1, "a client of this site at another of its routers"
    assert accepted(world.open(OWN, "far", "near")) == 0
    for _ in range(2):
        world.client()
    assert world.in_flight == SLOTS and world.lent == {"far": 7}


def test_a_router_of_this_site_names_the_neighbor_that_brought_a_stream() -> None:
    world = Lender(LendingTerms(max_share=0.2))
    assert accepted(*[world.open(OWN, "x", "near") for _ in range(3)]) == 2
    assert accepted(*[world.open(OWN, "x", "next") for _ in range(3)]) == 2
    assert world.lent == {"near": 2, "next": 2}
    assert accepted(world.open("near", "x")) == 0, "over its own link it holds them too"


def test_streams_of_an_older_router_of_this_site_share_one_part() -> None:
    world = Lender(LendingTerms(max_share=0.2))
    assert accepted(*[world.open(OWN, f"x-{number}") for number in range(4)]) == 2
    assert world.lent == {BY_OTHER_ROUTERS: 2}


def test_who_waits_for_its_share_lets_others_pass() -> None:
    world = Lender(LendingTerms(max_share=0.1))
    first = world.open("near", "near")
    waits = world.open("near", "near", wait_ms=60_000)
    assert (first.refusals, waits.refusals) == ([], []) and world.lent == {"near": 1}
    assert accepted(world.open("next", "next")) == 1
    held = world.held[0]
    held.abort()  # That of the first one.
    world.network.run()
    assert world.lent == {"near": 1, "next": 1} and world.in_flight == 2


def test_beside_permits_of_a_rate_nobody_looks_again_and_again() -> None:
    """Who waits for the reserve is let in when a slot is given back, and not by time."""
    world = Lender(LendingTerms(reserve_for_own=0.3))
    rate = Rate(per_s=1000.0, resume_per_s=500.0, window_s=15.0, stay_s=15.0)
    config = TargetConfig(connector="main", capacity=SLOTS, rate=rate)
    world.forwarder.set_targets(KEY, {str(world.target): config})
    assert accepted(*[world.open("near", "near") for _ in range(SLOTS)]) == 7
    waits = world.open("near", "near", wait_ms=30_000)
    fired, end = 0, world.network.now() + 2.0
    while world.network.next_at <= end:
        fired += world.network.fire_first()
        world.network.run()
    assert fired < 50 and not waits.refusals
    held = world.held
    held[0].abort()
    world.network.run()
    assert world.lent == {"near": 7} and len(world.held) == 7 and world.held != held


def test_terms_that_come_later_count_what_is_held_and_end_nothing() -> None:
    world = Lender(None)
    assert accepted(*[world.open("near", "near") for _ in range(6)]) == 6
    world.forwarder.set_lending(KEY, LendingTerms(max_share=0.4))
    assert world.lent == {"near": 6} and world.in_flight == 6
    assert accepted(world.open("near", "near")) == 0
    assert accepted(world.open("next", "next")) == 1
    for party in world.held[:3]:
        party.abort()
    world.network.run()
    assert world.lent == {"near": 3, "next": 1}
    assert accepted(*[world.open("near", "near") for _ in range(2)]) == 1
    world.forwarder.set_lending(KEY, None)
    assert world.forwarder.readings.services_snapshot()[0].lending is None
    assert accepted(*[world.open("near", "near") for _ in range(5)]) == 5


def test_what_is_known_of_a_sibling_says_nothing_of_a_neighbor() -> None:
    """The same bytes, who brought them included, over a link to another site."""
    world = Lender(LendingTerms(max_share=0.2))
    world.forwarder.set_service(KEY, ServiceSpec(ports=(8080,), protocol="http"))
    request = BroughtRequest(
        path=(router_of("b"),),
        service=KEY.name,
        port=KEY.port,
        protocol="http",
        ingress=SiteId("x"),
        head=b"GET / HTTP/1.1\r\nHost: shop\r\n",
        brought_by=SiteId("near"),
    )
    body = control.encode_open(request)
    for _ in range(3):
        near, _ = world.stream(OWN)
        assert near.other is not None
        world.forwarder.stream_offered(near.other, request, body)
    known = world.forwarder.known_offers.get(body)
    assert known is not None
    taken: dict[str, bool] = {}
    for link in (OWN, "liar"):
        near, _ = world.stream(link)
        assert near.other is not None
        taken[link] = known.take(near.other)
    assert taken == {OWN: True, "liar": False}
