"""Sentences about sites with room that may not serve a service port."""

from collections.abc import Mapping

import msgspec
import pytest

from router.balance.deciding.candidates import Verdict
from router.balance.deciding.decisions import CandidateReport, Explanation, NoChoice
from router.model.ids import RouterId, ServiceKey, SiteId
from router.model.messages.adverts import Declaration, LoadReport, RateLoad, RemoteCandidate
from router.model.rights.owners import Owner
from router.model.rights.sharing import Sharing, SharingRules, Terms
from router.model.settings import Isolation
from router.model.specs import PolicySpec, ServiceSpec
from router.node.problems.left_out import LeftOut, LeftOutFacts, left_out, why_not
from router.routing.bars import BarRow
from router.routing.declared import Declared
from router.routing.table import RouteTable, SiteRoute

SHOP = ServiceKey("shop", 8080)
FULL = NoChoice("all-full", (), True)


def site_id(name: str) -> SiteId:
    return SiteId(name.encode().hex().ljust(64, "0"))


NEAR = site_id("near")


def offer(
    name: str, *, export_to: tuple[str, ...] | None = None, **changes: str
) -> RemoteCandidate:
    offered = RemoteCandidate(
        site=site_id(name),
        site_name=name,
        router=RouterId(name),
        path_cost=5,
        paths=((RouterId(name),),),
        targets_ready=1,
        capacity=10,
        draining=False,
        export_to=export_to,
    )
    return msgspec.structs.replace(offered, **changes)


def row(name: str, verdict: Verdict = "excluded", free: int | None = 10) -> CandidateReport:
    return CandidateReport(
        site=site_id(name),
        site_name=name,
        path_cost=5,
        path=(),
        targets_ready=1,
        capacity=10,
        in_flight=0,
        free=free,
        age_s=1.0,
        verdict=verdict,
        reason="a rule",
    )


def table(
    offers: tuple[RemoteCandidate, ...] = (),
    withheld: tuple[RemoteCandidate, ...] = (),
    terms: Mapping[SiteId, Terms] | None = None,
) -> RouteTable:
    names = ["near", *(one.site_name for one in (*offers, *withheld))]
    return RouteTable(
        generation=1,
        site=NEAR,
        sites={site_id(name): route(name) for name in names},
        candidates={SHOP: offers},
        declarations={},
        name_conflicts=(),
        next_hops={},
        epochs={},
        adjacencies=(),
        withheld={SHOP: withheld},
        terms=terms or {},
    )


def route(name: str) -> SiteRoute:
    return SiteRoute(
        site=site_id(name),
        name=name,
        router=RouterId(name),
        path_cost=0,
        paths=((),),
        next_hops=(),
        neighbours=(),
        version="1",
        reachable=True,
        draining=False,
    )


def facts(*rows: CandidateReport, policy: str = "fill", **more: object) -> LeftOutFacts:
    explanation = Explanation(policy, FULL, rows)
    given = LeftOutFacts(key=SHOP, table=table(), explanation=explanation)
    return msgspec.structs.replace(given, **more)


def importing(*names: str) -> SharingRules:
    return SharingRules({"shop": Sharing(import_from=tuple(map(site_id, names)))})


def barred(*names: str) -> tuple[RemoteCandidate, ...]:
    return tuple(offer(name, barred="importFrom") for name in names)


def test_sites_that_the_import_rule_leaves_out_are_added_to_it() -> None:
    found = left_out(
        facts(
            row("far", free=7),
            row("hub", free=None),
            table=table(barred("far", "hub")),
            rules=importing("west"),
            imports=("west", "east-*"),
        )
    )
    assert found == LeftOut(
        "importFrom of near leaves out far (7 free), hub (no capacity configured).",
        "Let them in: sitectl service set shop --import-from 'west,east-*,far,hub'",
    )


@pytest.mark.parametrize("one", [row("far", free=0), row("far", "full")])
def test_a_site_without_room_would_be_no_help(one: CandidateReport) -> None:
    assert left_out(facts(one, table=table(barred("far")), rules=importing())) == LeftOut()


def test_a_site_that_drains_would_be_no_help() -> None:
    drains = (msgspec.structs.replace(barred("far")[0], draining=True),)
    assert left_out(facts(row("far"), table=table(drains), rules=importing())) == LeftOut()


def test_many_sites_are_a_number() -> None:
    names = [f"far{number}" for number in range(5)]
    found = left_out(facts(*map(row, names), table=table(barred(*names)), rules=importing()))
    assert "far2 (10 free) and 2 more sites." in found.why
    assert found.let_in.endswith(",".join(names))


def test_a_site_that_declares_another_protocol_is_made_alike_there() -> None:
    differs = offer("far", differs="far declares it as tcp, and http counts here")
    found = left_out(facts(row("far"), table=table((differs,))))
    assert found.why == ("far (10 free) is left out: far declares it as tcp, and http counts here.")
    assert found.let_in.startswith("At far: sitectl service set shop --protocol ")


def test_where_another_site_owns_the_name_it_is_left_to_that_once() -> None:
    differs = offer("far", differs="far serves it as tcp, since hub owns the name, and …")
    own = Declaration(name="shop", spec=ServiceSpec(ports=(8080,)), declared_at_s=0.0)
    known = msgspec.structs.replace(
        table((differs, offer("hub", differs="hub declares it as tcp, and …"))),
        owners={"shop": Owner((site_id("hub"),), content="")},
        declarations={
            "shop": Declared(
                declaration=own, site=NEAR, reachable=True, conflicts=(site_id("hub"),)
            )
        },
    )
    seen = facts(row("far"), row("hub"), table=known)
    assert left_out(seen).let_in == (
        "Leave the name to hub: sitectl service delete shop (its targets here go, too: bind them "
        "again)"
    )
    by_hand = msgspec.structs.replace(seen, removal="kubectl edit deployment/shop")
    assert left_out(by_hand).let_in == "Leave the name to hub: kubectl edit deployment/shop"


@pytest.mark.parametrize("declares", ["hub", "near"])
def test_who_follows_the_owner_or_declares_the_same_has_the_third_site_made_alike(
    declares: str,
) -> None:
    """There is nothing to delete here that would help."""
    spec = ServiceSpec(ports=(8080,), protocol="http")
    counts = Declared(
        declaration=Declaration(name="shop", spec=spec, declared_at_s=0.0),
        site=site_id(declares),
        reachable=True,
        conflicts=(site_id("far"),),
    )
    known = msgspec.structs.replace(
        table((offer("far", differs="far declares it as tcp, and http counts here"),)),
        owners={"shop": Owner((site_id("hub"),), content="")},
        declarations={"shop": counts},
    )
    found = left_out(facts(row("far"), table=known))
    assert found.let_in == "At far: sitectl service set shop --protocol http"


def test_without_a_grant_a_strict_site_says_who_could_give_it() -> None:
    offers = (offer("far", barred="not-approved: the owner has not granted it"),)
    rules = SharingRules({"shop": Sharing(import_from=("*",))}, strict=True)
    found = left_out(facts(row("far"), table=table(offers), rules=rules))
    assert found.why.startswith("Strict sharing leaves out far (10 free): ")
    assert found.let_in.endswith("sitectl service grant shop --site far --offer")


@pytest.mark.parametrize(
    ("heard", "shown"),
    [
        (None, "far (10 free)"),
        (LoadReport(RouterId("far"), 1, "shop", 8080, 4, 1, 10), "far (6 free)"),
        (LoadReport(RouterId("far"), 1, "shop", 8080, 4, 1, 10, RateLoad(9.0, 2)), "far (2 free)"),
        (
            LoadReport(RouterId("far"), 1, "shop", 8080, 4, 1, None, RateLoad(9.0, 2)),
            "far (2 free)",
        ),
        (LoadReport(RouterId("far"), 1, "shop", 8080, 4, 1, None), "far (no capacity configured)"),
        (LoadReport(RouterId("far"), 1, "shop", 8080, 10, 1, 10), ""),
        (LoadReport(RouterId("far"), 1, "shop", 8080, 0, 0, 10), ""),
    ],
)
def test_a_site_that_does_not_export_is_judged_by_its_last_report(
    heard: LoadReport | None, shown: str
) -> None:
    withheld = (offer("far", export_to=(site_id("hub"),)),)
    found = left_out(facts(table=table(withheld=withheld), heard=lambda router: heard))
    if not shown:
        assert found == LeftOut()
        return
    assert found == LeftOut(
        f"exportTo of {shown} leaves out near.",
        "At far: sitectl service grant shop --site near --call",
    )


def test_terms_that_do_not_name_the_service_are_named() -> None:
    terms = {NEAR: Terms(import_=("bank",))}
    found = left_out(facts(table=table(withheld=(offer("far"),), terms=terms)))
    assert found.why.startswith("The token that let near in does not allow shop")
    assert found.let_in.startswith("At the site that made that token: ")


def test_a_site_with_room_that_bars_this_one_is_named_and_who_lets_it_in_again() -> None:
    bars = (BarRow(NEAR, site_id("far"), 0), BarRow(site_id("hub"), site_id("mid"), 0))
    known = msgspec.structs.replace(table(), bars=bars)
    rows = (row("near", "full", 0), row("far", "chosen"), row("mid", "dearer"))
    assert left_out(facts(*rows, table=known)) == LeftOut(
        "far (10 free) bars near.",
        "To let near in again, on far run: sitectl token create FILE",
    )
    for verdict in ("ejected", "draining"):
        assert left_out(facts(row("far", verdict), table=known)) == LeftOut()
    assert left_out(facts(row("far", "full", 0), table=known)) == LeftOut()


def test_under_failover_the_site_that_stands_by_is_named() -> None:
    far = row("far", "dearer")
    assert left_out(facts(row("near", "full"), far)) == LeftOut()
    found = left_out(facts(row("near", "full"), far, policy="failover"))
    assert found.why == (
        "Policy failover leaves out far (10 free) while a nearer site has a ready target."
    )
    assert found.let_in == "Let far in: sitectl service set shop --policy fill"


def test_a_site_that_stands_by_is_no_reason_why_no_ready_target_was_found() -> None:
    rows = (row("near", "chosen"), row("far", "dearer"))
    assert left_out(facts(*rows, policy="failover", lacks="target")) == LeftOut()


def test_isolation_to_the_nearest_site_is_no_reason_why_no_ready_target_was_found() -> None:
    rows = (row("near", "full"), row("far"))
    assert left_out(facts(*rows, table=isolated("nearest"), lacks="target")) == LeftOut()
    strict = left_out(facts(*rows, table=isolated("strict"), lacks="target"))
    assert strict.why == "Isolation strict leaves out far (10 free)."


def isolated(isolation: Isolation) -> RouteTable:
    """``near`` declares the service; ``far`` offers it, and ``hub`` is barred by another rule."""
    spec = ServiceSpec(ports=(8080,), policy=PolicySpec(isolation=isolation))
    declaration = Declaration(name="shop", spec=spec, declared_at_s=0.0)
    declared = Declared(declaration=declaration, site=NEAR, reachable=True, conflicts=())
    offers = (offer("far"), *barred("hub"))
    return msgspec.structs.replace(table(offers), declarations={"shop": declared})


@pytest.mark.parametrize("isolation", ["strict", "nearest"])
def test_under_isolation_sites_with_room_are_named(isolation: Isolation) -> None:
    known = isolated(isolation)
    found = left_out(facts(row("near", "full"), row("far"), table=known))
    assert found == LeftOut(
        f"Isolation {isolation} leaves out far (10 free).",
        "Let far in: sitectl service set shop --isolation none",
    )
    elsewhere = {"shop": msgspec.structs.replace(known.declarations["shop"], site=site_id("hub"))}
    known_elsewhere = msgspec.structs.replace(known, declarations=elsewhere)
    found = left_out(facts(row("near", "full"), row("far"), table=known_elsewhere))
    assert found.let_in == "At hub: sitectl service set shop --isolation none"
    assert left_out(facts(row("near", "full"), row("far", free=0), table=known)) == LeftOut()
    other = left_out(facts(row("near", "full"), row("hub"), table=known, rules=importing()))
    assert "Isolation" not in other.why, "another rule leaves it out"


def test_one_row_says_whether_its_site_may_serve() -> None:
    nobody = Explanation("failover", FULL, ())
    assert why_not(row("far"), nobody) == "a rule"
    assert why_not(row("far", "dearer"), nobody) == "a rule"
    assert why_not(row("far", "full"), nobody) == ""
