"""What `status` says of listeners that are not bound."""

from collections.abc import Container

import msgspec
import pytest

from router.model import limits
from router.model.errors import ConfigError, Severity
from router.model.ids import RouterId, ServiceKey, SiteId
from router.model.messages.adverts import Declaration
from router.model.rights.sharing import Sharing, SharingRules
from router.model.specs import PolicySpec, ServiceSpec
from router.node.problems.listener_problems import of_listener_budgets, of_listeners
from router.node.problems.problems import (
    WEIGHTS_SHOWN,
    KnownSites,
    notes_of_config,
    of_config,
    of_copies,
    of_edge,
    of_table,
    of_terms,
    of_undeclared,
    of_weights,
)
from router.node.services.listeners.budget import ListenerRefusal
from router.node.services.listeners.grants import FORMER, MissingListeners, PortHolder
from router.node.services.plan import Undeclared
from router.routing.bars import BarRow
from router.routing.declared import Declared
from router.routing.table import RouteTable, SiteRoute
from router.service.figures import ListenerState
from sitectl.base.advice import Place

SEVERITIES: tuple[Severity, ...] = ("info", "error", "warning")
SHOP, DB = ServiceKey("shop", 8080), ServiceKey("db", 5432)
TAKEN = "cannot listen on 127.0.0.1:80: Address already in use"


def test_what_degrades_no_site_is_a_note_and_warnings_come_first() -> None:
    errors = [
        ConfigError(f"Service/{n}", "", "is odd", hint="do", code="SW0425", severity=severity)
        for n, severity in enumerate(SEVERITIES * limits.STATUS_NOTES_MAX)
    ]
    notes = notes_of_config(errors[:3])
    assert [(note.severity, note.message, note.hint) for note in notes] == [
        ("warning", "Service/2: is odd", "do"),
        ("info", "Service/0: is odd", "do"),
    ]
    assert [problem.message for problem in of_config(errors[:3])] == ["Service/1: is odd"]
    assert {note.severity for note in notes_of_config(errors)} == {"warning"}
    assert len(notes_of_config(errors)) == limits.STATUS_NOTES_MAX


def state(key: ServiceKey, host: str, port: int, error: str = "") -> ListenerState:
    return ListenerState(key=key, host=host, port=port, listening=not error, error=error, hint="")


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_a_place_that_another_service_of_this_site_has_is_said_to_be_its(host: str) -> None:
    states = {SHOP: state(SHOP, "127.0.0.1", 80, TAKEN), DB: state(DB, host, 80)}
    (problem,) = of_listeners(states)
    assert problem.code == "SW0202"
    assert problem.message.endswith(f"{TAKEN}, by service db:5432 of this site")
    assert problem.hint == "Give one another: sitectl service set shop:8080 --listen [IP:]PORT"


@pytest.mark.parametrize(
    ("host", "port", "error"),
    [
        ("127.0.0.2", 80, TAKEN),
        ("127.0.0.1", 81, TAKEN),
        ("127.0.0.1", 80, "it must speak TLS: tls.crt is not there"),
    ],
)
def test_what_is_not_another_service_s_fault_is_not_said_to_be(
    host: str, port: int, error: str
) -> None:
    states = {SHOP: state(SHOP, "127.0.0.1", 80, error), DB: state(DB, host, port)}
    (problem,) = of_listeners(states)
    assert problem.message.endswith(error)
    assert problem.hint.startswith("Free the port")


@pytest.mark.parametrize(
    ("origin", "refusal", "whose", "next_step"),
    [
        (SiteId("b"), ListenerRefusal.SITE, "Site beta", "revoke-access --link beta"),
        (SiteId("b"), ListenerRefusal.LOW_PORT, "Site beta", "service set web:80 --listen PORT"),
        (FORMER, ListenerRefusal.SITE, "Sites that were known", "revoke-access --link NAME"),
        (None, ListenerRefusal.TOTAL, "This site", "LimitNOFILE"),
        (SiteId("b"), ListenerRefusal.UNPLANNED, "Site beta", "revoke-access --link beta"),
    ],
)
def test_ports_beyond_a_budget_are_a_problem_that_names_their_site(
    origin: SiteId | None, refusal: ListenerRefusal, whose: str, next_step: str
) -> None:
    one = MissingListeners(origin, refusal, 4, (ServiceKey("web", 80),))
    (problem,) = of_listener_budgets([one], {SiteId("b"): "beta"}.__getitem__)
    assert problem.code == "SW0320" and problem.message.startswith(whose)
    assert "4 service ports without a listener here (web:80 and 3 more)" in problem.message
    assert next_step in problem.hint


def test_the_setting_that_helps_is_advised_only_where_it_does() -> None:
    """Ports that are not planned get no listener by raising `listenersPerSite`."""
    hints = {}
    for refusal in (ListenerRefusal.SITE, ListenerRefusal.UNPLANNED):
        one = MissingListeners(SiteId("b"), refusal, 4, (ServiceKey("web", 80),))
        (problem,) = of_listener_budgets([one], str)
        hints[refusal] = problem.hint
    assert "listenersPerSite" in hints[ListenerRefusal.SITE]
    assert "listenersPerSite" not in hints[ListenerRefusal.UNPLANNED]
    assert all("sitectl service set web:80 --listen PORT" in hint for hint in hints.values())


def test_services_of_two_sites_at_one_port_are_a_problem_that_names_both() -> None:
    keys = tuple(ServiceKey(f"mine-{port}", port) for port in (80, 81, 82))
    holders = (
        PortHolder("shop", SiteId("b")),
        PortHolder("pay", SiteId("b"), is_away=True),
        PortHolder("own", None),
    )
    one = MissingListeners(SiteId("m"), ListenerRefusal.PLACE, 3, keys, holders)
    names = {SiteId("b"): "beta", SiteId("m"): "mallory"}
    (problem,) = of_listener_budgets([one], names.__getitem__)
    assert problem.code == "SW0321"
    assert problem.message == (
        "Site mallory declares 3 service ports without a listener here (mine-80:80, the port of "
        "shop of beta, mine-81:81, the port of pay of beta, which is away, mine-82:82, the port of "
        "own of this site): another service has that port here."
    )
    assert "sitectl service set mine-80:80 --listen PORT" in problem.hint
    assert "sitectl service set mine-80:80 --listen 80." in problem.hint
    assert "revoke-access --link mallory" in problem.hint


def test_a_port_that_an_own_service_has_is_another_sites_once_that_gives_it_away() -> None:
    keys, holders = (ServiceKey("shopp", 80),), (PortHolder("shop", None),)
    one = MissingListeners(SiteId("b"), ListenerRefusal.PLACE, 1, keys, holders)
    (problem,) = of_listener_budgets([one], {SiteId("b"): "beta"}.__getitem__)
    assert problem.hint == (
        "Give shopp:80 another port here: sitectl service set shopp:80 --listen PORT. "
        "To give it this port: sitectl service set shop --listen none. "
        "If that site should not be here at all, end its access. "
        "At the site that let it in: sitectl revoke-access --link beta"
    )


def test_a_service_of_another_site_that_was_given_its_port_here_is_not_called_this_sites() -> None:
    """`service set shop:80 --listen 80` at a site that does not declare shop, as advised."""
    keys, holders = (ServiceKey("store", 80),), (PortHolder("shop", None, is_given=True),)
    one = MissingListeners(SiteId("b"), ListenerRefusal.PLACE, 1, keys, holders)
    (problem,) = of_listener_budgets([one], {SiteId("b"): "beta"}.__getitem__)
    assert "(store:80, the port that this site gives shop)" in problem.message
    assert "To give it this port: sitectl service set shop --listen none. " in problem.hint


def test_an_own_service_whose_port_another_own_one_has_is_told_what_frees_it() -> None:
    keys, holders = (ServiceKey("other", 80),), (PortHolder("shop", None),)
    one = MissingListeners(None, ListenerRefusal.PLACE, 1, keys, holders)
    (problem,) = of_listener_budgets([one], str)
    assert problem.message.startswith(
        "This site has 1 service port without a listener here (other:80, the port of shop of this"
    )
    assert problem.hint == (
        "Give other:80 another port here: sitectl service set other:80 --listen PORT. "
        "To free this one: sitectl service set shop --listen none"
    )


def test_a_service_that_was_to_listen_elsewhere_is_named_with_that_address() -> None:
    keys, holders = (ServiceKey("other", 80),), (PortHolder("shop", None),)
    places = (("10.0.0.2", 9_000),)
    one = MissingListeners(None, ListenerRefusal.PLACE, 1, keys, holders, places)
    (problem,) = of_listener_budgets([one], str)
    assert "(other:80 at 10.0.0.2:9000, the port of shop of this site)" in problem.message
    holders = (PortHolder("shop", SiteId("c")),)
    theirs = msgspec.structs.replace(one, origin=SiteId("b"), holders=holders)
    (problem,) = of_listener_budgets([theirs], {"b": "beta", "c": "gamma"}.__getitem__)
    assert "this port: sitectl service set other:80 --listen 10.0.0.2:9000. " in problem.hint


def test_services_that_an_edge_is_not_told_of_are_a_problem_with_two_ways_out() -> None:
    assert of_edge(0) == []
    (problem,) = of_edge(3)
    assert problem.message.startswith("3 services find no room")
    assert "routerMode: interior" in problem.hint


def table(**names: str) -> RouteTable:
    sites = {
        SiteId(site): SiteRoute(
            site=SiteId(site),
            name=name,
            router=RouterId(site),
            path_cost=0,
            paths=(),
            next_hops=(),
            neighbours=(),
            version="",
            reachable=True,
            draining=False,
        )
        for site, name in names.items()
    }
    return RouteTable(
        generation=1,
        site=SiteId("a"),
        sites=sites,
        candidates={},
        declarations={},
        name_conflicts=(),
        next_hops={},
        epochs={},
        adjacencies=(),
    )


OPEN = SharingRules()


def called(site: SiteId) -> str:
    """The name of ``site``, or its id."""
    return {"a": "here", "b": "east", "c": "west"}.get(site, site)


def known(
    routes: RouteTable,
    deleted: Container[SiteId] = (),
    *,
    all_links_up: bool = False,
    similar: str = "",
) -> KnownSites:
    return KnownSites(routes, called, deleted, all_links_up, lambda name: similar)


def test_an_owner_that_was_not_met_since_the_start_has_no_name_yet() -> None:
    found = [(Undeclared("Connector", "here", "shop"), [SiteId("0123456789abcdef")])]
    (problem,) = of_undeclared(found, known(table(b="east")), OPEN)
    assert problem.message == (
        "Connector here: no site declares the service shop. Site 01234567, which declared it last, "
        "is not reached. This router knows no name of a site that it has not met since its start."
    )
    assert problem.hint == "The service is back once site 01234567 is. See: sitectl link status"
    (problem,) = of_undeclared(found, known(table(b="east"), all_links_up=True), OPEN)
    assert problem.hint.endswith("See: sitectl network status"), "`ping` takes met sites"


def test_a_service_of_a_barred_site_comes_back_with_that_site() -> None:
    found: list[tuple[Undeclared, list[SiteId]]] = [(Undeclared("Connector", "here", "shop"), [])]
    east, west = SiteId("b"), SiteId("c")
    barred = msgspec.structs.replace(
        table(b="east", c="west"),
        bars=(BarRow(east, west, 9), BarRow(west, east, 9)),
        barred={"shop": (east,)},
    )
    (problem,) = of_undeclared(found, known(barred), OPEN)
    assert problem.message.endswith("east, which declared it last, is barred by west.")
    assert problem.hint == (
        "To let east in again, at west: sitectl token create FILE. Else: "
        "sitectl service create shop PORT"
    )


def test_a_service_whose_declaration_a_rule_refuses_is_not_to_be_created() -> None:
    found: list[tuple[Undeclared, list[SiteId]]] = [
        (Undeclared("Connector", "here", "shop"), []),
        (Undeclared("Policy", "cap", "shop"), []),
    ]
    refusing = msgspec.structs.replace(table(a="here", b="east"), refused={"shop": (SiteId("b"),)})
    rules = SharingRules({"shop": Sharing(import_from=("west",))})
    connector, policy = of_undeclared(found, known(refusing), rules)
    assert (connector.code, policy.code) == ("SW0301", "SW0313")
    assert connector.message == (
        "Connector here has no effect: importFrom of here does not name east, which declares shop."
    )
    assert connector.hint == ("Let east in: sitectl service set shop --import-from west,east")


def test_a_service_that_nobody_declares_is_to_be_created() -> None:
    found: list[tuple[Undeclared, list[SiteId]]] = [
        (Undeclared("Connector", "here", "shop"), []),
        (Undeclared("Policy", "cap", "shop", "--max-share none"), []),
    ]
    connector, policy = of_undeclared(found, known(table(b="east")), OPEN)
    assert (connector.code, policy.code) == ("SW0301", "SW0313")
    assert connector.hint == "sitectl service create shop PORT"
    undo = "sitectl service set shop --max-share none"
    assert policy.hint == f"sitectl service create shop PORT, or: {undo}"


def test_a_service_that_was_declared_is_to_be_created_as_it_was() -> None:
    removed = Undeclared("Connector", "here", "shop", ports=(8080, 9090), protocol="http")
    (problem,) = of_undeclared([(removed, [])], known(table(b="east"), similar="shop2"), OPEN)
    assert problem.hint == "sitectl service create shop 8080 9090 --protocol http"
    (problem,) = of_undeclared([(removed, [SiteId("b")])], known(table(b="east")), OPEN)
    assert problem.hint.endswith(
        "If east gave it up: sitectl service create shop 8080 9090 --protocol http"
    )


def test_a_name_that_is_nearly_that_of_a_service_may_have_meant_it() -> None:
    shpo = Undeclared("Connector", "here", "shpo", targets="10.0.0.1:80 --capacity 2")
    cap = Undeclared("Policy", "cap", "shpo", "--max-share none")
    near = known(table(b="east"), similar="shop")
    connector, policy = of_undeclared([(shpo, []), (cap, [])], near, OPEN)
    assert connector.hint == (
        "Did you mean shop? Correct connector here, or: sitectl service bind shop 10.0.0.1:80 "
        "--capacity 2; sitectl service unbind shpo 10.0.0.1:80. If not: "
        "sitectl service create shpo PORT"
    )
    assert policy.hint == (
        "Did you mean shop? Correct policy cap. If not: sitectl service create shpo PORT, or: "
        "sitectl service set shpo --max-share none"
    )
    second = msgspec.structs.replace(shpo, name="there")
    (both,) = of_undeclared([(shpo, []), (second, [])], near, OPEN)
    assert both.hint.startswith(
        "Did you mean shop? Correct connectors here, there, or: sitectl service bind shop …; "
        "sitectl service unbind shpo …. If not: "
    )
    (owned,) = of_undeclared([(shpo, [SiteId("b")])], near, OPEN)
    assert "Did you mean" not in owned.hint, "it was declared"


def test_a_service_whose_port_another_one_has_now_may_have_been_renamed() -> None:
    """Its step was to declare it again as it was: then both had one port, at every site."""
    shop = Undeclared(
        "Connector", "here", "shop", targets="10.0.0.1:80", ports=(8080,), protocol="http"
    )
    spec = ServiceSpec(ports=(8080,), protocol="http")
    declared = Declared(
        declaration=Declaration(name="store", spec=spec, declared_at_s=0.0),
        site=SiteId("b"),
        reachable=True,
        conflicts=(),
    )
    renamed = msgspec.structs.replace(table(b="east"), declarations={"store": declared})
    (problem,) = of_undeclared([(shop, [])], known(renamed), OPEN)
    assert problem.message == (
        "Connector here: no site declares the service shop. store has its port 8080 now."
    )
    assert problem.hint == (
        "Did you mean store? Correct connector here, or: sitectl service bind store 10.0.0.1:80; "
        "sitectl service unbind shop 10.0.0.1:80. If not: "
        "sitectl service create shop PORT --protocol http"
    )
    (problem,) = of_undeclared([(shop, [SiteId("b")])], known(renamed), OPEN)
    assert problem.message.endswith(" not for this site. store has its port 8080 now.")
    (problem,) = of_undeclared([(shop, [SiteId("c")])], known(renamed), OPEN)
    assert problem.message.endswith(" is not reached."), "it was not renamed: its site is away"
    namespace = msgspec.structs.replace(known(renamed), ports_collide=False)
    (problem,) = of_undeclared([(shop, [])], namespace, OPEN)
    assert problem.hint == "sitectl service create shop 8080 --protocol http"
    other = msgspec.structs.replace(shop, ports=(8081,))
    (problem,) = of_undeclared([(other, [])], known(renamed), OPEN)
    assert problem.hint == "sitectl service create shop 8081 --protocol http"


def test_connectors_of_one_service_that_is_not_declared_are_one_problem() -> None:
    names = ("shop-1", "db", "shop-2", "shop-3", "shop-4", "shop-5")
    found: list[tuple[Undeclared, list[SiteId]]] = [
        (Undeclared("Connector", name, name.partition("-")[0]), []) for name in names
    ]
    shop, db = of_undeclared(found, known(table(b="east")), OPEN)
    assert shop.message == (
        "Connectors shop-1, shop-2, shop-3 and 2 more: no site declares the service shop."
    )
    assert db.message == "Connector db: no site declares the service db."
    refusing = msgspec.structs.replace(table(a="here", b="east"), refused={"shop": (SiteId("b"),)})
    (shop, _) = of_undeclared(found, known(refusing), OPEN)
    assert shop.message.startswith("Connectors shop-1, shop-2, shop-3 and 2 more have no effect: ")


def test_a_service_whose_owner_is_there_may_be_withheld() -> None:
    found = [(Undeclared("Connector", "here", "shop"), [SiteId("b")])]
    (problem,) = of_undeclared(found, known(table(b="east")), OPEN)
    assert "east declared it last, and does not now, or not for this site." in problem.message
    assert problem.hint.startswith("See who may use what: sitectl access. If east gave it up: ")


def test_a_service_whose_owner_was_deleted_is_to_be_created() -> None:
    found = [(Undeclared("Connector", "here", "shop"), [SiteId("b")])]
    (problem,) = of_undeclared(found, known(table(), {SiteId("b")}), OPEN)
    assert problem.message.endswith("shop. east, which declared it last, was deleted.")
    assert problem.hint == "sitectl service create shop PORT"


def test_a_site_that_is_gone_is_not_called_as_another_one_that_has_its_name_by_now() -> None:
    found = [(Undeclared("Connector", "here", "shop"), [SiteId("b")])]
    again = table(d="east")
    for deleted, verb in ({SiteId("b")}, "was deleted"), (set[SiteId](), "is not reached"):
        (problem,) = of_undeclared(found, known(again, deleted), OPEN)
        assert problem.message.endswith(f"shop. east@b, which declared it last, {verb}.")


def test_a_service_whose_owner_is_away_is_not_to_be_created() -> None:
    found = [(Undeclared("Connector", "here", "shop"), [SiteId("b"), SiteId("c")])]
    sites = table(c="west")
    route = msgspec.structs.replace(sites.sites[SiteId("c")], reachable=False)
    away = msgspec.structs.replace(sites, sites={SiteId("c"): route})
    for routes, names in ((sites, "east"), (away, "east, west")):
        (problem,) = of_undeclared(found, known(routes), OPEN)
        assert f"{names}, which declared it last" in problem.message
        assert "create" not in problem.hint and "link status" in problem.hint
        (problem,) = of_undeclared(found, known(routes, all_links_up=True), OPEN)
        assert problem.hint.endswith(". See: sitectl ping east"), "`link status` has no fault"


def test_weights_of_names_that_are_those_of_no_single_site_are_a_problem() -> None:
    spec = ServiceSpec(ports=(1,), policy=PolicySpec("split", {"east": 1, "west": 1, "gone": 2}))
    assert of_weights({"shop": spec}, table(a="east", b="west", c="gone")) == []
    assert of_weights({"shop": ServiceSpec(ports=(1,))}, table(a="east")) == []
    (problem,) = of_weights({"shop": spec}, table(a="east", b="west@b", c="west@c"))
    assert problem.code == "SW0312"
    assert ": gone, west (claimed by two sites)." in problem.message
    assert "sitectl service set shop --weight" in problem.hint
    named = table(a="east", b="west@b", c="west@c")
    (problem,) = of_weights({"shop": spec}, named, knows_all=False)
    assert "has: west (claimed by two sites)." in problem.message, "gone may be there, unused"
    assert of_weights({"shop": spec}, table(a="east"), knows_all=False) == []


def test_sites_whose_terms_find_no_room_are_named_up_to_a_bound() -> None:
    assert of_terms([]) == []
    names = [f"guest-{number}" for number in range(WEIGHTS_SHOWN + 2)]
    (most,) = of_terms(names[:WEIGHTS_SHOWN])
    assert most.code == "SW0319"
    assert most.message.endswith("allows nothing to guest-0, guest-1, guest-2, guest-3, guest-4.")
    assert "sitectl token create" in most.hint
    (more,) = of_terms(names)
    assert more.message.endswith("guest-4 and 2 more.")


@pytest.mark.parametrize(
    ("names", "told", "hint"),
    [
        (("far@1", "far@2"), "Two sites are named far;", "Give one of them another name."),
        (("far@1", "far@2", "far@3"), "3 sites are named far;", "Give all but one another name."),
    ],
)
def test_sites_of_one_name_are_counted(names: tuple[str, ...], told: str, hint: str) -> None:
    known = table(a="near", **{f"b{number}": name for number, name in enumerate(names)})
    (problem,) = of_table(msgspec.structs.replace(known, name_conflicts=("far",)))
    assert problem.message.startswith(told)
    assert problem.hint.startswith(hint)
    here = Place({"--state": "/srv/near"}, is_namespace=False)
    assert here.completed(problem.hint) == problem.hint, "it is typed at the other site"


def test_a_site_of_the_name_that_is_gone_is_not_counted() -> None:
    known = table(a="near", b="far@1", c="far@2", d="far@3")
    gone = msgspec.structs.replace(known.sites[SiteId("d")], reachable=False)
    sites = {**known.sites, SiteId("d"): gone}
    (problem,) = of_table(msgspec.structs.replace(known, sites=sites, name_conflicts=("far",)))
    assert problem.message.startswith("Two sites are named far;")


def test_the_advice_on_a_neighbors_copy_does_not_delete_the_site_that_shows_it() -> None:
    (problem,) = of_copies(["Two routers run with the identity of kiosk."])
    assert "--site shop" not in Place({"--site": "shop"}, is_namespace=False).completed(
        problem.hint
    )
