"""The guard: which streams it refuses, and how often it reports that."""

import msgspec
import pytest

from router.link.neighbour import Neighbour
from router.link.ports import OpenRequest
from router.model import limits
from router.model.events import Severity
from router.model.ids import SiteId
from router.model.messages.adverts import TargetsAdvert
from router.model.rights.sharing import Sharing, SharingRules, Terms
from router.node.stream_access import StreamAccess
from router.routing.table import RouteTable
from tests.unit.journal import Journal
from tests.unit.routing.network import Network

NET = Network(["here", "friend", "leaf", "beyond"])
for _other in ("friend", "leaf", "beyond"):
    NET.connect("here", _other)
NET.serve("leaf", [], [TargetsAdvert(name="own", port=80, targets_ready=1, capacity=None)])
NET.serve(
    "beyond",
    [],
    [TargetsAdvert(name="held", port=80, targets_ready=1, capacity=None, export_to=("friend",))],
)
NET.run(5.0)
TABLE: RouteTable = NET.table("here")


def site(name: str) -> SiteId:
    return NET.identities[name].site


def neighbour(name: str, terms: Terms | None = None, *, is_edge: bool = False) -> Neighbour:
    who = NET.identities[name]
    plain = Neighbour(who.router, who.site, name, b"", is_edge)
    return plain if terms is None else msgspec.structs.replace(plain, terms=terms)


def request(service: str, ingress: str, *path: str) -> OpenRequest:
    routers = tuple(NET.identities[name].router for name in ("here", *path))
    return OpenRequest(routers, service, 80, "tcp", site(ingress))


class Guarded:
    def __init__(self) -> None:
        self.now = 0.0
        self.journal = Journal()
        self.guard = StreamAccess(site("here"), self.journal.tell, lambda: self.now)


LEAF = neighbour("leaf", Terms(import_=("shop*",), export=("own",)))


@pytest.mark.parametrize(
    ("asked", "passes"),
    [
        (request("shop-a", "leaf"), True),
        (request("bank", "leaf"), False),
        (request("shop-a", "friend"), False),
        (request("shop-a", "here"), False),
        (request("shop-a", "leaf", "friend"), True),
    ],
)
def test_a_leaf_opens_in_its_own_name_what_it_may(asked: OpenRequest, passes: bool) -> None:
    guarded = Guarded()
    assert guarded.guard.may_pass(LEAF, None, asked, TABLE) is passes
    assert guarded.guard.refused_total == (not passes)
    assert guarded.journal.told() == ([] if passes else ["link-refused-stream"])


def test_streams_go_to_a_leaf_for_what_it_may_serve_and_never_across_it() -> None:
    guard, friend = Guarded().guard, neighbour("friend")
    assert guard.may_pass(friend, LEAF, request("own", "friend", "leaf"), TABLE)
    assert not guard.may_pass(friend, LEAF, request("bank", "friend", "leaf"), TABLE)
    assert not guard.may_pass(friend, LEAF, request("own", "friend", "leaf", "beyond"), TABLE)


def test_a_stream_to_an_edge_is_judged_by_the_rule_of_the_edge() -> None:
    guard, edge = Guarded().guard, neighbour("beyond", is_edge=True)
    friend, other = neighbour("friend"), neighbour("leaf")
    assert guard.may_pass(friend, edge, request("held", "friend", "beyond"), TABLE)
    assert not guard.may_pass(other, edge, request("held", "leaf", "beyond"), TABLE)
    assert guard.may_pass(other, edge, request("unheard-of", "leaf", "beyond"), TABLE)


RULES = SharingRules({"shop": Sharing(export_to=("friend",)), "own": Sharing(export_to=())})


def test_the_egress_serves_those_whom_its_rule_names_and_itself() -> None:
    guard = Guarded().guard
    assert guard.serves(request("shop", "friend"), RULES, TABLE, site("leaf"), vouched=False)
    assert guard.serves(request("shop", "here"), RULES, TABLE, site("leaf"), vouched=False)
    assert not guard.serves(request("shop", "leaf"), RULES, TABLE, site("leaf"), vouched=False)
    assert not guard.serves(request("own", "friend"), RULES, TABLE, site("leaf"), vouched=True)
    assert guard.serves(request("other", "leaf"), RULES, TABLE, site("leaf"), vouched=False)


def test_who_is_not_known_is_refused_unless_somebody_vouches() -> None:
    guard = Guarded().guard
    stranger = msgspec.structs.replace(request("shop", "here"), ingress=SiteId("f" * 32))
    assert not guard.serves(stranger, RULES, TABLE, site("leaf"), vouched=False)
    assert guard.serves(stranger, RULES, TABLE, site("leaf"), vouched=True)


def test_the_same_refusal_is_told_once_in_a_while_and_another_at_once() -> None:
    guarded = Guarded()
    for _ in range(5):
        guarded.guard.may_pass(LEAF, None, request("bank", "leaf"), TABLE)
    assert guarded.journal.told() == ["link-refused-stream"]
    guarded.now = limits.REFUSED_STREAMS_TOLD_S - 0.1
    guarded.guard.may_pass(LEAF, None, request("bank", "leaf"), TABLE)
    assert guarded.journal.told() == []
    guarded.guard.may_pass(LEAF, None, request("till", "leaf"), TABLE)
    assert guarded.journal.told() == ["link-refused-stream"]
    guarded.now = limits.REFUSED_STREAMS_TOLD_S
    guarded.guard.may_pass(LEAF, None, request("bank", "leaf"), TABLE)
    assert guarded.journal.told() == ["link-refused-stream"]
    assert guarded.guard.refused_total == 8


def test_what_was_told_is_remembered_of_so_many_only() -> None:
    guarded = Guarded()
    each = limits.REFUSED_STREAM_EVENTS_BURST
    leaves = [
        msgspec.structs.replace(LEAF, name=str(number), site=SiteId(str(number)))
        for number in range(limits.REFUSED_STREAMS_KEPT_MAX // each)
    ]
    for leaf in leaves:
        for number in range(each):
            guarded.guard.may_pass(leaf, None, request(f"s{number}", "leaf"), TABLE)
    assert len(guarded.journal.told()) == limits.REFUSED_STREAMS_KEPT_MAX
    guarded.now = 2 / limits.REFUSED_STREAM_EVENTS_PER_S
    guarded.guard.may_pass(leaves[0], None, request("s0", "leaf"), TABLE)
    assert guarded.journal.told() == []
    guarded.guard.may_pass(leaves[1], None, request("one-more", "leaf"), TABLE)
    guarded.guard.may_pass(leaves[0], None, request("s0", "leaf"), TABLE)
    assert len(guarded.journal.told()) == 2


def test_one_neighbour_causes_only_so_many_events_whatever_ingress_it_names() -> None:
    told: list[str] = []

    def tell(severity: Severity, code: str, subject: str, message: str, hint: str = "") -> None:
        told.append(message)

    guard, asked = StreamAccess(site("here"), tell, lambda: 0.0), request("shop", "leaf")
    for number in range(3 * limits.REFUSED_STREAM_EVENTS_BURST):
        stranger = msgspec.structs.replace(asked, ingress=SiteId(f"{number:08x}"))
        assert not guard.serves(stranger, RULES, TABLE, site("leaf"), vouched=False)
    assert len(told) == limits.REFUSED_STREAM_EVENTS_BURST
    assert guard.refused_total == 3 * limits.REFUSED_STREAM_EVENTS_BURST
    assert not guard.serves(asked, RULES, TABLE, site("friend"), vouched=False)
    said = "leaf asked for shop (so says friend), which is not exported to it."
    assert told[limits.REFUSED_STREAM_EVENTS_BURST :] == [said]


def test_an_lsa_of_another_site_is_told_of_once() -> None:
    guarded = Guarded()
    for _ in range(3):
        guarded.guard.foreign_lsa("leaf", SiteId("f" * 32))
    assert guarded.journal.told() == ["lsa-not-taken"]
    assert guarded.guard.refused_total == 0


def test_a_stream_in_our_name_is_a_warning_unless_its_link_is_new_or_drains() -> None:
    told: list[tuple[Severity, str]] = []

    def tell(severity: Severity, code: str, subject: str, message: str, hint: str = "") -> None:
        told.append((severity, code))

    guard = StreamAccess(site("here"), tell, lambda: 0.0)
    ours = request("shop", "here")
    for settles in (True, True, False, False):
        guard.refuses_as_ours(neighbour("friend"), ours, settles=settles)
    assert told == [("info", "link-refused-stream"), ("warning", "link-refused-stream")]
