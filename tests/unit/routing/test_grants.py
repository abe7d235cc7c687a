"""What the owner of a service lets others do with it, as all sites see it."""

from itertools import pairwise

import msgspec
import pytest

from router.model import limits
from router.model.ids import ServiceKey, SiteId
from router.model.messages.adverts import Declaration, TargetsAdvert
from router.model.rights.grants import CALL, OFFER, OWN, REDECLARE, ServiceGrant
from router.model.rights.sharing import ALL, Sharing, SharingRules
from router.routing.adverts.lsa import LsaFault, Services, decode_lsa
from tests.unit.routing.fakes import FakeIdentity, SameSiteIdentity, declare, make_lsa, signed
from tests.unit.routing.network import Network

pytestmark = pytest.mark.usefixtures("both_orders")

WEST, EAST, HUB = (FakeIdentity(name) for name in ("west", "east", "hub"))
OURS, THEIRS = declare("x", ports=(80,)), declare("x", ports=(81,))
STRICT = SharingRules({ALL: Sharing((ALL,), (ALL,))}, strict=True)


def line() -> Network:
    names = ("west", "hub", "east")
    network = Network(names)
    for one, other in pairwise(names):
        network.connect(one, other)
    network.run(limits.OWNER_MET_S + 1)
    return network


def granting(*grants: ServiceGrant) -> Declaration:
    return msgspec.structs.replace(OURS, grants=grants)


def offer(capacity: int | None = 1000) -> TargetsAdvert:
    return TargetsAdvert(name="x", port=80, targets_ready=9, capacity=capacity)


def offered(network: Network, by: FakeIdentity = EAST) -> tuple[str, int | None]:
    """Why hub does not use it, and how much capacity is believed."""
    found = network.table("hub").candidates[ServiceKey("x", 80)]
    (one,) = [candidate for candidate in found if candidate.site == by.site]
    return one.barred.partition(":")[0], one.capacity


def strict(network: Network, rules: SharingRules = STRICT) -> None:
    network.take("hub", network.cores["hub"].set_rules(rules, network.now))


def test_a_strict_site_takes_offers_of_the_owner_and_of_whom_it_granted_and_of_nobody_else() -> (
    None
):
    network = line()
    strict(network)
    network.serve("west", [OURS], [offer(5)])
    network.serve("east", [], [offer()])
    network.run(1.0)
    assert offered(network, WEST) == ("", 5)
    assert offered(network) == ("not-approved", 1000)
    network.serve("west", [granting(ServiceGrant(EAST.site, (OFFER,), 20))], [offer(5)])
    network.run(limits.LSA_MIN_INTERVAL_S + 1)
    assert offered(network) == ("", 20)
    network.serve("west", [granting(ServiceGrant(EAST.site, (CALL, "fly")))], [offer(5)])
    network.run(limits.LSA_MIN_INTERVAL_S + 1)
    assert offered(network) == ("not-approved", 1000)


def test_an_open_site_takes_every_offer_and_believes_no_more_than_was_granted() -> None:
    network = line()
    network.serve("west", [OURS])
    network.serve("east", [], [offer(None)])
    network.run(1.0)
    assert offered(network) == ("", None)
    network.serve("west", [granting(ServiceGrant(EAST.site, (OFFER,), 20))])
    network.run(limits.LSA_MIN_INTERVAL_S + 1)
    assert offered(network) == ("", 20)


def test_a_grant_ends_by_the_clock_of_each_site_that_checks_it() -> None:
    network = line()
    strict(network)
    until = int(network.now) + 50
    network.serve("west", [granting(ServiceGrant(EAST.site, (OFFER,), until=until))])
    network.serve("east", [], [offer()])
    network.run(1.0)
    assert offered(network) == ("", 1000)
    assert network.table("hub").grants_end == until
    network.run(60.0)
    network.take("hub", network.cores["hub"].grants_ended(network.now))
    assert offered(network) == ("not-approved", 1000)
    assert network.table("hub").grants_end is None


def test_grants_outlive_the_owner_and_a_restart() -> None:
    network = line()
    strict(network)
    network.serve("west", [granting(ServiceGrant(EAST.site, (OFFER,)))])
    network.serve("east", [OURS], [offer()])
    network.run(1.0)
    network.cut("west", "hub")
    network.run(limits.SERVICE_SYNC_TTL_S + 5)
    assert (
        network.table("hub").declarations["x"].site == EAST.site
    )  # It says the same as the owner did.
    assert offered(network) == ("", 1000)
    network.restart("hub", 5, remembers=True)
    strict(network)
    network.run(5.0)
    assert offered(network) == ("", 1000)


def test_only_the_owners_grants_count_and_this_sites_own() -> None:
    network = line()
    strict(network)
    network.serve("west", [OURS])
    network.run(1.0)
    lie = msgspec.structs.replace(OURS, grants=(ServiceGrant(EAST.site, (OFFER, OWN)),))
    network.serve("east", [lie], [offer()])
    network.run(1.0)
    assert offered(network) == ("not-approved", 1000)
    assert network.table("hub").owners["x"].sites == (WEST.site,)
    own = SharingRules(
        {**STRICT.services, "x": Sharing(grants=(ServiceGrant(EAST.site, (OFFER,), 7),))},
        strict=True,
    )
    strict(network, own)
    assert offered(network) == ("", 7)


def test_a_name_goes_to_whom_its_owner_hands_it_once_that_declares_it() -> None:
    network = line()
    network.serve("west", [granting(ServiceGrant(EAST.site, (OWN,)))])
    network.run(1.0)
    assert network.table("hub").owners["x"].sites == (WEST.site,)
    network.serve("east", [THEIRS])
    network.run(1.0)
    for name in ("west", "hub", "east"):
        assert network.table(name).owners["x"].sites == (EAST.site,)
    assert network.table("hub").declarations["x"].declaration.spec.ports == (81,)
    network.serve("west")  # It gives way, and is owner no more: nothing is withdrawn.
    network.run(limits.OWNER_WITHDRAWN_S + 5)
    assert network.table("hub").declarations["x"].site == EAST.site


def test_a_name_is_handed_over_however_many_others_declare_it() -> None:
    network = line()
    network.serve("west", [granting(ServiceGrant(EAST.site, (OWN,)))])
    network.run(1.0)
    network.serve("hub", [OURS])
    network.serve("east", [THEIRS])
    network.run(1.0)
    for name in ("west", "hub", "east"):
        assert network.table(name).owners["x"].sites == (EAST.site,)


def test_two_that_hand_a_name_to_each_other_change_nothing() -> None:
    network = line()
    network.serve("west", [granting(ServiceGrant(EAST.site, (OWN,)))])
    network.run(1.0)
    network.serve(
        "east", [msgspec.structs.replace(THEIRS, grants=(ServiceGrant(WEST.site, (OWN,)),))]
    )
    network.run(5.0)
    assert network.table("hub").owners["x"].sites == (WEST.site,)


def test_who_may_redeclare_stands_in_for_an_owner_that_says_nothing() -> None:
    network = line()
    network.serve("west", [granting(ServiceGrant(EAST.site, (REDECLARE,)))])
    network.run(1.0)
    network.serve("east", [THEIRS])
    network.run(1.0)
    assert network.table("hub").declarations["x"].site == WEST.site
    network.cut("west", "hub")
    network.run(limits.SERVICE_SYNC_TTL_S + 5)
    assert network.table("hub").declarations["x"].site == EAST.site
    assert network.table("hub").owners["x"].sites == (WEST.site,)


@pytest.mark.parametrize(
    "grants",
    [
        (ServiceGrant(SiteId("east"), (OFFER,)),),
        (ServiceGrant(EAST.site, ("x" * 64,)),),
        (ServiceGrant(EAST.site, (OFFER,) * 9),),
        (ServiceGrant(EAST.site, (OFFER,), -1),),
        (ServiceGrant(EAST.site, (OFFER,), None, -1),),
        tuple(ServiceGrant(EAST.site, (OFFER,)) for _ in range(limits.GRANTS_PER_SERVICE_MAX + 1)),
    ],
)
def test_grants_that_cannot_be_are_refused(grants: tuple[ServiceGrant, ...]) -> None:
    who = FakeIdentity("west")
    body = Services((granting(*grants),), ())
    found = decode_lsa(signed(make_lsa(who, part=1, services=body), who))
    assert isinstance(found, LsaFault) and found.code == "bad-value"


def test_a_grant_of_redeclare_that_ended_lets_no_one_stand_in() -> None:
    network = line()
    until = int(network.now) + 50
    network.serve("west", [granting(ServiceGrant(EAST.site, (REDECLARE,), until=until))])
    network.run(1.0)
    network.serve("east", [THEIRS])
    network.run(1.0)
    network.cut("west", "hub")
    network.run(limits.SERVICE_SYNC_TTL_S + 5)
    network.take("hub", network.cores["hub"].grants_ended(network.now))
    assert "x" not in network.table("hub").declarations


def test_routers_of_one_site_share_what_it_was_granted() -> None:
    twin = SameSiteIdentity(FakeIdentity("east"), "e2" * 8)
    network = line()
    network.identities["twin"] = twin
    network.cores["twin"] = network.make_core("twin")
    network.connect("hub", "twin")
    network.serve("west", [granting(ServiceGrant(EAST.site, (OFFER,), 20))])
    network.serve("east", [], [offer()])
    network.serve("twin", [], [offer(4)])
    network.run(1.0)
    assert slots_of_east(network) == [4, 16]
    network.serve("twin", [], [offer(None)])
    network.run(1.0)
    assert slots_of_east(network) == [10, 10]
    network.serve("twin", [], [msgspec.structs.replace(offer(), targets_ready=0)])
    network.run(1.0)
    assert slots_of_east(network) == [0, 20]


def slots_of_east(network: Network) -> list[int | None]:
    found = network.table("hub").candidates[ServiceKey("x", 80)]
    return sorted(
        (one.capacity for one in found if one.site == EAST.site), key=lambda slots: slots or 0
    )


def test_of_two_that_may_own_a_name_a_strict_site_takes_the_offers_of_the_one_that_counts() -> None:
    network = Network(("west", "hub", "east"))
    network.serve("west", [OURS], [offer()])
    network.serve("east", [granting(ServiceGrant(EAST.site, (OFFER,)))], [offer()])
    strict(network)
    network.connect("west", "hub", 1)
    network.connect("east", "hub", 5)
    network.run(1.0)
    assert network.table("hub").owners["x"].sites == tuple(sorted((WEST.site, EAST.site)))
    assert network.table("hub").declarations["x"].site == WEST.site
    assert offered(network, WEST)[0] == ""
    assert offered(network, EAST)[0] == "not-approved"


def test_at_a_strict_site_that_declares_a_name_its_own_grants_count_and_not_its_owners() -> None:
    network = line()
    network.serve("east", [granting(ServiceGrant(WEST.site, (OFFER,), 0))], [offer()])
    network.run(1.0)
    strict(network)
    network.serve("hub", [OURS])
    network.serve("west", [], [offer(5)])
    network.run(1.0)
    assert network.table("hub").owners["x"].sites == (EAST.site,)
    assert offered(network, EAST)[0] == "not-approved"
    assert offered(network, WEST) == ("not-approved", 5)
    strict(
        network,
        SharingRules(
            {**STRICT.services, "x": Sharing(grants=(ServiceGrant(EAST.site, (OFFER,), 7),))},
            strict=True,
        ),
    )
    assert offered(network, EAST) == ("", 7)


def test_a_newcomer_follows_a_name_that_was_handed_over() -> None:
    network = line()
    network.serve("west", [granting(ServiceGrant(EAST.site, (OWN,)))])
    network.run(1.0)
    network.serve("east", [THEIRS])
    network.run(1.0)
    network.restart("hub", 5)
    network.run(5.0)
    assert network.table("hub").owners["x"].sites == (EAST.site,)


def test_three_that_hand_a_name_around_change_nothing() -> None:
    network = line()
    network.serve("west", [granting(ServiceGrant(EAST.site, (OWN,)))])
    network.run(1.0)
    network.serve("hub", [granting(ServiceGrant(WEST.site, (OWN,)))])
    network.run(1.0)
    network.serve("east", [granting(ServiceGrant(HUB.site, (OWN,)))])
    network.run(5.0)
    for name in ("west", "hub", "east"):
        assert network.table(name).owners["x"].sites == (WEST.site,)


def test_of_an_owners_grants_nothing_is_remembered_that_means_nothing() -> None:
    network = line()
    strange = tuple(f"verb-{number}" for number in range(8))
    network.serve(
        "west",
        [granting(ServiceGrant(EAST.site, strange), ServiceGrant(HUB.site, (*strange[:7], OFFER)))],
    )
    network.run(1.0)
    assert network.table("hub").owners["x"].grants == (ServiceGrant(HUB.site, (OFFER,)),)


def test_grants_that_were_agreed_on_yield_to_what_the_owner_says_now() -> None:
    network = line()
    network.serve("west", [granting(ServiceGrant(EAST.site, (OFFER,)))])
    network.run(1.0)
    older = dict(network.cores["hub"].owners)
    network.serve("west", [OURS])
    network.run(1.0)
    network.take("hub", network.cores["hub"].set_owners(older, network.now))
    assert network.table("hub").owners["x"].grants == ()
