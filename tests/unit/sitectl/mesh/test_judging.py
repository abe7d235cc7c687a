"""Judging sentences on networks in virtual time: the verdicts, and their texts."""

import pytest

from sitectl.mesh.judging import SentenceVerdict, verdicts
from tests.unit.sitectl.mesh.texts import mesh_of

NETWORK = """\
sites:
  west:
    connectors: {shop: {targets: [{host: 10.0.0.1, port: 80}], capacity: 2}}
  east:
    connectors: {shop: {targets: [{host: 10.0.0.1, port: 80}], capacity: 3}}
  north:
    connectors: {shop: {targets: [{host: 10.0.0.1, port: 80}], capacity: 20}}
  south: {settings: {ingress: none}}
links:
- {from: east, to: west, cost: 1}
- {from: north, to: west, cost: 5}
- {from: south, to: west, allow: {declare: [], export: [], import: [shop]}}
services:
  shop: {owner: west, ports: [8080]}
  other: {owner: west, ports: [8081]}
"""


def judged(sentence: str, spec: str = NETWORK) -> SentenceVerdict:
    """The verdict on one sentence."""
    (verdict,) = verdicts(mesh_of(f"{spec}tests:\n- {sentence}\n"))
    assert verdict.sentence.text == sentence
    return verdict


@pytest.mark.parametrize(
    ("sentence", "holds", "told"),
    [
        ("south may call shop", True, "served by west"),
        ("south may not call shop", False, "served by west"),
        ("south may not offer shop", True, "a client at west: no answer (reset)"),
        ("south may offer shop", False, "a client at west: no answer (reset)"),
        ("east may offer shop", True, "a client at west: served by east"),
        ("west may offer shop", True, "served by west"),
        ("with west full, shop spills to east", True, "west took 2, then east took 3"),
        ("with west full, shop spills to north", False, "then east took 3, then north"),
        ("with west full, shop spills to north before east", False, "then east took 3"),
        ("with west full, shop spills to east before north", True, "then east took 3"),
        ("with west full and east full, shop from west spills to north", True, "north took 20"),
        ("with west full and east dead, shop from west spills to north", True, "north took 20"),
        ("with west full, shop spills to south", False, "west took 2"),
        ("shop from south spills to west", True, "west took 2"),
        ("shop from south is served by west", True, "served by west"),
        ("shop from south is served by east", False, "served by west"),
        ("with west full, shop from south is served by east or north", True, "served by east"),
        ("with north dead, nothing of shop is refused at 5/s", True, "0 of"),
        ("with north dead, nothing is refused at 200/s", False, "refused, served by"),
        ("with west dead, nothing of shop is refused at 1/s", False, "from which site?"),
        ("with south full, shop from west is served by west", False, "south is never full"),
    ],
)
def test_a_sentence_holds_if_routers_do_so(sentence: str, holds: bool, told: str) -> None:
    found = judged(sentence)
    assert (found.holds, told in found.told) == (holds, True), found.told


def test_a_workload_and_learned_capacities_are_as_assumed() -> None:
    spec = """\
sites:
  west:
    at: {runtime: kubernetes, namespace: n}
    connectors: {shop: {workload: deployment/shop, capacity: auto}}
  east: {}
links: [{from: east, to: west}]
services: {shop: {owner: west, ports: [80]}}
assume: {shop: {slots: 4, targets: 3}}
"""
    assert "west took 12" in judged("shop from east spills to west", spec).told
    assert judged("east may call shop", spec).holds, (
        "a namespace accepts links unless it is an edge"
    )


def test_a_capacity_by_rate_is_no_number_of_slots() -> None:
    spec = NETWORK.replace("capacity: 2}", "capacity: 5/s}")
    found = judged("with west full, shop spills to east", spec)
    assert not found.holds
    assert "west is never full" in found.told


def test_a_network_of_one_site_has_nobody_to_offer_to() -> None:
    spec = "sites: {west: }\nservices: {shop: {owner: west, ports: [80]}}\n"
    found = judged("west may offer shop", spec)
    assert (found.holds, found.told) == (False, "there is no other site that could use it")


def test_one_sentence_does_not_change_what_the_next_finds() -> None:
    sentences = ["with west full, shop spills to east", "south may call shop"] * 2
    listed = "".join(f"- {sentence}\n" for sentence in sentences)
    found = list(verdicts(mesh_of(f"{NETWORK}tests:\n{listed}")))
    assert [one.told for one in found[:2]] == [one.told for one in found[2:]]
    assert all(one.holds for one in found)
