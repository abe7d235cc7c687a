"""Candidates of services that sites declare differently."""

from collections.abc import Iterator
from typing import Any, cast

from router.model.ids import SiteId
from router.model.messages.adverts import Declaration, TargetsAdvert
from router.model.rights.sharing import Party, SharingRules
from router.model.specs import ServiceSpec
from router.routing.adverts.lsa import Node
from router.routing.adverts.lsdb import Origin
from router.routing.build.candidates import candidates_of
from router.routing.declared import Declared
from router.routing.sharing import SharingView
from router.routing.spf import Route
from tests.unit.routing.fakes import FakeIdentity, make_lsa

NAMES = [f"s{number}" for number in range(50)]
HERE, HUB, EDGE = SiteId("0" * 32), FakeIdentity("hub"), FakeIdentity("edge")


def declaration(name: str) -> Declaration:
    return Declaration(name=name, spec=ServiceSpec(protocol="http", ports=(80,)), declared_at_s=1)


class Counted(tuple[Declaration, ...]):
    """Declarations, each of which counts when it is read."""

    read = 0

    def __iter__(self) -> Iterator[Declaration]:
        for one in super().__iter__():
            Counted.read += 1
            yield one

    def __reversed__(self) -> Iterator[Declaration]:
        return iter(self[::-1])

    def __getitem__(self, at: Any) -> Any:
        found = super().__getitem__(at)
        return Counted(found) if isinstance(at, slice) else found


def test_the_declarations_of_an_edge_are_read_once_for_all_that_it_serves() -> None:
    """It says of each service of others by which protocol it serves it, and may declare many."""
    node = Node(EDGE.router, EDGE.site)
    edge = Origin(node)
    edge.parts[0] = cast(Any, (make_lsa(EDGE, neighbours=((HUB, 1),)),))
    edge.declarations = Counted(declaration(f"own-{name}") for name in NAMES)
    edge.adverts = tuple(
        TargetsAdvert(name=name, port=80, targets_ready=1, capacity=1, serves="tcp")
        for name in NAMES
    )
    declared = {
        name: Declared(declaration=declaration(name), site=HUB.site, reachable=True, conflicts=())
        for name in NAMES
    }
    found, _ = candidates_of(
        [edge],
        {node: Route(cost=1, paths=((node.router,),), next_hops=frozenset({node.router}))},
        {EDGE.site: "edge"},
        SharingView(Party(HERE, "here"), SharingRules(), declared=declared),
    )
    assert {one.unused for each in found.values() for one in each} == {
        "edge serves it as tcp, and http counts here"
    }
    assert len(found) == len(NAMES) and Counted.read <= len(NAMES)
