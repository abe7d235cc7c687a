"""What-if: recorded arrivals become scenarios, run in the simulator, compared with the record."""

import json
from functools import cache

import msgspec
import pytest
import yaml
from msgspec.structs import replace

from router.admin.ports import BadQuestion, NothingRecorded
from router.admin.views.history import HistorySample, HistorySite, ServiceHistory
from router.admin.views.links import LinkView, SiteName, SiteView
from router.admin.views.services import RateView, ServiceSite, ServiceView
from router.admin.views.status import ListenerView
from router.admin.views.what_if import WhatIf, WhatIfStep, WhatIfView
from router.admin.what_if import KnownLoad, SimulatedOutcome, WhatIfPlan, plan
from router.admin.what_if_answer import told
from router.model import limits
from router.model.specs import PolicyName
from simulator.__main__ import RunOrder, answer

HERE, WEST, FAR = "aa", "bb", "cc"


def here(command: str, note: str = "") -> WhatIfStep:
    return WhatIfStep(site="onprem", local=True, command=command, note=note)


ALL_SERVICES = "The cost of a link counts for all services."


def site(name: str, id: str, cost: int, capacity: int | None, **other: object) -> ServiceSite:
    known = ServiceSite(
        site=name,
        id=id,
        local=cost == 0,
        path_cost=cost,
        targets_ready=2,
        capacity=capacity,
        capacity_kind="concurrency" if capacity else None,
        in_flight=0,
        draining=False,
        age_s=0.0,
    )
    return msgspec.structs.replace(known, **other)


def link(name: str, neighbour: str, id: str, cost: int, direction: str = "outgoing") -> LinkView:
    return LinkView(
        name=name,
        neighbour=SiteName(neighbour, id),
        direction=direction,
        cost=cost,
        state="up",
        since="",
        rtt_ms=20.0,
        lanes=1,
        streams=0,
        error="",
        certificate_expires=None,
    )


SITES = (site("onprem", HERE, 0, 10), site("west", WEST, 1, 40), site("far", FAR, 6, 100))


def known(
    *sites: ServiceSite, per_step: tuple[int, int] = (100, 100), count: int = 12
) -> KnownLoad:
    """A minute of 20/s here and 20/s in the west, each 400 ms long and 20 ms away."""
    here, west = per_step
    service = ServiceView(
        name="shop",
        port=8080,
        protocol="http",
        policy="fill",
        queued=0,
        demand=0,
        requests_total=0,
        overflow_total=0,
        listener=ListenerView(host="", port=8080, state="bound", error=""),
        tls_cert="",
        sites=sites or SITES,
        targets=(),
    )
    sample = HistorySample(
        at="2026-11-21T10:00:00Z",
        in_flight=(here * 0.4 / 5.0, west * 0.42 / 5.0),
        served=(here, west),
        nowhere=0,
        overflow=west,
        capacity=10,
        capacity_per_s=None,
        targets_ready=2,
        queued=0,
        p50_s=0.35,
        p99_s=0.9,
    )
    history = ServiceHistory(
        service="shop",
        port=8080,
        protocol="http",
        policy="fill",
        site="onprem",
        step_s=5.0,
        sites=(
            HistorySite(name="onprem", id=HERE, local=True, path_cost=0),
            HistorySite(name="west", id=WEST, local=False, path_cost=1),
        ),
        samples=(sample,) * count,
    )
    network = tuple(
        SiteView(
            name=name,
            id=id,
            path_cost=cost,
            next_hops=hops,
            neighbours=(),
            services=(),
            reachable=True,
            version="",
        )
        for name, id, cost, hops in (
            ("onprem", HERE, 0, ()),
            ("west", WEST, 1, ("west",)),
            ("far", FAR, 6, ("west",)),
        )
    )
    return KnownLoad(service, history, (link("to-west", "west", WEST, 1),), network)


def ask(
    capacity: dict[str, int] | None = None,
    cost: dict[str, int] | None = None,
    policy: PolicyName | None = None,
    window_s: float | None = None,
) -> WhatIf:
    return WhatIf(
        service="shop",
        port=8080,
        capacity=capacity or {},
        cost=cost or {},
        policy=policy,
        window_s=window_s,
    )


@cache
def outcomes(*scenarios: str) -> list[SimulatedOutcome]:
    """By the simulator itself, over JSON as in production."""
    found = answer(RunOrder(scenarios=scenarios, requests_max=10**6, rivals=False))
    assert found.errors == []
    return [
        msgspec.json.decode(msgspec.json.encode(one), type=SimulatedOutcome)
        for one in found.outcomes
    ]


def run(planned: WhatIfPlan) -> WhatIfView:
    """Both pictures. The current one, which most tests share, runs once."""
    return told(planned, *outcomes(planned.current), *outcomes(planned.proposed))


def spec(text: str) -> dict[str, object]:
    found: dict[str, object] = yaml.safe_load(text)["spec"]
    return found


def test_with_nothing_changed_both_pictures_are_the_same() -> None:
    planned = plan(ask(), known())
    found = told(planned, *outcomes(planned.current, planned.proposed))
    assert found.current == found.proposed
    assert (found.moved, found.added_p50_ms, found.added_p99_ms) == (0.0, 0.0, 0.0)
    assert found.commands == ()


def test_the_run_of_what_is_comes_near_to_what_was_recorded() -> None:
    told = run(plan(ask(), known()))
    assert told.recorded.requests == 2400
    assert abs(told.current.offered - 2400) < 4 * 2400**0.5
    # 40/s of 400 ms want 16 slots; 10 are here: a good half stays.
    assert 0.45 < told.current.sites[0].share < 0.65
    assert told.recorded.served == {HERE: 1200, WEST: 1200}
    assert 250 < (told.current.p50_ms or 0) < 500


def test_more_capacity_here_keeps_more_here() -> None:
    told = run(plan(ask({"onprem": 40}), known()))
    assert told.proposed.overflow == 0 < told.current.overflow
    assert told.moved == pytest.approx(told.current.overflow / told.current.offered, abs=0.01)
    assert told.commands == (here("sitectl service set shop --capacity 20"),)
    assert (told.added_p50_ms or 0) <= 0


def test_requests_that_nobody_takes_are_told() -> None:
    told = run(plan(ask({HERE: 2, WEST: 2, FAR: 2}), known()))
    assert told.proposed.refused > 0
    counts = sum(one.served for one in told.proposed.sites) + told.proposed.refused
    assert counts == told.proposed.offered


def test_what_overflows_goes_to_the_cheapest_and_another_cost_moves_it() -> None:
    told = run(plan(ask(cost={"west": 9}), known()))
    now, then = told.current.sites, told.proposed.sites
    assert [one.name for one in now] == ["onprem", "west", "far"] == [one.name for one in then]
    assert now[1].served > now[2].served == 0
    assert then[2].served > then[1].served == 0


def test_a_link_is_set_when_all_ways_over_it_change_alike() -> None:
    alike = plan(ask(cost={"west": 4, "far": 9}), known()).commands
    assert alike == (here("sitectl link set to-west --cost 4", ALL_SERVICES),)
    beyond = known(site("onprem", HERE, 0, 10), site("far", FAR, 6, 100))
    assert plan(ask(cost={"far": 8}), beyond).commands == (
        here("sitectl link set to-west --cost 3", ALL_SERVICES),
    )


def test_no_command_changes_the_way_to_a_site_that_the_proposal_leaves_alone() -> None:
    (far,) = plan(ask(cost={"far": 8}), known()).commands
    assert far.command == ""
    assert far.note == (
        "Raise the cost of a link between west and far by 2. No link of onprem can do it: to-west"
        " leads to other sites too."
    )
    west, kept = plan(ask(cost={"west": 9}), known()).commands
    assert west == here("sitectl link set to-west --cost 9", ALL_SERVICES)
    assert kept.command == ""
    assert kept.note == (
        "The way to far cannot cost 6: from west on it would have to cost -3, and a link costs 1 to"
        " 65535."
    )
    west, kept = plan(ask(cost={"west": 5}), known()).commands  # The last that a link can lower.
    assert west == here("sitectl link set to-west --cost 5", ALL_SERVICES)
    assert kept.note.startswith("Lower the cost of a link between west and far by 4.")
    west, kept = plan(ask(cost={"west": 6}), known()).commands
    assert kept.note.startswith(
        "The way to far cannot cost 6: from west on it would have to cost 0"
    )


def test_a_costlier_link_that_leads_straight_to_a_site_is_not_its_way() -> None:
    both = (link("to-west", "west", WEST, 1), link("to-far", "far", FAR, 20))
    one = msgspec.structs.replace(known(), links=both)
    west, far = plan(ask(cost={"west": 4}), one).commands
    assert west == here("sitectl link set to-west --cost 4", ALL_SERVICES)
    assert far.note.startswith("Lower the cost of a link between west and far by 3.")
    assert plan(ask(cost={"far": 2}), one).commands == (
        here("sitectl link set to-far --cost 2", ALL_SERVICES),
    )


def test_two_ways_over_one_link_never_set_it_twice() -> None:
    steps = plan(ask(cost={"west": 9, "far": 10}), known()).commands
    assert [one.command for one in steps] == ["sitectl link set to-west --cost 9", ""]
    assert steps[1].note.startswith("Lower the cost of a link between west and far by 4.")


def test_a_cost_that_no_link_can_have_is_a_note() -> None:
    beyond = known(site("onprem", HERE, 0, 10), site("far", FAR, 6, 100))
    (step,) = plan(ask(cost={"far": 2}), beyond).commands
    assert step.command == ""
    assert step.note == "to-west would have to cost -3, and a link costs 1 to 65535."


def test_a_series_adds_up_to_its_totals() -> None:
    picture = run(plan(ask(), known())).current
    for one, steps in zip(picture.sites, picture.series.served, strict=True):
        assert one.served == sum(steps)
    assert picture.offered == sum(picture.series.offered)


def test_the_policy_of_a_service_that_another_site_declares_is_changed_there() -> None:
    loads = msgspec.structs.replace(known(), declared_at="west")
    told = run(plan(ask(policy="failover"), loads))
    command = "sitectl service set shop --policy failover"
    assert told.commands == (WhatIfStep(site="west", local=False, command=command),)


def test_another_policy_is_run_and_is_a_command() -> None:
    told = run(plan(ask(policy="failover"), known()))
    assert (told.current.policy, told.proposed.policy) == ("fill", "failover")
    assert told.commands == (here("sitectl service set shop --policy failover"),)


def test_commands_for_other_sites_say_so_and_share_among_targets() -> None:
    commands = plan(ask({"west": 41, "far": 10}, {"west": 3, "far": 8}), known()).commands
    assert commands == (
        WhatIfStep(site="west", local=False, command="sitectl service set shop --site-capacity 41"),
        WhatIfStep(site="far", local=False, command="sitectl service set shop --capacity 5"),
        here("sitectl link set to-west --cost 3", ALL_SERVICES),
    )


def test_a_link_that_is_dialed_there_is_set_there() -> None:
    one = msgspec.structs.replace(known(), links=(link("from-west", "west", WEST, 1, "incoming"),))
    (step,) = plan(ask(cost={"west": 4, "far": 9}), one).commands
    assert (step.site, step.local, step.command) == ("west", False, "")
    assert step.note.startswith("Set the cost of the link to onprem to 4.")


def test_a_way_without_a_link_of_ours_has_no_command() -> None:
    one = msgspec.structs.replace(known(), links=())
    (step,) = plan(ask(cost={"west": 4}), one).commands
    assert (step.command, step.note) == ("", "No link of onprem leads to west.")


def test_a_hostile_name_of_a_site_is_quoted_and_reaches_no_scenario() -> None:
    evil = "x; rm -rf /\n}: &a"
    planned = plan(ask({WEST: 5}), known(SITES[0], site(evil, WEST, 1, 40)))
    (step,) = planned.commands
    assert step.site == "x; rm -rf /?}: &a"
    assert step.command == "sitectl service set shop --site-capacity 5"
    assert "rm -rf" not in planned.current + planned.proposed


def test_a_rate_stays_a_rate() -> None:
    rated = site(
        "onprem", HERE, 0, None, capacity_kind="rate", rate=RateView(per_s=15.0), targets_ready=3
    )
    planned = plan(ask({"onprem": 30}), known(rated, SITES[1]))
    targets = spec(planned.proposed)["targets"]
    assert targets[0]["capacity"] == "30/s"  # type: ignore[index]
    assert planned.commands == (here("sitectl service set shop --capacity 10/s"),)
    assert run(planned).proposed.sites[0].rate


def test_a_capacity_that_its_targets_cannot_share_evenly_is_whole_all_the_same() -> None:
    planned = plan(ask({"onprem": 11}), known())
    groups = [one for one in spec(planned.proposed)["targets"] if one["site"] == "s0"]  # type: ignore[attr-defined]
    assert [(one["count"], one["capacity"]) for one in groups] == [(1, 6), (1, 5)]
    assert run(planned).proposed.sites[0].capacity == 11


def test_slots_that_other_sites_clients_hold_are_not_counted_on() -> None:
    held = site("west", WEST, 1, 40, in_flight=38)
    planned = plan(ask(), known(SITES[0], held))
    slots = [
        one["count"] * one["slots"]
        for one in spec(planned.current)["targets"]  # type: ignore[attr-defined]
        if one["site"] == "s1"
    ]
    ours = 9  # 8.4 are in flight there on average.
    assert sum(slots) == 40 - (38 - ours)
    assert run(planned).current.sites[1].taken == 38 - ours


def test_only_the_newest_requests_that_fit_are_run_again() -> None:
    many = limits.WHAT_IF_REQUESTS_MAX // 4
    busy = known(per_step=(many, 0))
    planned = plan(ask(window_s=60.0), busy)
    assert len(planned.samples) == 4
    assert planned.cut
    over = known(per_step=(limits.WHAT_IF_REQUESTS_MAX + 1, 0))
    with pytest.raises(BadQuestion):
        plan(ask(), over)


@pytest.mark.parametrize("window_s, steps", [(None, 12), (5.0, 1), (0.1, 1), (900.0, 180)])
def test_the_window_is_a_minute_unless_another_is_asked_for(
    window_s: float | None, steps: int
) -> None:
    quiet = known(per_step=(10, 0), count=180)
    assert len(plan(ask(window_s=window_s), quiet).samples) == steps


@pytest.mark.parametrize(
    "asked",
    [
        ask({"nowhere": 3}),
        ask({"onprem": 0}),
        ask({"onprem": limits.CAPACITY_MAX + 1}),
        ask(cost={"onprem": 1}),
        ask(cost={"west": 0}),
        ask(cost={"west": limits.COST_MAX + 1}),
        ask(policy="split"),
    ],
)
def test_what_cannot_be_is_refused_in_words(asked: WhatIf) -> None:
    with pytest.raises(BadQuestion) as raised:
        plan(asked, known())
    assert raised.value.hint


def test_the_busiest_time_is_found_wherever_it_was() -> None:
    quiet, loud = known(per_step=(10, 0), count=60), known(per_step=(90, 0), count=12)
    samples = (*quiet.history.samples, *loud.history.samples, *quiet.history.samples)
    both = msgspec.structs.replace(
        quiet, history=msgspec.structs.replace(quiet.history, samples=samples)
    )
    asked = msgspec.structs.replace(ask(window_s=60.0), busiest=True)
    assert plan(asked, both).samples == loud.history.samples
    longer = msgspec.structs.replace(asked, window_s=3_600.0)
    assert plan(longer, both).samples == samples


@pytest.mark.parametrize("others, kept", [(-1, 0), (0, 0), (1, 1)])
def test_so_many_sites_are_looked_at_the_cheapest_of_them(others: int, kept: int) -> None:
    number = limits.WHAT_IF_SITES_MAX + others
    sites = [site(f"site{index}", f"{index:02x}", index, 10) for index in range(number)]
    found = plan(ask(), known(*sites)).before
    assert len(found) == number - kept
    assert [place.site.path_cost for place in found] == list(range(number - kept))


def test_a_quiet_time_is_no_ground_for_a_proposal() -> None:
    with pytest.raises(NothingRecorded, match="No request"):
        plan(ask(), known(per_step=(0, 0)))


def test_what_the_figures_rest_on_is_said() -> None:
    said = " ".join(plan_told().assumptions)
    assert "at random" in said
    assert "400 ms" in said
    assert "slows down" in said


def plan_told() -> WhatIfView:
    return run(plan(ask({"onprem": 12}), known(count=2)))


def test_the_proposal_is_a_scenario_for_the_command_line() -> None:
    view = json.loads(msgspec.json.encode(plan_told()))
    assert answer(RunOrder(scenarios=(view["scenario"],), requests_max=10)).errors == []


def rarely_asked(in_flight: float) -> KnownLoad:
    """The west got one request in each of four steps, ``in_flight`` there on average."""
    found = known(per_step=(100, 0))
    asked, idle = found.history.samples[:4], found.history.samples[4:]
    samples = tuple(
        replace(one, served=(100, 1), in_flight=(one.in_flight[0], in_flight)) for one in asked
    )
    return replace(found, history=replace(found.history, samples=samples + idle))


def test_a_site_of_a_few_short_requests_is_not_taken_for_one_that_answers_at_once() -> None:
    """Four of 400 ms are seen in flight some six times, if not by chance more or less often."""
    planned = plan(ask({"onprem": 2}), rarely_asked(0.017))
    onprem, west, far = planned.before
    assert onprem.work_s == pytest.approx(0.4)
    assert west.work_s == far.work_s == onprem.work_s
    assert (
        "Too few requests went to west and far to measure how long targets take there; it is "
        "assumed that they take as long as at onprem." in run(planned).assumptions
    )


def test_a_site_of_a_few_long_requests_is_known_to_be_slow() -> None:
    planned = plan(ask(), rarely_asked(2.0))
    assert planned.before[1].work_s == pytest.approx(10.0, rel=0.01)
    assert not any("went to west" in one for one in run(planned).assumptions)
