"""Names of sites and routers: from the table, else the last known name, else the id."""

import pytest

from router.model.ids import RouterId, SiteId
from router.model.limits import LSA_MAX_AGE_S
from router.routing.names import Names
from tests.unit.routing.fakes import FakeIdentity, SameSiteIdentity
from tests.unit.routing.network import Network

pytestmark = pytest.mark.usefixtures("both_orders")


def star(*others: str) -> tuple[Network, Names]:
    network = Network(["hub", *others])
    for other in others:
        network.connect("hub", other)
    network.run(5.0)
    names = Names(network.cores["hub"], network.identities["hub"].site)
    names.table_changed(network.table("hub"))
    return network, names


def test_whom_the_table_knows_is_called_by_its_site_and_others_by_their_ids() -> None:
    network, names = star("west", "east")
    for identity in network.identities.values():
        assert names.site(identity.site) == names.router(identity.router) == identity.name
    assert names.site(SiteId("strange")) == "strange"
    assert names.router(RouterId("strange")) == "strange"


def test_a_site_that_is_gone_is_called_as_it_was_called_last() -> None:
    network, names = star("west", "east")
    network.cut("hub", "west")
    network.run(LSA_MAX_AGE_S + 60.0)
    site = network.identities["west"].site
    assert site not in network.table("hub").sites
    names.table_changed(network.table("hub"))
    assert names.site(site) == "west"


def test_of_a_path_each_other_site_is_named_once_for_all_of_its_routers() -> None:
    network = Network(["hub", "one", "two", "east"])
    network.identities["two"] = SameSiteIdentity(network.identities["one"], "77" * 8)
    network.cores["two"] = network.make_core("two")
    for one, other in (("hub", "one"), ("one", "two"), ("two", "east")):
        network.connect(one, other)
    network.run(5.0)
    names = Names(network.cores["hub"], network.identities["hub"].site)
    names.table_changed(network.table("hub"))
    path = [network.identities[name].router for name in ("hub", "one", "two", "east")]
    assert names.sites(path) == ("one", "east")


def test_no_more_names_are_remembered_than_fit_and_the_newest_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("router.routing.names.SITE_NAMES_MAX", 4)
    network, names = star("a", "b", "c")
    for gone, new in (("a", "d"), ("b", "e")):
        network.cut("hub", gone)
        network.identities[new] = FakeIdentity(new)
        network.cores[new] = network.make_core(new)
        network.connect("hub", new)
        network.run(LSA_MAX_AGE_S + 60.0)
        names.table_changed(network.table("hub"))
    called = {name: names.site(network.identities[name].site) for name in ("c", "d", "e", "hub")}
    assert called == {name: name for name in called}
    assert names.site(network.identities["a"].site) == network.identities["a"].site
    assert names.site(network.identities["b"].site) == network.identities["b"].site
