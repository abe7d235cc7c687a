"""Who may use and offer what: rules of sites and terms of tokens, with real sites and commands."""

import json
from collections.abc import Iterator
from functools import partial

import msgspec
import pytest

from router.link import frames
from router.link.ports import ASKS_TARGETS, OpenRequest
from router.model.ids import RouterId, SiteId
from router.model.messages.adverts import Declaration, TargetsAdvert
from router.model.specs import ServiceSpec
from router.routing.adverts.lsa import Adjacency, PartRef, Services, Topology
from tests.scenario.clients import fetch
from tests.scenario.harness import SHOP_PORT, Network, Site
from tests.scenario.insider import HostileIdentity, Insider
from tests.scenario.waiting import stays, until

LEDGER_PORT, BANK_PORT, EXTRA_PORT = SHOP_PORT + 1, SHOP_PORT + 2, SHOP_PORT + 3
CANONICAL = b"GET / HTTP/1.1\r\nHost: shop\r\n"


def router_of(site: Site) -> RouterId:
    return RouterId(json.loads((site.directory / "state.json").read_text())["router_id"])


def id_of(site: Site) -> SiteId:
    return SiteId(site.get("status")["id"])


def events(site: Site) -> str:
    return json.dumps(site.get("events"))


class Line:
    """west - mid - east: shop is east's."""

    def __init__(self, net: Network) -> None:
        self.net = net
        self.west, self.mid, self.east = net.site("west"), net.site("mid"), net.site("east")
        self.east.declare("shop")
        self.east.connect("shop", net.http("east"), capacity=5)
        net.link(self.west, self.mid, token="cert")
        net.link(self.mid, self.east, token="cert")
        net.start()
        net.ready("shop", {"east": 1})


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    with Network(tmp_path_factory.mktemp("line")) as net:
        yield Line(net)


def open_at_east(line: Line, **changes: object) -> tuple[Insider, int]:
    """A member that is linked to east opens a stream to shop in the name of mid."""
    insider = Insider(line.net.token(line.east, "--token-type", "cert"))
    insider.join_network()
    request = OpenRequest(
        path=(router_of(line.east),),
        service="shop",
        port=SHOP_PORT,
        protocol="http",
        ingress=id_of(line.mid),
        head=CANONICAL,
    )
    return insider, insider.open(msgspec.structs.replace(request, **changes))


def test_a_service_exported_to_one_site_is_seen_and_served_there_alone(line: Line) -> None:
    done = line.east.ctl("service", "set", "shop", "--export-to", "west")
    assert f"exports it to west ({id_of(line.west)[:8]}) only" in done.out + done.err
    until(lambda: line.mid.service("shop") is None, "mid has no listener for shop")
    assert fetch(line.west.address, SHOP_PORT).body == b"east\n"
    shown = line.east.json("service", "status", "shop")[0]
    assert (shown["export_to"], shown["import_from"]) == (["west"], None)
    assert (
        f"Exported to west ({id_of(line.west)[:8]})"
        in line.east.ctl("service", "status", "shop").out
    )
    line.mid.ctl("why", "shop", code=4)
    assert line.mid.reaches({"east"})
    line.east.ctl("service", "set", "shop", "--export-to", "all")
    line.net.ready("shop", {"east": 1})
    assert fetch(line.mid.address, SHOP_PORT).body == b"east\n"


@pytest.mark.parametrize("flags", [0, ASKS_TARGETS])
def test_the_egress_refuses_a_site_that_is_not_named_whatever_it_asks(
    line: Line, flags: int
) -> None:
    line.east.ctl("service", "set", "shop", "--export-to", "west")
    until(lambda: line.mid.service("shop") is None, "mid has no listener for shop")
    before = line.east.service("shop")["targets"][0]["requests_total"]
    insider, stream = open_at_east(line, flags=flags)
    with insider:
        answer = insider.answer(stream)
        assert answer is not None and answer.kind & 0x7F == frames.REFUSED
    assert line.east.service("shop")["targets"][0]["requests_total"] == before
    assert "mid asked for shop (so says " in events(line.east)
    line.east.ctl("service", "set", "shop", "--export-to", "all")
    line.net.ready("shop", {"east": 1})


def test_a_site_takes_a_service_only_from_the_sites_that_it_names(line: Line) -> None:
    line.west.declare("shop")
    line.west.ctl("service", "set", "shop", "--import-from", "mid")
    until(
        lambda: [c["verdict"] for c in line.west.json("why", "shop")["candidates"]] == ["excluded"],
        "east is no candidate at west",
    )
    (candidate,) = line.west.json("why", "shop")["candidates"]
    assert candidate["reason"] == "importFrom of west does not name east for shop"
    assert line.west.reaches({"east"})
    assert fetch(line.west.address, SHOP_PORT).status == 503
    line.west.ctl("service", "set", "shop", "--import-from", "e*t")
    until(lambda: fetch(line.west.address, SHOP_PORT).status == 200, "west takes it from east")
    line.west.ctl("service", "set", "shop", "--import-from", "all")


def test_what_nobody_may_declare_here_gets_no_listener(line: Line) -> None:
    line.west.ctl("service", "set", "*", "--import-from", "none")
    line.east.declare("extra", EXTRA_PORT)
    until(lambda: line.mid.service("extra"), "mid has extra")
    stays(lambda: line.west.service("extra") is None, "west has no extra", 0.5)
    line.west.ctl("service", "set", "extra", "--import-from", "all")
    until(lambda: line.west.service("extra"), "west takes extra by its own rule")
    line.west.ctl("service", "set", "*", "--import-from", "all")


class Leaf:
    """far - hub; a site that joins by hub's token may do shop-* and nothing else."""

    def __init__(self, net: Network) -> None:
        self.net = net
        self.hub, self.far = net.site("hub"), net.site("far")
        self.hub.declare("shop-a")
        self.far.declare("ledger", LEDGER_PORT)
        self.hub.connect("shop-a", net.http("hub"), capacity=5)
        self.far.connect("ledger", net.http("far"), capacity=5)
        net.link(self.far, self.hub)
        net.start()
        net.ready("shop-a", {"hub": 1})
        net.ready("ledger", {"far": 1})
        self.token = net.token(
            self.hub, "--token-type", "cert", "--allow-services", "shop-*", "--name", "for-leaves"
        )


@pytest.fixture(scope="module")
def leaf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Leaf]:
    with Network(tmp_path_factory.mktemp("leaf")) as net:
        yield Leaf(net)


def test_an_honest_joiner_on_terms_does_what_they_allow_and_no_more(leaf: Leaf) -> None:
    net = leaf.net
    kiosk = net.site("kiosk")
    token = net.token(leaf.hub, "--allow-services", "shop-*", "--name", "for-kiosk")
    status = kiosk.json("token", "status", str(token))
    assert status["allow"] == {way: ["shop-*"] for way in ("declare", "export", "import")}
    kiosk.declare("shop-b", EXTRA_PORT)
    kiosk.declare("bank", BANK_PORT)
    kiosk.connect("shop-b", net.http("kiosk"), capacity=5)
    kiosk.connect("bank", net.http("kiosk bank"), capacity=5)
    kiosk.quick("link", "create", str(token), "--name", "hub")
    net.start(kiosk)
    for site in (leaf.hub, leaf.far):
        until(partial(site.offers, "shop-b", {"kiosk": 1}), "shop-b is offered")
        assert fetch(site.address, EXTRA_PORT).body == b"kiosk\n"
        assert site.service("bank") is None
    until(lambda: kiosk.offers("shop-a", {"hub": 1}), "kiosk has shop-a")
    assert fetch(kiosk.address, SHOP_PORT).body == b"hub\n"
    assert kiosk.service("ledger") is None
    link = leaf.hub.link("kiosk")
    assert link["allow"]["import"] == ["shop-*"]
    assert (
        "kiosk is let in on terms: shop-*, and nothing else" in leaf.hub.ctl("link", "status").out
    )
    own = kiosk.link("hub")
    assert (own["allow"], own["held"]) == (None, link["allow"])
    said = kiosk.ctl("link", "status").out
    assert "hub lets this site in on terms: shop-*, and nothing else" in said
    assert (leaf.far.link("hub")["allow"], leaf.far.link("hub")["held"]) == (None, None)
    kiosk.ctl("stop")


class Mallory:
    """A joiner on terms that sends bytes of its choice."""

    def __init__(self, leaf: Leaf) -> None:
        self.leaf = leaf
        self.insider = Insider(leaf.token)
        self.theirs = self.insider.join_network()
        self.hub_id = id_of(leaf.hub)
        until(lambda: leaf.hub.link("mallory"), "mallory is linked")

    def declare(self, *names: str, sequence: int = 1) -> None:
        specs = {
            name: ServiceSpec(protocol="http", ports=(BANK_PORT + 10 + number,))
            for number, name in enumerate(names)
        }
        self.insider.declare(self.theirs, self.hub_id, specs, sequence)

    def open(self, service: str, port: int, *path: RouterId, **changes: object) -> int | None:
        """The kind of the first answer to an OPEN."""
        request = OpenRequest(
            path=(RouterId(self.theirs.router), *path),
            service=service,
            port=port,
            protocol="http",
            ingress=self.insider.identity.site,
            head=CANONICAL,
        )
        stream = self.insider.open(msgspec.structs.replace(request, **changes))
        answer = self.insider.answer(stream)
        return None if answer is None else answer.kind & 0x7F


@pytest.fixture
def mallory(leaf: Leaf) -> Iterator[Mallory]:
    found = Mallory(leaf)
    with found.insider:
        yield found
    until(lambda: not leaf.hub.is_up("mallory"), "the hostile link is down")
    assert fetch(leaf.far.address, SHOP_PORT).body == b"hub\n"


def test_what_a_joiner_may_not_declare_or_serve_counts_nowhere(mallory: Mallory) -> None:
    mallory.declare("bank", "shop-evil")
    for site in (mallory.leaf.hub, mallory.leaf.far):
        until(partial(site.service, "shop-evil"), "the allowed one counts")
        assert site.service("bank") is None
    # Nor does it get requests of a service of others: only its targets are new.
    advert = TargetsAdvert(name="ledger", port=LEDGER_PORT, targets_ready=9, capacity=None)
    extra = Declaration(
        name="shop-more",
        spec=ServiceSpec(protocol="http", ports=(BANK_PORT + 30,)),
        declared_at_s=1,
    )
    first = mallory.insider.lsa(mallory.theirs, mallory.hub_id, sequence=2)
    assert isinstance(first.body, Topology)
    body = msgspec.structs.replace(first.body, parts=(PartRef(1, 2),))
    services = Services((extra,), (advert,))
    mallory.insider.tell(msgspec.structs.replace(first, part=1, body=services))
    mallory.insider.tell(msgspec.structs.replace(first, body=body))
    for site in (mallory.leaf.hub, mallory.leaf.far):
        until(partial(site.service, "shop-more"), "the second statement counts")
        assert {n: k for n, k in site.ready_targets("ledger").items() if k} == {"far": 1}


def test_a_joiner_asks_only_for_what_it_may_and_only_for_itself(mallory: Mallory) -> None:
    far, hub = mallory.leaf.far, mallory.leaf.hub
    mallory.declare("shop-x")
    assert mallory.open("ledger", LEDGER_PORT, router_of(far)) == frames.REFUSED
    assert mallory.open("ledger", LEDGER_PORT, router_of(far), flags=ASKS_TARGETS) == frames.REFUSED
    assert mallory.open("shop-a", SHOP_PORT, ingress=id_of(far)) == frames.REFUSED
    assert mallory.open("shop-a", SHOP_PORT, ingress=id_of(hub)) == frames.REFUSED
    assert mallory.open("shop-a", SHOP_PORT) == frames.ACCEPTED
    told = events(hub)
    assert "mallory asked for ledger, which its token does not allow" in told
    assert "mallory opened a stream to shop-a for another site" in told


def test_nothing_behind_a_joiner_on_terms_is_believed(mallory: Mallory) -> None:
    mallory.declare("shop-y")
    until(lambda: mallory.leaf.far.service("shop-y"), "what is its own is heard")
    phantom = HostileIdentity("phantom")
    own, theirs = mallory.insider.identity, mallory.theirs
    lsa = mallory.insider.lsa(theirs, mallory.hub_id, sequence=9)
    assert isinstance(lsa.body, Topology)
    both = (
        Adjacency(RouterId(theirs.router), mallory.hub_id, 1),
        Adjacency(phantom.router, phantom.site, 1),
    )
    mallory.insider.tell(
        msgspec.structs.replace(lsa, body=msgspec.structs.replace(lsa.body, adjacencies=both))
    )
    behind = msgspec.structs.replace(
        lsa,
        router=phantom.router,
        site=phantom.site,
        public_key=phantom.public_key,
        body=msgspec.structs.replace(
            lsa.body, name="phantom", adjacencies=(Adjacency(own.router, own.site, 1),)
        ),
    )
    mallory.insider.identity = phantom  # It signs for itself.
    mallory.insider.tell(behind)
    until(lambda: "only what it says of itself counts" in events(mallory.leaf.hub), "it is told")
    for site in (mallory.leaf.hub, mallory.leaf.far):
        assert "phantom" not in {route["name"] for route in site.get("network")}


def test_terms_that_cannot_be_are_refused_with_a_code(leaf: Leaf) -> None:
    path = str(leaf.net.state / "never.token")
    done = leaf.hub.ctl("token", "create", path, "--allow-import", "No_Name", code=2)
    assert "--allow-import" in done.err
    done = leaf.hub.ctl("service", "set", "shop-a", "--export-to", "No Site", code=2)
    assert "names no site" in done.err
    done = leaf.hub.ctl("service", "set", "shop-a", "--export-to", "all,far", code=2)
    assert "stand alone" in done.err
