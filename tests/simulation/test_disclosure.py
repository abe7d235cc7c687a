"""What sites tell each other of themselves, in virtual time: whole, by rules and terms, bounded."""

import random
from collections.abc import Callable, Iterator
from typing import Any, cast

import msgspec
import pytest

from router.admin.views.history import HistorySample, HistorySite, ServiceHistory
from router.admin.views.site import SiteDetail
from router.asking.disclosure import Disclosure
from router.asking.exchange import QuestionReply, QuestionSender
from router.asking.figures_cache import SiteFacts
from router.asking.site_answer import SiteQuestion
from router.link.ports import ASKS_SITE, OpenRequest
from router.model import limits
from router.model.messages.packed import pack
from router.model.rights.sharing import Terms
from router.model.specs import SitePolicySpec
from router.operate.sites.facts import facts_of
from router.operate.sites.site_view import SitesView
from router.service.figures import ServiceSnapshot
from tests.simulation.world import SimSite, World
from tests.unit.link.lanes import Recorder
from tests.unit.operate.views import view_of

HISTORY = ServiceHistory(
    service="shop",
    port=8080,
    protocol="http",
    policy="fill",
    site="",
    step_s=5.0,
    sites=(HistorySite(name="c", id="0" * 32, local=True, path_cost=0),),
    samples=(
        HistorySample(
            at="2026-11-21T03:00:00Z",
            in_flight=(1.5,),
            served=(7,),
            nowhere=0,
            overflow=0,
            capacity=3,
            capacity_per_s=None,
            targets_ready=1,
            queued=0,
            p50_s=0.1,
            p99_s=None,
        ),
    ),
)


class Counted:
    """Counts how often the site's figures are gathered."""

    def __init__(self, facts: SiteFacts) -> None:
        self._snapshots, self.gathered = facts.snapshots, 0
        self.facts = msgspec.structs.replace(facts, snapshots=self.snapshots)

    def snapshots(self) -> Iterator[ServiceSnapshot]:
        self.gathered += 1
        return self._snapshots()


def histories(service: str | None, port: int | None) -> Iterator[ServiceHistory]:
    if service in (None, "shop"):
        yield HISTORY


def observed(site: SimSite) -> tuple[SitesView, Counted]:
    """Have ``site`` tell of itself, as a process does."""
    view = view_of(site)
    counted = Counted(facts_of(site.router, view.own_status, view.links, histories))
    disclosure = Disclosure(site.identity.site, counted.facts, site.network)
    site.router.questions.disclose_by(disclosure)
    return SitesView(site.router, disclosure), counted


def line(**rules: Any) -> World:
    world = World(1, "a", "b", "c")
    a, b, c = world.sites.values()
    a.link(b, cost=1)
    b.link(c, cost=2)
    a.declare()
    c.serve(2, capacity=3)
    if rules:
        c.policies["shop"] = SitePolicySpec(service="shop", **rules)
        c.apply()
    world.run(5)
    return world


def detail(world: World, view: SitesView, site: str) -> SiteDetail:
    told: list[SiteDetail] = []
    assert view.detail(site, told.append)
    world.run(limits.INQUIRY_WAIT_S + 0.1)
    (one,) = told
    return one


def history(world: World, view: SitesView) -> tuple[tuple[ServiceHistory, ...], str]:
    """The history of shop as c reports it."""
    told: list[tuple[tuple[ServiceHistory, ...], str]] = []
    assert view.history("c", "shop", None, lambda found, error: told.append((found, error)))
    world.run(1)
    (one,) = told
    return one


def test_a_site_two_links_away_tells_its_services_targets_and_links() -> None:
    world = line()
    a, _, c = world.sites.values()
    view, _ = observed(a)
    observed(c)
    answers = [c.request() for _ in range(4)]
    world.run(1)
    assert {answer.site for answer in answers} == {"c"}
    told = detail(world, view, "c")
    assert (told.name, told.told, told.error, told.local) == ("c", True, "", False)
    assert (told.version, told.mode, told.path_cost) == ("simulated", "interior", 3)
    assert told.uptime_s is not None and told.uptime_s >= 5
    (service,) = told.services
    assert (service.name, service.port, service.requests_total) == ("shop", 8080, 4)
    assert [(one.site, one.requests) for one in service.served] == [("c", 4)]
    assert [(one.port, one.requests_total) for one in service.targets] == [(9001, 2), (9002, 2)]
    assert {one.host for one in service.targets} == {""}
    assert (service.capacity, service.targets_ready) == (6, 2)
    (link,) = told.links
    assert (link.neighbour.name, link.direction, link.state) == ("b", "incoming", "up")
    assert world.sites["b"].router.links.streams == 0


def test_this_site_is_told_of_in_the_same_words() -> None:
    world = line()
    view, _ = observed(world["c"])
    told = detail(world, view, "c")
    assert (told.local, told.told, told.path_cost) == (True, True, 0)
    assert [one.name for one in told.services] == ["shop"]


def test_ten_who_ask_at_once_cost_one_question_and_the_next_second_too() -> None:
    world = line()
    view, _ = observed(world["a"])
    _, facts = observed(world["c"])
    told: list[SiteDetail] = []
    for _ in range(10):
        assert view.detail("c", told.append)
    world.run(1)
    assert view.detail("c", told.append)
    assert len(told) == 11
    assert facts.gathered == 1
    assert told[-1].age_s is not None and told[-1].age_s > 0.5
    world.run(limits.SITE_KEPT_S + 0.5)
    assert detail(world, view, "c").told
    assert facts.gathered == 2


def test_a_service_that_is_not_exported_to_who_asks_is_not_told_of() -> None:
    world = line(export_to=("b",))
    asked = {name: observed(world[name])[0] for name in ("a", "b", "c")}
    assert detail(world, asked["a"], "c").services == ()
    (service,) = detail(world, asked["b"], "c").services
    assert service.name == "shop"
    assert history(world, asked["a"]) == ((), "")
    assert history(world, asked["b"]) == ((msgspec.structs.replace(HISTORY, site="c"),), "")


def test_what_is_declared_for_some_alone_is_told_of_to_them_alone() -> None:
    world = World(1, "a", "b", "c")
    a, b, c = world.sites.values()
    a.link(b, cost=1)
    b.link(c, cost=2)
    a.policies["shop"] = SitePolicySpec(service="shop", export_to=("b",))
    a.declare()
    b.serve(1, capacity=3)
    world.run(5)
    views = {name: observed(world[name])[0] for name in ("a", "b", "c")}
    assert [one.name for one in detail(world, views["a"], "b").services] == ["shop"]
    assert detail(world, views["c"], "b").services == ()


def test_a_site_that_tells_nothing_is_silent_and_still_measured() -> None:
    world = line()
    view, _ = observed(world["a"])
    observed(world["c"])
    world["c"].router.questions.set_silent(True)
    told = detail(world, view, "c")
    assert (told.told, told.error) == (False, "it does not tell this site of itself")
    answers: list[Any] = []
    world["a"].router.ask_targets("shop", answers.append)
    world.run(1)
    assert [entry.targets for entry in answers[0]] == [()]


def test_who_cannot_be_asked_is_named_with_the_reason() -> None:
    world = line()
    view, _ = observed(world["a"])
    assert detail(world, view, "c").error.startswith("its router is of an older release")
    world.run(limits.SITE_KEPT_S)
    world.internet.freeze(world["c"].ip)
    assert detail(world, view, "c").error == "no answer within 2 s"
    world.run(10)
    assert detail(world, view, "c").error == "it is not reachable (sitectl ping c)"
    assert view.detail("nobody", lambda told: None) is None


def test_a_site_on_terms_is_told_by_its_neighbour_alone_and_what_its_terms_allow() -> None:
    world = World(1, "leaf", "hub", "far")
    leaf, hub, far = world.sites.values()
    hub.credentials.terms[b"certificate of leaf"] = Terms((), (), ("other*",))
    leaf.link(hub, cost=1)
    hub.link(far, cost=1)
    hub.declare()
    hub.serve(1, capacity=1)
    world.run(5)
    views = {name: observed(site)[0] for name, site in world.sites.items()}
    assert detail(world, views["leaf"], "hub").told
    assert detail(world, views["leaf"], "hub").services == ()
    assert "in on terms" in detail(world, views["leaf"], "far").error
    assert detail(world, views["far"], "leaf").told
    forced = ask(world, leaf, ("hub", "far"), pack(SiteQuestion("site")))
    assert forced.refusal == "not-allowed"
    assert any("asked a site beyond this one" in line for line in world.journal)


def ask(world: World, source: SimSite, path: tuple[str, ...], question: bytes) -> QuestionReply:
    replies: list[QuestionReply] = []
    asker = QuestionSender(source.network, source.router.links, source.identity.site)
    routers = tuple(world[name].identity.router for name in path)
    asker.ask(
        routers,
        ASKS_SITE,
        replies.append,
        question=question,
        bytes_max=limits.SITE_ANSWER_BYTES_MAX,
    )
    world.run(limits.INQUIRY_WAIT_S + 0.1)
    (reply,) = replies
    return reply


def test_an_edge_asks_through_its_neighbour() -> None:
    world = World(1, "a", "b", "c", edges=frozenset({"a"}))
    a, b, c = world.sites.values()
    a.link(b, cost=1)
    b.link(c, cost=2)
    c.declare()
    c.serve(1, capacity=3)
    world.run(5)
    views = {name: observed(site)[0] for name, site in world.sites.items()}
    assert [one.name for one in detail(world, views["a"], "c").services] == ["shop"]
    assert detail(world, views["c"], "a").told


@pytest.mark.parametrize(
    "question",
    [b"", b"\xff", b"\x90", pack(SiteQuestion("colour")), b"\x91" * 600, pack(["site"] * 200)],
)
def test_a_question_that_is_none_or_of_a_later_release_is_refused_in_one_word(
    question: bytes,
) -> None:
    world = line()
    observed(world["c"])
    assert ask(world, world["a"], ("b", "c"), question).refusal == "no-target"


def test_only_so_many_answers_are_made_however_many_sites_ask() -> None:
    world = line()
    _, facts = observed(world["c"])
    b = world["b"]
    kinds: list[str] = []

    def heard(reply: QuestionReply) -> None:
        kinds.append(reply.refusal or "told")

    rng = random.Random(1)
    for number in range(200):
        forger = QuestionSender(b.network, b.router.links, cast(Any, rng.randbytes(16).hex()))
        b.network.call_at(
            b.network.now() + number * 0.002,
            cast(
                Callable[[], None],
                lambda forger=forger: forger.ask(
                    (world["c"].identity.router,),
                    ASKS_SITE,
                    heard,
                    question=pack(SiteQuestion("site")),
                ),
            ),
        )
    world.run(limits.INQUIRY_WAIT_S + 1)
    assert len(kinds) == 200
    made = limits.SITE_ANSWERS_BURST + 0.4 * limits.SITE_ANSWERS_PER_S
    assert kinds.count("told") <= made + 1
    assert kinds.count("told") >= limits.SITE_ANSWERS_BURST
    assert set(kinds) == {"told", "busy"}
    assert facts.gathered <= 2


def test_askers_that_never_end_their_question_keep_nobody_else_out() -> None:
    world = line()
    a, b, c = world.sites.values()
    view, _ = observed(a)
    observed(c)
    sat_on = OpenRequest(
        path=(c.identity.router,),
        service=".",
        port=1,
        protocol="tcp",
        ingress=b.identity.site,
        flags=ASKS_SITE,
        head=pack(SiteQuestion("site")),
    )
    for _ in range(limits.SITE_ANSWERS_AT_ONCE_MAX):
        assert b.router.links.open_stream(sat_on, Recorder()) is not None
    world.run(limits.INQUIRY_WAIT_S + 0.5)
    assert detail(world, view, "c").error == ""


@pytest.mark.parametrize(
    ("act", "said"),
    [
        ("hides", "not known here any more. a declared it last, and does not now, or not for this"),
        ("gives up", "not known here any more. a declared it last"),
        ("gives up and stops", "no site declares the service shop."),
    ],
)
def test_a_connector_of_a_service_that_went_names_who_declared_it_while_that_site_is_there(
    act: str, said: str
) -> None:
    world = line()
    a, c = world["a"], world["c"]
    if act == "hides":
        a.policies["shop"] = SitePolicySpec(service="shop", export_to=("b",))
    else:
        a.services.clear()
    a.apply()
    world.run(5)
    if act == "gives up and stops":
        a.kill()
        world.run(60)
    problems = [one for one in c.router.problems() if one.code == "SW0301"]
    assert len(problems) == 1
    assert said in problems[0].message
    asks_first = problems[0].hint.startswith(
        "See who may use what: sitectl access. If a gave it up"
    )
    assert asks_first == (act != "gives up and stops")
