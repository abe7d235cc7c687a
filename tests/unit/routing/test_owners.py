"""Who owns a name, as several sites see it."""

from itertools import pairwise

import msgspec
import pytest

from router.model import limits
from router.model.ids import RouterId, SiteId
from router.model.messages.adverts import Declaration
from router.model.rights.grants import OFFER, ServiceGrant
from router.model.rights.owners import Owner
from router.model.rights.sharing import NOTHING
from router.routing.adverts.lsa import Lsa, Node, PartRef, Services, encode_lsa
from router.routing.core import RoutingCore
from router.routing.declared import Claim, content_of
from router.routing.owners import Owners
from tests.unit.routing.fakes import FakeIdentity, SameSiteIdentity, declare, make_lsa
from tests.unit.routing.network import Network

pytestmark = pytest.mark.usefixtures("both_orders")

OURS, THEIRS = declare("x", ports=(80,)), declare("x", at=-1e308, ports=(6666,))
WEST, EAST, OWN, HUB = (FakeIdentity(name) for name in ("west", "east", "own", "hub"))


def line(*names: str) -> Network:
    network = Network(names)
    for one, other in pairwise(names):
        network.connect(one, other)
    network.run(limits.OWNER_MET_S + 1)
    return network


def in_force(network: Network, name: str) -> str:
    """The site whose declaration of x counts at ``name``; empty: none."""
    declared = network.table(name).declarations.get("x")
    names = {identity.site: name for name, identity in network.identities.items()}
    return "" if declared is None else names[declared.site]


def test_the_first_declaration_counts_whatever_date_a_later_one_bears() -> None:
    network = line("west", "hub", "east")
    network.serve("west", [OURS])
    network.run(1.0)
    network.serve("east", [THEIRS])
    network.run(100.0)
    assert [in_force(network, name) for name in ("west", "hub")] == ["west", "west"]
    east = network.identities["east"].site
    assert network.table("hub").declarations["x"].conflicts == (east,)
    assert network.table("hub").declarations["x"].rivals == ()


def test_the_name_that_was_known_first_is_remembered_first_whatever_happens_to_it() -> None:
    network = line("west", "hub", "east")
    network.serve("west", [declare("y", ports=(80,))])
    network.run(1.0)
    network.serve("east", [declare("a", ports=(80,))])
    network.run(1.0)
    network.serve("west", [declare("b", ports=(81,)), declare("y", ports=(81,))])
    network.run(1.0)
    assert list(network.table("hub").owners) == ["y", "a", "b"]


def test_a_sites_own_declaration_counts_there_and_it_sees_who_differs() -> None:
    network = line("west", "hub", "east")
    network.serve("west", [OURS])
    network.run(1.0)
    network.serve("east", [THEIRS])
    network.run(1.0)
    declared = network.table("east").declarations["x"]
    west, east = network.identities["west"].site, network.identities["east"].site
    assert (declared.site, declared.conflicts) == (east, (west,))
    assert network.table("east").owners["x"].sites == (west,)


def test_equal_declarations_are_no_conflict() -> None:
    network = line("west", "hub", "east")
    network.serve("west", [OURS])
    network.serve("east", [OURS])
    network.run(1.0)
    assert network.table("hub").declarations["x"].conflicts == ()


def test_after_a_withdrawal_another_takes_over() -> None:
    network = line("west", "hub", "east")
    network.serve("west", [OURS])
    network.run(1.0)
    network.serve("east", [THEIRS])
    network.run(1.0)
    network.serve("west")
    network.run(1.0)
    assert in_force(network, "hub") == ""
    assert [claim.site for claim in network.table("hub").idle["x"]] == [
        network.identities["east"].site
    ]
    network.run(limits.OWNER_WITHDRAWN_S)
    assert in_force(network, "hub") == "east"
    assert network.table("hub").idle == {}
    network.serve("west", [OURS])
    network.run(100.0)
    assert in_force(network, "hub") == "east", "it gave the name away"


def test_who_declares_the_very_same_stands_in_at_once() -> None:
    network = line("west", "hub", "east")
    network.serve("west", [OURS])
    network.run(1.0)
    network.serve("east", [OURS])
    network.run(1.0)
    network.serve("west")
    network.run(1.0)
    assert in_force(network, "hub") == "east"


def test_an_owner_that_comes_back_in_time_has_not_withdrawn() -> None:
    network = line("west", "hub", "east")
    network.serve("west", [OURS])
    network.run(1.0)
    network.serve("east", [THEIRS])
    network.serve("west")
    network.run(limits.OWNER_WITHDRAWN_S - 1)
    network.serve("west", [OURS])
    network.run(100.0)
    assert in_force(network, "hub") == "west"


@pytest.mark.parametrize(
    ("away_s", "owner"), [(1.0, "west"), (limits.OWNER_WITHDRAWN_S + 1, "east")]
)
def test_all_sites_agree_who_owns_a_name_that_its_owner_withdraws_and_declares_again(
    away_s: float, owner: str
) -> None:
    network = line("west", "hub", "east")
    network.serve("west", [OURS])
    network.run(1.0)
    network.serve("east", [THEIRS])
    network.run(1.0)
    network.serve("west")
    network.run(away_s)
    assert in_force(network, "west") == "east", "a site that gave it up waits for no other"
    network.serve("west", [OURS])
    network.run(100.0)
    owners = {name: network.table(name).owners["x"].sites for name in ("west", "hub", "east")}
    assert owners == dict.fromkeys(owners, (network.identities[owner].site,))


def test_an_owner_that_is_lost_keeps_its_name_for_good() -> None:
    network = line("west", "hub", "east")
    network.serve("west", [OURS])
    network.run(1.0)
    network.serve("east", [THEIRS])
    network.cut("west", "hub")
    network.run(10 * limits.LSA_MAX_AGE_S)
    assert in_force(network, "hub") == ""
    network.connect("west", "hub")
    network.run(1.0)
    assert in_force(network, "hub") == "west"


def test_ownership_outlives_a_restart_that_hears_the_other_first() -> None:
    network = line("west", "hub", "east")
    network.serve("west", [OURS])
    network.run(1.0)
    network.serve("east", [THEIRS])
    network.cut("west", "hub")
    network.run(1.0)
    network.restart("hub", 2, remembers=True)
    network.run(10.0)
    assert in_force(network, "hub") == "", "the owner is out of reach"
    network.connect("west", "hub")
    network.run(1.0)
    assert in_force(network, "hub") == "west"


def test_a_newcomer_takes_the_nearer_of_those_it_hears_at_once() -> None:
    network = Network(["west", "east", "new"])
    network.serve("west", [OURS])
    network.serve("east", [THEIRS])
    network.connect("new", "west", 1)
    network.run(limits.OWNER_MET_S / 2)
    network.connect("new", "east", 5)
    network.run(limits.OWNER_MET_S + 1)
    east = network.identities["east"].site
    assert in_force(network, "new") == "west"
    assert network.table("new").declarations["x"].rivals == (east,)
    network.take("new", network.cores["new"].adopt("x", east, network.now))
    assert in_force(network, "new") == "east"
    assert network.table("new").declarations["x"].rivals == ()


def test_who_comes_after_that_is_no_rival() -> None:
    network = Network(["west", "east", "new"])
    network.serve("west", [OURS])
    network.serve("east", [THEIRS])
    network.connect("new", "west", 5)
    network.run(limits.OWNER_MET_S + 1)
    network.connect("new", "east", 1)
    network.run(1.0)
    assert in_force(network, "new") == "west"
    assert network.table("new").declarations["x"].rivals == ()


def test_a_rival_that_withdraws_leaves_the_name_to_the_other() -> None:
    network = Network(["west", "east", "new"])
    network.serve("west", [OURS])
    network.serve("east", [THEIRS])
    network.connect("new", "west", 1)
    network.connect("new", "east", 5)
    network.run(1.0)
    network.serve("west")
    network.run(limits.OWNER_WITHDRAWN_S + 1)
    assert in_force(network, "new") == "east"
    assert network.cores["new"].owners["x"].sites == (network.identities["east"].site,)


def test_a_name_adopted_from_a_site_that_is_silent_waits_for_it() -> None:
    network = line("west", "hub", "east")
    network.serve("west", [OURS])
    network.run(1.0)
    east = network.identities["east"].site
    network.take("hub", network.cores["hub"].adopt("x", east, network.now))
    assert in_force(network, "hub") == ""


def claim(declaration: Declaration, site: SiteId) -> Claim:
    return Claim(declaration, site, RouterId("r"), 1)


def test_beyond_the_limit_who_owns_most_loses_what_nobody_declares(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("router.routing.owners.OWNED_NAMES_MAX", 10)
    kept = {
        "honest": Owner((WEST.site,), ""),
        **{f"liars-{number}": Owner((EAST.site,), "") for number in range(10)},
    }
    owners = Owners(OWN.site, kept)
    told = {
        "liars-0": [claim(declare("liars-0"), EAST.site)],
        "new": [claim(declare("new"), WEST.site)],
    }
    owners.learn(told, dict.fromkeys({WEST.site}, ()), 0.0)
    assert set(owners.records) == {
        "honest",
        "new",
        "liars-0",
        *(f"liars-{n}" for n in range(3, 10)),
    }


def test_beyond_the_limit_invented_sites_with_a_name_each_take_none_from_its_owner(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("router.routing.owners.OWNED_NAMES_MAX", 10)
    kept = {f"honest-{number}": Owner((WEST.site,), "") for number in range(8)}
    owners = Owners(OWN.site, kept)
    told = {name: [claim(declare(name), WEST.site)] for name in kept}
    for number in range(20):
        name = f"invented-{number}"
        told[name] = [claim(declare(name), FakeIdentity(name).site)]
    owners.learn(told, {}, 0.0)
    assert kept.keys() < owners.records.keys() and len(owners.records) == 10


def test_beyond_the_limit_all_routers_of_a_site_forget_the_same_and_each_owner_counts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("router.routing.owners.OWNED_NAMES_MAX", 4)
    kept = {
        "a": Owner((EAST.site, WEST.site), ""),
        **{n: Owner((EAST.site,), "") for n in ("b", "c", "d")},
    }
    left = []
    for names in (kept, reversed(kept)):
        owners = Owners(OWN.site, {name: kept[name] for name in names})
        owners.learn({}, {}, 0.0)
        left.append(owners.records)
    assert left[0] == left[1] == {name: kept[name] for name in ("a", "c", "d")}


def test_a_grant_takes_as_much_room_as_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("router.routing.owners.OWNED_NAMES_MAX", 10)
    kept = {
        **{f"honest-{number}": Owner((WEST.site,), "") for number in range(4)},
        "greedy": Owner((EAST.site,), "", (ServiceGrant(WEST.site, (OFFER,)),) * 9),
    }
    owners = Owners(OWN.site, kept)
    owners.learn({}, {}, 0.0)
    assert owners.records == {name: kept[name] for name in kept if name != "greedy"}


def test_what_the_routers_of_a_site_agreed_on_counts_at_each() -> None:
    network = line("west", "hub", "east")
    network.serve("west", [OURS])
    network.run(1.0)
    network.serve("east", [THEIRS])
    network.run(1.0)
    core, east = network.cores["hub"], network.identities["east"].site
    network.take("hub", core.set_owners({"x": Owner((east,), "")}, network.now))
    assert in_force(network, "hub") == "east"
    assert core.owners["x"].content  # As of the declaration that counts now.
    network.take("hub", core.set_owners({}, network.now))
    assert core.owners["x"].sites == tuple(sorted((network.identities["west"].site, east)))


def test_nothing_is_kept_anew_while_nothing_changes() -> None:
    owners = Owners(OWN.site, {})
    told = {"x": [claim(OURS, WEST.site)]}
    owners.learn(told, dict.fromkeys({WEST.site}, ()), 0.0)
    before = owners.records
    owners.learn(told, dict.fromkeys({WEST.site}, ()), 1.0)
    assert owners.records is before


def test_a_neighbour_in_the_middle_of_telling_makes_no_newcomer_of_anybody() -> None:
    owners = Owners(OWN.site, {})
    owners.learn({}, {}, 0.0, is_alone=True)
    owners.learn({"x": [claim(OURS, WEST.site)]}, dict.fromkeys({WEST.site}, ()), 1.0)
    owners.learn({"x": [claim(OURS, WEST.site)]}, {}, 10.0)
    owners.learn(
        {"x": [claim(OURS, WEST.site), claim(THEIRS, EAST.site)]},
        dict.fromkeys({WEST.site, EAST.site}, ()),
        10.1,
    )
    assert owners.records["x"].sites == (WEST.site,)


def test_whom_this_site_refuses_owns_nothing_here_and_a_rival_is_left() -> None:
    kept = {
        "x": Owner((WEST.site,), "1"),
        "y": Owner((WEST.site, EAST.site), "2"),
        "z": Owner((EAST.site,), "3"),
    }
    owners = Owners(OWN.site, kept)
    owners.put_out(frozenset({WEST.site}))
    assert owners.records == {"y": Owner((EAST.site,), "2"), "z": Owner((EAST.site,), "3")}
    before = owners.records
    owners.put_out(frozenset({WEST.site}))
    assert owners.records is before
    owners.set(kept)
    assert owners.records == before, "another router of this site has not heard of it yet"


def two_routers() -> Network:
    network = Network(["west", "hub", "mallory"])
    network.identities["west2"] = SameSiteIdentity(network.identities["west"], "ab" * 8)
    network.cores["west2"] = network.make_core("west2")
    for one in ("west", "west2", "mallory"):
        network.connect("hub", one)
    network.run(1.0)
    network.serve("west", [OURS])
    network.run(1.0)
    network.serve("mallory", [THEIRS])
    network.run(1.0)
    network.run(1.0)
    assert network.table("hub").owners["x"].sites == (network.identities["west"].site,)
    return network


def test_a_site_of_two_routers_keeps_its_name_while_the_declaring_one_is_lost() -> None:
    network = two_routers()
    network.cut("west", "hub")
    network.run(limits.SERVICE_SYNC_TTL_S + limits.OWNER_WITHDRAWN_S + 5)
    names = network.table("hub").declarations
    assert "x" not in names or names["x"].site != network.identities["mallory"].site


def test_a_transit_that_states_terms_for_the_owner_takes_no_name() -> None:
    network = Network(["west", "mallory", "hub", "far"])
    network.connect("mallory", "west")
    network.connect("hub", "mallory")
    network.connect("hub", "far")
    network.run(1.0)
    network.serve("west", [OURS])
    network.run(1.0)
    network.cut("west", "mallory")
    network.connect("mallory", "west", terms=NOTHING)
    network.serve("mallory", [THEIRS])
    network.run(limits.OWNER_WITHDRAWN_S + 5)
    network.cut("west", "mallory")
    network.connect("mallory", "west")
    network.run(10)
    assert [in_force(network, one) for one in ("hub", "far")] == ["west", "west"]


def after_a_restart(*lsas: tuple[FakeIdentity, Lsa], kept: Owner) -> RoutingCore:
    """Hub, which remembers the owner of x, 30 s after its neighbor mallory told it these."""
    hub, mallory = FakeIdentity("hub"), FakeIdentity("mallory")
    core = RoutingCore(hub, epoch=9, boot_nonce=b"b", version="1", now=0.0, owners={"x": kept})
    core.set_services((), (), 0.0)
    core.adjacency_up(mallory.router, mallory.site, 1, 0.0)
    lie = make_lsa(mallory, part=1, services=Services((THEIRS,), ()))
    near = tuple((who, 1) for who, lsa in lsas if lsa.part == 0)
    head = make_lsa(mallory, neighbours=(*near, (hub, 1)), parts=(PartRef(1, 1),))
    for who, lsa in (*lsas, (mallory, lie), (mallory, head)):
        core.receive_lsa(RouterId(mallory.router), encode_lsa(lsa, who), 0.1)
    now = 0.1
    while now < limits.OWNER_WITHDRAWN_S * 3:
        core.handle_timeout(now)
        now += 0.25
    return core


def words(
    who: FakeIdentity, epoch: int, sequence: int, *told: Declaration
) -> list[tuple[FakeIdentity, Lsa]]:
    """What a router that is linked to mallory says, all of it."""
    mallory = FakeIdentity("mallory")
    parts = (PartRef(1, sequence),) if told else ()
    head = make_lsa(
        who, neighbours=((mallory, 1),), epoch=epoch, sequence=sequence + 1, parts=parts
    )
    body = Services(told, ())
    part = make_lsa(who, part=1, epoch=epoch, sequence=sequence, services=body)
    return [(who, part), (who, head)] if told else [(who, head)]


def site_in_force(core: RoutingCore) -> str:
    declared = core.table.declarations.get("x")
    return "" if declared is None else declared.site


@pytest.mark.parametrize("epoch", [4, 5])
def test_old_words_of_the_owner_withdraw_nothing_after_a_restart(epoch: int) -> None:
    west = FakeIdentity("west")
    kept = Owner((WEST.site,), content_of(OURS), versions=((5, 8),))
    core = after_a_restart(*words(west, epoch, 3), kept=kept)
    assert core.owners["x"] == kept
    assert site_in_force(core) == ""
    newer = after_a_restart(*words(west, 5, 9), kept=kept)
    assert site_in_force(newer) == FakeIdentity("mallory").site


def test_a_router_that_the_owner_stopped_long_ago_withdraws_nothing_after_a_restart() -> None:
    stopped = SameSiteIdentity(FakeIdentity("west"), "0" * 16)
    kept = Owner((WEST.site,), content_of(OURS), versions=((5, 8),))
    assert site_in_force(after_a_restart(*words(stopped, 4, 99), kept=kept)) == ""
    later = after_a_restart(*words(stopped, 6, 1), kept=kept)
    assert site_in_force(later) == FakeIdentity("mallory").site


def test_what_the_owner_declared_otherwise_before_is_not_in_force_after_a_restart() -> None:
    west, before = FakeIdentity("west"), declare("x", ports=(8080,))
    kept = Owner((WEST.site,), content_of(OURS), versions=((5, 8),))
    core = after_a_restart(*words(west, 5, 3, before), kept=kept)
    assert site_in_force(core) == ""
    assert core.owners["x"] == kept
    core = after_a_restart(*words(west, 5, 8, before), kept=kept)
    assert core.table.declarations["x"].declaration == before
    assert core.owners["x"] == Owner((WEST.site,), content_of(before), versions=((5, 9),))


def test_a_grant_that_the_owner_took_back_is_not_in_force_again_after_a_restart() -> None:
    granted = msgspec.structs.replace(OURS, grants=(ServiceGrant(EAST.site, ("offer",), 5),))
    kept = Owner((WEST.site,), content_of(OURS), versions=((5, 8),))
    core = after_a_restart(*words(FakeIdentity("west"), 5, 3, granted), kept=kept)
    assert core.owners["x"] == kept
    assert site_in_force(core) == ""
    core = after_a_restart(*words(FakeIdentity("west"), 5, 9, granted), kept=kept)
    assert core.owners["x"].grants == granted.grants


def test_an_operator_believes_what_the_owner_says_now() -> None:
    """Whose clock was set back, say."""
    west, before = FakeIdentity("west"), declare("x", ports=(8080,))
    kept = Owner((WEST.site,), content_of(OURS), versions=((5, 8),))
    core = after_a_restart(*words(west, 4, 3, before), kept=kept)
    assert site_in_force(core) == ""
    assert WEST.site in core.table.declarers("x"), "so that `service adopt` can name it"
    core.adopt("x", WEST.site, 40.0)
    assert core.table.declarations["x"].declaration == before
    assert core.owners["x"] == Owner((WEST.site,), content_of(before), versions=((4, 4),))


def test_an_owners_old_words_for_others_make_it_no_declarer() -> None:
    """Adopted from it, the name would have an owner and no declaration."""
    before = msgspec.structs.replace(declare("x", ports=(8080,)), export_to=("north",))
    kept = Owner((WEST.site,), content_of(OURS), versions=((5, 8),))
    core = after_a_restart(*words(FakeIdentity("west"), 4, 3, before), kept=kept)
    assert site_in_force(core) == ""
    assert WEST.site not in core.table.declarers("x")


def test_old_words_that_say_the_same_as_now_are_as_good() -> None:
    kept = Owner((WEST.site,), content_of(OURS), versions=((5, 8),))
    core = after_a_restart(*words(FakeIdentity("west"), 5, 3, OURS), kept=kept)
    assert site_in_force(core) == WEST.site
    assert core.owners["x"] == kept


def test_of_two_owners_old_words_that_say_the_same_are_as_good_whatever_they_grant() -> None:
    granted = msgspec.structs.replace(OURS, grants=(ServiceGrant(HUB.site, (OFFER,), 5),))
    sites = tuple(sorted((WEST.site, EAST.site)))
    kept = Owner(sites, content_of(OURS), versions=((5, 8), (5, 8)))
    core = after_a_restart(*words(WEST, 5, 3, granted), kept=kept)
    assert site_in_force(core) == WEST.site
    assert core.owners["x"] == kept


def test_of_an_owner_kept_without_a_version_all_words_count() -> None:
    """As the last release kept them, or as an operator said."""
    kept = Owner((WEST.site,), content_of(OURS))
    core = after_a_restart(*words(FakeIdentity("west"), 1, 1), kept=kept)
    assert site_in_force(core) == FakeIdentity("mallory").site


def test_a_router_started_earlier_withdraws_a_name_when_the_later_one_is_gone() -> None:
    """Pods of one site are taken away in any order."""
    owners = Owners(OWN.site, {})
    early, late = Node(RouterId("1"), WEST.site), Node(RouterId("2"), WEST.site)
    both = [Claim(OURS, WEST.site, node.router, 1) for node in (early, late)]
    told, all_of_it = {"x": both}, {WEST.site: {"x"}}
    owners.learn({"x": both[1:]}, all_of_it, 0.0, {late: (20, 4)})
    assert owners.records["x"].versions == ((20, 4),)
    owners.learn(told, all_of_it, 1.0, {early: (10, 3), late: (20, 4)})
    assert owners.records["x"].versions == ((10, 3),)
    owners.learn({"x": both[:1]}, all_of_it, 2.0, {early: (10, 3)})
    for now in (3.0, 4.0 + limits.OWNER_WITHDRAWN_S):
        owners.learn({}, {WEST.site: ()}, now, {early: (10, 9)})
    assert "x" not in owners.records


def site_of_two_after_a_change() -> tuple[Network, Lsa]:
    """West was heard at hub, and is gone; its other router, started earlier, joins hub and says
    what both read since. With the last words of west that hub heard."""
    network = Network(["west", "hub"])
    network.identities["west2"] = SameSiteIdentity(network.identities["west"], "ab" * 8)
    network.cores["west"] = network.make_core("west", epoch=5, common=True)
    network.cores["west2"] = network.make_core("west2", epoch=1, common=True)
    network.connect("west", "hub")
    network.serve("west", [OURS])
    network.run(1.0)
    (heard,) = (
        one for one in network.cores["hub"].database() if one.node == WEST.node and not one.part
    )
    network.cut("west", "hub")
    network.connect("west", "west2")
    network.run(1.0)
    for router in ("west", "west2"):
        network.serve(router, [declare("x", ports=(8080,))])
    network.run(1.0)
    network.cut("west", "west2")
    network.connect("west2", "hub")
    network.run(2.0)
    return network, heard


def test_any_router_of_a_site_changes_what_another_one_that_started_later_declared() -> None:
    network, _ = site_of_two_after_a_change()
    declared = network.table("hub").declarations["x"]
    assert (declared.site, declared.declaration) == (WEST.site, declare("x", ports=(8080,)))


@pytest.mark.parametrize("epoch", [1, 5])
def test_a_declaration_made_before_a_later_router_was_heard_counts_from_the_next_refresh(
    epoch: int,
) -> None:
    """Nothing else changes then: it counted only when the lost router was forgotten."""
    network = Network(["west", "hub"])
    network.identities["west2"] = SameSiteIdentity(network.identities["west"], "ab" * 8)
    network.cores["west"] = network.make_core("west", epoch=5, common=True)
    network.cores["west2"] = network.make_core("west2", epoch=epoch, common=True)
    network.connect("west", "hub")
    network.serve("west", [OURS])
    network.run(1.0)
    network.cut("west", "hub")
    changed = declare("x", ports=(8080,))
    network.serve("west2", [changed])
    network.connect("west2", "hub")
    network.run(limits.LSA_REFRESH_S / 2)
    assert "x" not in network.table("hub").declarations
    network.run(limits.LSA_REFRESH_S / 2 + 5.0)
    assert network.table("hub").declarations["x"].declaration == changed


def test_what_a_router_of_a_site_said_before_another_one_changed_it_is_old() -> None:
    network, heard = site_of_two_after_a_change()
    owners = Owners(FakeIdentity("hub").site, network.cores["hub"].owners)
    assert owners.is_old(OURS, heard.node, heard.newness)


def test_the_versions_of_an_owner_are_kept_anew_only_when_it_changes() -> None:
    owners, node = Owners(OWN.site, {}), Node(RouterId("1"), WEST.site)
    told = {"x": [Claim(OURS, WEST.site, node.router, 1)]}
    owners.learn(told, {}, 0.0, {node: (10, 3)})
    before = owners.records
    owners.learn(told, {}, 1.0, {node: (10, 4)})
    assert owners.records is before
    assert before["x"].versions == ((10, 3),)


@pytest.mark.parametrize("version", [(2, 4), (2, 5), (2, 6), (1, 9), (3, 0)])
def test_words_from_before_a_site_came_to_own_a_name_count_only_if_they_say_the_same(
    version: tuple[int, int],
) -> None:
    owners = Owners(OWN.site, {"x": Owner((WEST.site,), content_of(OURS), versions=((2, 5),))})
    is_before = version < (2, 5)
    assert owners.is_old(THEIRS, WEST.node, version) == is_before
    assert not owners.is_old(OURS, WEST.node, version)
    assert not owners.is_old(THEIRS, EAST.node, version), "it is no owner"
    assert not owners.is_old(declare("y"), WEST.node, version), "nobody owns that name"
