"""An operator's hours: no sentence is false in any of them, and a false one is noticed."""

import random
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
import pytest

from router.admin.views.live import ServiceNow
from router.admin.views.why import WhyView
from router.model.events import Event, Refusals
from router.model.specs import SitePolicySpec
from tests.examples import seeds
from tests.simulation.hours.acts import STILL_S, Actor
from tests.simulation.hours.changes import LinkChanges, TargetChanges, Told
from tests.simulation.hours.claims import false_of, false_of_row
from tests.simulation.hours.counted import Counted
from tests.simulation.hours.episodes import Episodes
from tests.simulation.hours.eye import Eye
from tests.simulation.hours.hour import Hour
from tests.simulation.hours.lasting import is_calm
from tests.simulation.hours.next_request import false_next
from tests.simulation.hours.omissions import Said, unsaid
from tests.simulation.hours.overview import false_overview, overview
from tests.simulation.hours.printed import false_in
from tests.simulation.hours.rates import false_rates
from tests.simulation.hours.remembered import false_in_past
from tests.simulation.world import SERVICE, Answer, World

MINUTES_S = 80.0
CALM = 40
"""The seed of an hour of three routers with two http services."""
OF_TWO_ROUTERS = 1
"""The seed of an hour in which site a has two routers."""
WITH_AN_EDGE = 22
"""The seed of an hour in which site c is an edge."""
DIFFER = "two sites declare it differently"
FULL = "every site that may serve it is full"
FALSE = (
    "a is drained: 1.0/s go to b (cost 1)",
    "b: it is draining and takes nothing new",
    "b drains and takes nothing new of it",
    "b stops and takes nothing new",
    f"{FULL} or draining (b): the queue is in use",
    f"{FULL} or short of memory (b, c)",
    "no target of b is ready",
    "b has targets, none of them ready",
    f"{FULL}, and b and c are not reached",
    "b: link to-b to b is down since 19:44:55 UTC",
    "c: no path has led there since 19:44:55 UTC",
    "this site is drained of it and takes nothing new",
    "this router is short of memory and takes nothing new",
    "Service shop:8080: 0 of 2 targets are ready here",
    "Service shop:8080: 3 requests wait.",
    "Service shop:8080 has no ready target, here or at any site that is reached and may serve it",
    "a has no target of its own: 0.5/s go to b (cost 1), 3.0/s to c (cost 3)",
    "5.0/s served nowhere",
    "Service shop:8080: 5.0/s of 5.0/s requests are turned away.",
    "Service shop:8080: 5.0/s of 5.0/s requests fail: they lost their link.",
    "policy spread sends requests to other sites too: 0.1/s go to b (cost 1)",
    "policy fill sends requests to other sites too",
    "the policy before fill sent requests to other sites too: 0.1/s go to b (cost 1)",
    "2 of 6 slots of a are busy on average, and none was free when they left: 0.1/s go to b",
    "the rate of a, 5/s, was used up in the last seconds: 0.1/s go to b (cost 1)",
    "Connector here: no site declares the service shop.",
    "Service shop is declared differently by b; in force here is that of a, which owns the name",
    "No site declares the service shop. b, which declared it last, was deleted.",
    "The link with b went down too often: nothing is sent over it before it has stayed up.",
    "The link with b went down too often: nothing is sent over it before 2026-11-30T12:00:00Z.",
    "The link with b is up, but b holds it back, since it went down too often: nothing is sent",
    "Service shop:8080 has no listener here: cannot listen on 127.0.0.1:8080: in use",
    "Service shop:8080: clients gave up 5.0/s of 6.0/s requests before they were answered.",
    "Service shop:8080: 5.0/s of 6.0/s requests are shed: sheddable requests make way",
)


LIES = (
    ("status", "ready", "ready, degraded"),
    ("status", "ready", "draining: it stops once requests have ended"),
    ("status", "ready", "stopped; this is what is configured"),
    ("status", "3 sites", "2 of 3 sites reachable"),
    ("check", "0 warnings", "1 warning"),
    ("network status", "yes", "no"),
    ("link status", "-\n", "the connection was lost\n"),
    ("link status", "up ", "down "),
    ("service status", "  0   ", "  9   "),
    ("service status", " at 3 sites", "9 at 3 sites"),
    ("top --once", "0 of", "9 of"),
    ("top --once", "0 of ", "0 of 9"),
    ("top --once", "  -", "  for other sites' clients"),
    ("why shop", "(local site has room)", "(no target of a is ready)"),
)
"""The command, a part of its output, and a false text in its place."""

LIES_OF_OWNERS: Final = {
    "a": (("uses its own", "uses none"), ("policy fill)", "policy fill), but b owns the name")),
    "b": (("uses its own", "uses none"), ("that of a", "that of c"), ("owns the name", "is first")),
    "c": (("here is that of a", "here is that of b"), ("owns the name", "is first")),
}
"""By the router that says it, a part of its SW0304 while a owns the name and b declares it too."""


@pytest.mark.parametrize("seed", seeds(3))
def test_nothing_false_is_said_in_minutes_of_faults_and_mistakes(seed: int) -> None:
    assert list(map(str, Hour(seed).play(MINUTES_S))) == []


def calm() -> Hour:
    """All is well, for so long that it is known to be."""
    hour = Hour(CALM)
    assert (list(hour.world.sites), [one.protocol for one in hour.truths]) == (
        ["a", "b", "c"],
        ["http", "http"],
    )
    for site in hour.world.sites.values():
        for truth in hour.truths:
            if not truth.connectors_of(site):
                site.serve(1, capacity=5, service=truth.service)
    pass_time(hour, 200)
    return hour


def pass_time(hour: Hour, samples: int) -> None:
    for _ in range(samples):
        hour.world.run(0.25)
        hour.sample()


@pytest.fixture(scope="module")
def quiet() -> Hour:
    """No client asks. Nothing is changed."""
    return calm()


@pytest.fixture
def asked() -> Hour:
    """Clients of site a ask, and are served there."""
    hour = calm()
    answers = hour.world["a"].offer(5, 4.0)
    pass_time(hour, 20)
    hour.truths[0].answers["a"].extend(answers)
    return hour


def test_a_target_that_answers_and_is_said_to_hang_is_noticed(asked: Hour) -> None:
    hangs = "Target 127.0.0.1:{} of shop:8080 has completed no request for at least 10 s, and"
    for port in asked.truths[0].ports_at("a"):
        assert list(false_of(asked.truths, "a", hangs.format(port))) != []


@pytest.mark.parametrize("sentence", FALSE)
def test_a_sentence_that_is_false_is_noticed(quiet: Hour, sentence: str) -> None:
    assert list(false_of(quiet.truths, "a", sentence)) != []


@pytest.mark.parametrize(("words", "said", "lie"), LIES)
def test_what_sitectl_says_falsely_is_noticed(quiet: Hour, words: str, said: str, lie: str) -> None:
    printed = quiet.watch("a").eye.typist.type(words)
    assert list(false_in(quiet.truths, "a", printed)) == []
    assert said in printed.text
    false = printed._replace(text=printed.text.replace(said, lie))
    assert list(false_in(quiet.truths, "a", false)) != []


@pytest.mark.parametrize("words", ["status", "check"])
def test_an_exit_code_that_does_not_fit_is_noticed(quiet: Hour, words: str) -> None:
    printed = quiet.watch("a").eye.typist.type(words)
    assert printed.code == 0
    assert list(false_in(quiet.truths, "a", printed._replace(code=3))) != []


@pytest.mark.parametrize(
    "wrong",
    [
        {("requests", "a", "2xx"): 9.0},
        {("spilled", "b"): 9.0},
        {("failed", "no-route"): 9.0},
        {("SPILLED",): 9.0},
        {("in_flight", "a"): 9.0},
        {("targets_ready", "b"): 9.0},
    ],
)
def test_a_figure_that_is_false_is_noticed(
    quiet: Hour, wrong: dict[tuple[str, ...], float]
) -> None:
    figures = quiet.watch("a").eye.figures()["shop"]
    counted = Counted(quiet.truths[0], "a")
    assert [*counted.wrong(figures), *counted.wrong(figures)] == []
    assert list(counted.wrong({**figures, **wrong})) != []


@pytest.mark.parametrize(
    "wrong",
    [
        {"site": "b"},
        {"site": None, "outcome": "no-route"},
        {"reason": "no target of a is ready"},
        {"spill_reason": "no-target"},
        {"spill_reason": "drained"},
    ],
)
def test_a_decision_that_was_another_one_is_noticed(asked: Hour, wrong: dict[str, Any]) -> None:
    past = asked.watch("a").eye.past(SERVICE)
    assert {one.outcome for one in past} == {"ok"}
    assert list(false_in_past(asked.truths[0], "a", past)) == []
    false = [msgspec.structs.replace(past[0], **wrong), *past[1:]]
    assert list(false_in_past(asked.truths[0], "a", false)) != []


@pytest.fixture(scope="module")
def spilling() -> Hour:
    """Half of the requests of clients of site a are served at another site."""
    hour = calm()
    world, truth = hour.world, hour.truths[0]
    for target in truth.targets_of(world["a"]):
        target.service_s = 1.0
    world["a"].connectors["here"] = msgspec.structs.replace(
        world["a"].connectors["here"], capacity=5
    )
    world["a"].apply()
    each_s = 5 * len(truth.ports_at("a"))
    answers = world["a"].offer(2 * each_s, 20.0)
    pass_time(hour, 80)
    truth.answers["a"].extend(answers)
    return hour


def test_rates_of_requests_that_spill_are_true(spilling: Hour) -> None:
    (row,) = spilling.watch("a").eye.seen().said(SERVICE).rows
    assert row.spilled_per_s > 3
    assert list(false_rates(spilling.truths[0], "a", row)) == []


@pytest.mark.parametrize(
    "wrong",
    [
        lambda row: {"begun_per_s": 3 * row.begun_per_s},
        lambda row: {"begun_per_s": row.begun_per_s / 4},
        lambda row: {"begun_per_s": row.spilled_per_s - 9},
        lambda row: {"spilled_per_s": row.spilled_per_s + 1},
        lambda row: {"overflow_per_s": row.spilled_per_s + 1},
        lambda row: {"spilled_to": {}, "spilled_for": {}, "spilled_per_s": 0.0},
        lambda row: {"spilled_to": {"a": row.spilled_per_s}},
        lambda row: {"open_to": {"b": 90}, "open_for": {"full": 90}},
        lambda row: {"open_to": {"b": 1}},
    ],
)
def test_a_rate_that_is_false_is_noticed(
    spilling: Hour, wrong: Callable[[ServiceNow], dict[str, Any]]
) -> None:
    (row,) = spilling.watch("a").eye.seen().said(SERVICE).rows
    false = msgspec.structs.replace(row, **wrong(row))
    assert list(false_rates(spilling.truths[0], "a", false)) != []


def test_a_request_that_failed_a_moment_ago_ends_the_calm(asked: Hour) -> None:
    truth = asked.truths[0]
    assert is_calm(truth, "a")
    refused = Answer(truth.now - 0.5)
    refused.ended, refused.status = refused.began, 503
    truth.answers["a"].append(refused)
    assert not is_calm(truth, "a")


def test_a_request_that_is_not_remembered_is_noticed(asked: Hour) -> None:
    past = asked.watch("a").eye.past(SERVICE)
    assert list(false_in_past(asked.truths[0], "a", [past[0], *past[2:]])) != []


def test_why_that_names_another_site_is_noticed(asked: Hour) -> None:
    class Liar(Eye):
        def why(self, service: str) -> WhyView | None:
            why = super().why(service)
            assert why is not None
            decision = msgspec.structs.replace(why.decision, site="b")
            return msgspec.structs.replace(why, decision=decision)

    world, truth = asked.world, asked.truths[0]
    assert list(false_next(world, truth, "a", asked.watch("a").eye)) == []
    world.run(1.0)
    assert list(false_next(world, truth, "a", Liar(world["a"], lambda event: None))) != []


def episode(code: str, requests: int = 0) -> Event:
    """``requests`` of one that is over."""
    figures = Refusals(
        began="", lasted_s=1.0, requests=requests, reasons={}, in_flight_max=0, capacity=None
    )
    return Event(
        at="", severity="info", code=code, subject="shop:8080", message="", refused=figures
    )


def test_an_episode_that_has_no_begin_or_no_end_is_noticed(asked: Hour) -> None:
    truth = asked.truths[0]
    episodes = Episodes(truth, "a")
    asked.world.run(15.0)
    asked.sample()
    assert list(episodes.hear(episode("refusing-ended"))) != []
    assert list(episodes.hear(episode("refusing-begun"))) == []
    assert list(episodes.wrong()) != [], "none was refused"
    assert list(episodes.hear(episode("refusing-begun"))) != []
    assert list(episodes.hear(episode("refusing-ended", requests=7))) != []
    assert list(episodes.wrong()) == []
    refused = Answer(truth.now - 5.0)
    refused.ended, refused.status = refused.began, 503
    refused.fields = {"Spillway-Error": "no-route"}
    truth.answers["a"].append(refused)
    assert list(episodes.wrong()) != [], "one was, and it did not begin"


def test_a_link_that_comes_or_goes_unsaid_is_noticed() -> None:
    quiet = calm()
    changes = LinkChanges(quiet.truths[0], "a")
    assert list(changes.hear(Told(1, "link-down", "b"))) == []
    assert list(changes.hear(Told(1, "link-down", "b"))) != []
    assert list(changes.wrong()) == []
    pass_time(quiet, 200)
    assert len(list(changes.wrong())) == 1
    assert list(changes.hear(Told(1, "link-up", "b"))) == []
    assert list(changes.wrong()) == []
    quiet.world["b"].kill()
    quiet.network.gone.add("b")
    pass_time(quiet, 40)
    assert list(changes.wrong()) != []


def test_an_event_that_blames_a_peer_is_noticed() -> None:
    hour = calm()
    for tell in hour.world["a"].told:
        tell("lsa-rejected", "c", "c sent routing data that is not believed")
    assert [one.wrong for one in hour.play(2.0)] == ["no peer is at fault"]


@pytest.mark.parametrize("of", [0, 1])
def test_a_target_that_comes_or_goes_unsaid_is_noticed(of: int) -> None:
    quiet = calm()
    changes = TargetChanges(quiet.truths, "a")
    target = f"127.0.0.1:{min(quiet.truths[of].ports_at('a'))}"
    assert list(changes.hear(Told(1, "target-down", target))) == []
    assert list(changes.hear(Told(1, "target-down", target))) != []
    assert list(changes.wrong()) == []
    pass_time(quiet, 20)
    (wrong,) = changes.wrong()
    assert quiet.truths[of].service.name in wrong
    assert list(changes.hear(Told(1, "target-up", target))) == []
    assert list(changes.wrong()) == []


def deserted() -> Hour:
    """No target of shop at c is ready, for long."""
    quiet = calm()
    c, truth = quiet.world["c"], quiet.truths[0]
    for target in truth.targets_of(c):
        target.listener.close()
    answers = c.offer(5, 20.0)
    pass_time(quiet, 80)
    truth.answers["c"].extend(answers)
    return quiet


def test_what_is_not_said_is_noticed() -> None:
    quiet = deserted()
    c, (truth, other) = quiet.world["c"], quiet.truths
    seen = quiet.watch("c").eye.seen()
    said = seen.said(SERVICE)
    assert list(unsaid(truth, "c", c, said)) == []
    assert list(unsaid(other, "c", c, seen.said(other.service))) == []
    silent = Said(msgspec.structs.replace(said.status, problems=(), notes=()), [])
    missing = {"no target here is ready", "requests leave this site"}
    assert set(unsaid(truth, "c", c, silent)) == missing
    named = [
        msgspec.structs.replace(one, message=one.message.replace("shop", "books"))
        for one in said.status.problems
    ]
    of_other = msgspec.structs.replace(said.status, problems=named)
    assert set(unsaid(truth, "c", c, Said(of_other, said.rows))) == {"no target here is ready"}


@pytest.mark.parametrize("site", ["a", "b", "c"])
def test_a_number_of_slots_that_is_false_is_noticed(quiet: Hour, site: str) -> None:
    truth = quiet.truths[0]
    said = quiet.watch("a").eye.seen().said(SERVICE)
    assert list(unsaid(truth, "a", quiet.world["a"], said)) == []
    (shown,) = [one for one in said.sites if one.site == site]
    assert shown.capacity == truth.slots(site, 5.0)
    for wrong in (None, 1, 99):
        lie = said._replace(sites=[msgspec.structs.replace(shown, capacity=wrong)])
        assert len(list(unsaid(truth, "a", quiet.world["a"], lie))) == 1


def test_what_names_another_service_than_its_own_is_noticed() -> None:
    quiet = deserted()
    other = quiet.truths[1]
    eye = quiet.watch("c").eye
    texts = [one.message for one in eye.seen().status.problems]
    assert any("no ready target here" in text or "targets are ready" in text for text in texts)
    for text in texts:
        assert list(false_of(quiet.truths, "c", text)) == []
        assert list(false_of(quiet.truths, "c", text.replace("shop", "books"))) != []
    assert list(false_of_row(quiet.truths, other, "c", "shop has no ready target")) != []
    said = overview(eye.live(eye.seen()))
    assert "shop spills to" in said.text
    assert list(false_overview(quiet.truths, "c", said)) == []
    swapped = msgspec.structs.replace(said, text=said.text.replace("shop", "books"))
    assert list(false_overview(quiet.truths, "c", swapped)) != []


def test_a_taken_port_a_misspelled_name_and_a_conflict_that_are_not_said_are_noticed() -> None:
    quiet = calm()
    (a, b, c), truth = quiet.world.sites.values(), quiet.truths[0]
    c.kill()
    c.taken[SERVICE.port] = None
    c.start()
    c.connectors["here"] = msgspec.structs.replace(c.connectors["here"], service="shops")
    c.apply()
    other = b if truth.service.name in a.services else a
    other.declared_at_s[SERVICE.name] = truth.now
    other.declare("balanced")
    pass_time(quiet, 200)
    said = quiet.watch("c").eye.seen().said(SERVICE)
    assert list(unsaid(truth, "c", c, said)) == []
    silent = Said(msgspec.structs.replace(said.status, problems=(), notes=()), said.rows)
    assert set(unsaid(truth, "c", c, silent)) == {
        "its port is taken",
        "a connector names a service that does not exist",
        DIFFER,
    }


def test_a_site_of_two_routers_and_another_one_that_declare_alike_do_not_differ() -> None:
    hour = Hour(OF_TWO_ROUTERS)
    (a, b, _, a2), truth = hour.world.sites.values(), hour.truths[0]
    assert (a.name, SERVICE.name in a.services, SERVICE.name in a2.services) == (
        a2.name,
        True,
        True,
    )
    b.declared_at_s[SERVICE.name] = truth.now
    b.services[SERVICE.name] = a.services[SERVICE.name]
    b.apply()
    pass_time(hour, 200)
    said = hour.watch("a").eye.seen().said(SERVICE)
    silent = Said(msgspec.structs.replace(said.status, problems=()), said.rows)
    assert DIFFER not in unsaid(truth, "a", a, silent)
    b.declare("balanced", queue=50)
    pass_time(hour, 200)
    assert DIFFER in unsaid(truth, "a", a, silent)


def test_a_router_that_stood_still_reads_the_documents_that_changed_meanwhile() -> None:
    hour = Hour(OF_TWO_ROUTERS)
    a, a2 = hour.world["a"], hour.world["a2"]
    actor = Actor(hour.world, hour.truths, random.Random(1))
    actor.stand_still(a2)
    a.policies[SERVICE.name] = SitePolicySpec(service=SERVICE.name, takes=0.0)
    actor.share_documents(a)
    hour.world.run(max(STILL_S))
    actor.go_on()
    hour.world.run(3.0)
    assert "SW0353" in hour.watch("a2").eye.seen().said(SERVICE).codes(SERVICE.name)


def test_an_act_at_the_owner_is_not_undone_by_another_router_of_its_site(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    removal = {"remove_the_service": Actor.remove_the_service}
    monkeypatch.setattr("tests.simulation.hours.acts.ACTS", removal)
    hour = Hour(OF_TWO_ROUTERS)
    a, a2 = hour.world["a"], hour.world["a2"]
    for seed in range(8):  # Which router an act is about is chance.
        a.declare()
        actor = Actor(hour.world, hour.truths, random.Random(seed))
        actor.share_documents(a)
        actor.act()
        assert SERVICE.name not in a.services.keys() | a2.services.keys()


def test_two_routers_of_a_site_link_up_however_often_each_has_started() -> None:
    world = World(3, "a", "b", "a2")
    a, b, a2 = world.sites.values()
    a2.join(a)
    a2.link(b, 1)
    while a.lives < a2.lives:
        a.kill()
        a.start()
    assert a.lives == a2.lives
    world.run(5.0)
    assert a.router.routing.table.sites[b.identity.site].reachable


def test_a_link_to_another_router_of_a_site_leads_there() -> None:
    hour = Hour(OF_TWO_ROUTERS)
    a, a2, c = (hour.world[key] for key in ("a", "a2", "c"))
    for router in (a, a2, a):
        c.link(router, 1)
        hour.world.run(5.0)
        to_a = [line for line in c.router.links.status() if line.name == "to-a"]
        assert [line.neighbour_router for line in to_a] == [router.identity.router]


def test_another_owner_and_another_declaration_in_force_are_noticed() -> None:
    quiet = calm()
    (a, b, c), truth = quiet.world.sites.values(), quiet.truths[0]
    owned = quiet.owned[truth.service.name]
    b.declared_at_s[SERVICE.name] = truth.now
    b.declare("balanced")
    pass_time(quiet, 20)
    assert [owned.in_force(key) for key in "abc"] == ["a", "b", "a"]
    for key, site in zip("abc", (a, b, c), strict=True):
        said = quiet.watch(key).eye.seen().said(SERVICE)
        (view,) = [one for one in site.router.name_adoption.names() if one.name == SERVICE.name]
        assert (view.owners, list(owned.wrong(key, [view], said))) == (("a",), [])
        (problem,) = [one for one in said.status.problems if one.code == "SW0304"]
        for false in (
            msgspec.structs.replace(view, declared_by="c"),
            msgspec.structs.replace(view, owners=("b",)),
        ):
            assert list(owned.wrong(key, [false], said)) != []
        for old, new in LIES_OF_OWNERS[key]:
            assert old in problem.message
            message = problem.message.replace(old, new)
            lie = msgspec.structs.replace(problem, message=message)
            status = msgspec.structs.replace(said.status, problems=(lie,))
            assert list(owned.wrong(key, [view], said._replace(status=status))) != []


def test_routers_that_are_replaced_have_other_ids_and_are_reached() -> None:
    hour = Hour(OF_TWO_ROUTERS)
    world, actor = hour.world, Actor(hour.world, hour.truths, random.Random(1))
    before = {site.identity.router for site in world.sites.values()}
    actor.replace_routers(world["a"])
    for _ in range(40):
        world.run(1.0)
        actor.go_on()
    a, b, _, a2 = world.sites.values()
    assert not {a.identity.router, a2.identity.router} & before
    assert hour.network.gone == set()
    for site in (a, a2):
        assert site.router.routing.table.sites[b.identity.site].reachable
    assert b.router.routing.table.sites[a.identity.site].reachable


def test_a_site_that_is_made_again_is_another_one_of_its_name() -> None:
    hour = Hour(OF_TWO_ROUTERS)
    world, actor = hour.world, Actor(hour.world, hour.truths, random.Random(1))
    b, before = world["b"], world["b"].identity.site
    actor.delete(b)
    world.run(15.0)
    assert actor.make_again(world["a"]) == "b"
    world.run(15.0)
    assert (b.name, b.identity.site == before, b.services, b.connectors) == ("b", False, {}, {})
    for key in ("a", "c"):
        table = world[key].router.routing.table
        assert table.sites[b.identity.site].reachable
        assert before in table.deleted or before not in table.sites


def test_an_edge_dials_another_neighbor_instead_of_one() -> None:
    hour = Hour(WITH_AN_EDGE)
    world, actor = hour.world, Actor(hour.world, hour.truths, random.Random(1))
    c = world["c"]
    before = set(c.links)
    assert actor.replace_a_neighbor(c) != "none"
    assert (len(before - set(c.links)), len(set(c.links) - before)) == (1, 1)
    world.run(20.0)
    neighbors = {line.neighbour_name for line in c.router.links.status() if line.state == "up"}
    assert {f"to-{name}" for name in neighbors} <= set(c.links)
    assert neighbors


def test_an_edge_need_not_know_a_site_that_offers_it_nothing() -> None:
    hour = Hour(WITH_AN_EDGE)
    a, b, c = hour.world.sites.values()
    c.link(a, 1)
    c.unlink(b)
    actor = Actor(hour.world, hour.truths, random.Random(1))
    actor.delete(b)
    pass_time(hour, 60)
    assert actor.make_again(a) == "b"
    pass_time(hour, 200)
    printed = hour.watch("c").eye.typist.type("status")
    assert "2 sites" in printed.text
    assert list(false_in(hour.truths, "c", printed)) == []
    b.serve(1, capacity=5, service=hour.truths[0].service)
    pass_time(hour, 200)
    served = hour.watch("c").eye.typist.type("status")
    assert "3 sites" in served.text
    assert list(false_in(hour.truths, "c", served)) == []
    assert list(false_in(hour.truths, "c", printed)) != []


def test_times_are_those_of_the_clock_of_the_router_that_says_them() -> None:
    hour = calm()
    b = hour.world["b"]
    b.kill()
    hour.network.gone.add("b")
    pass_time(hour, 80)
    a, eye = hour.world["a"], hour.watch("a").eye
    for by_s in (-3_600.0, 7_200.0):
        a.set_clock(by_s)
        said = eye.seen().said(SERVICE)
        texts = [text for text in eye.sentences_of(said, SERVICE) if "UTC" in text]
        assert texts
        for text in texts:
            assert list(false_of(hour.truths, "a", text)) == []
    a.set_clock(-7_260.0)  # A minute before what it had when it went back.
    assert any(list(false_of(hour.truths, "a", text)) for text in texts)


@pytest.mark.parametrize("steps", [(0.3,), (0.3, 0.3), (-1.5,), (5.0, -1.5), (0.3, 3_600.0)])
def test_past_requests_have_the_times_of_a_clock_that_was_slewed_or_set(
    asked: Hour, steps: tuple[float, ...]
) -> None:
    a, eye = asked.world["a"], asked.watch("a").eye
    for by_s in steps:
        a.set_clock(by_s)
        answers = a.offer(5, 1.5)
        pass_time(asked, 8)
        asked.truths[0].answers["a"].extend(answers)
        assert list(false_in_past(asked.truths[0], "a", eye.past(SERVICE))) == []
    for by_s in (-1.1, 1.1):
        past = [msgspec.structs.replace(one, at=_later(one.at, by_s)) for one in eye.past(SERVICE)]
        assert list(false_in_past(asked.truths[0], "a", past)) != []


def _later(at: str, by_s: float) -> str:
    return (datetime.fromisoformat(at) + timedelta(seconds=by_s)).isoformat()
