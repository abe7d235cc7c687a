"""A router's adverts of its services: the identical objects where nothing changed."""

import msgspec

from router.documents import Wanted
from router.model.ids import ServiceKey
from router.model.rights.sharing import SharingRules
from router.model.specs import ServiceSpec, SitePolicySpec, SiteSpec
from router.net.simulated.internet import SimulatedInternet
from router.node.services.own_adverts import OwnAdverts
from router.service.service_figures import AdvertisedTargets
from simulator.runs.virtual import MemoryKeeper

RULES = SharingRules()
SHOP, TILL = ServiceKey("shop", 8080), ServiceKey("till", 8081)


def wanted(**ports: int) -> Wanted:
    services = {name: ServiceSpec(ports=(port,)) for name, port in ports.items()}
    return Wanted(name="east", site=SiteSpec(), services=services)


def words() -> OwnAdverts:
    return OwnAdverts(MemoryKeeper(SimulatedInternet(1)))


def test_only_a_declaration_that_changed_is_another_value() -> None:
    own = words()
    shop, till = own.declarations(wanted(shop=8080, till=8081), RULES)
    again, changed = own.declarations(wanted(shop=8080, till=9091), RULES)
    assert again is shop
    assert (till.spec.ports, changed.spec.ports) == ((8081,), (9091,))
    assert changed.declared_at_s == till.declared_at_s


def test_a_rule_of_whom_a_service_is_for_makes_another_declaration() -> None:
    own = words()
    before = wanted(shop=8080)
    assert own.declarations(before, before.rules)[0].export_to is None
    policy = SitePolicySpec(service="shop", export_to=("west",))
    after = msgspec.structs.replace(before, policies={"shop": policy})
    assert own.declarations(after, after.rules)[0].export_to == ("west",)


def test_only_an_advert_that_changed_is_another_value() -> None:
    own = words()
    shop, till = own.adverts(
        [(SHOP, AdvertisedTargets(1, 4)), (TILL, AdvertisedTargets(2, None, 7.5))],
        RULES,
        draining=lambda key: key == TILL,
        is_divided=False,
    )
    assert (till.targets_ready, till.capacity, till.rate_per_s) == (2, None, 7.5)
    assert (shop.draining, till.draining) == (False, True)
    again, changed = own.adverts(
        [(SHOP, AdvertisedTargets(1, 4)), (TILL, AdvertisedTargets(1, None, 7.5))],
        RULES,
        draining=lambda key: False,
        is_divided=False,
    )
    assert again is shop
    assert changed.targets_ready == 1 and not changed.draining
    (stops,) = own.adverts(
        [(SHOP, AdvertisedTargets(1, 4))], RULES, draining=lambda key: True, is_divided=False
    )
    assert stops.draining
