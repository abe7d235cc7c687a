"""How much of each configured capacity one of several routers of a site may give out."""

from collections.abc import Container, Iterable
from datetime import UTC, datetime
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from router.documents import UnreadyPod, Wanted
from router.documents.capacities import cap_of, terms_of
from router.documents.division import WHOLE, Division, divided
from router.kubernetes.services.endpoint_slices import BOTH
from router.kubernetes.targets.replicas import (
    HeardRouters,
    division,
    partners,
    shares,
    to_dial,
    unready,
)
from router.model import limits
from router.model.capacity import Rate, SiteCap
from router.model.specs import ConnectorSpec, SitePolicySpec, SiteSpec, TargetSpec
from tests.unit.kubernetes.kept import kept
from tests.unit.kubernetes.objects_made import pod

ENDS = datetime(2026, 1, 1, 0, 1, tzinfo=UTC).timestamp()
NOW = ENDS - 30


def router(name: str, minute: int, *ips: str, **rest: Any) -> dict[str, Any]:
    labels = {"spillway.dev/component": "router"}
    return pod(name, *ips, labels=labels, made=f"2026-01-01T00:{minute:02}:00Z", **rest)


def ending(name: str, minute: int) -> dict[str, Any]:
    return router(name, minute, ready=False, deleted="2026-01-01T00:01:00Z")


def known(*pods: dict[str, Any]) -> dict[str, Any]:
    return {one["metadata"]["name"]: kept(one) for one in pods}


def shared(*pods: dict[str, Any], own: str = "a", now: float = NOW) -> Division:
    return division(known(*pods), own, now)[0]


def wanted(
    *capacities: int | str | None, targets: int = 1, default: int | str | None = None
) -> Wanted:
    """A connector for each of ``capacities``, or one of ``targets`` with the ``default``."""
    own = [TargetSpec(f"10.0.0.{n}", 80, capacity=c) for n, c in enumerate(capacities)]
    more = [TargetSpec(f"10.0.1.{n}", 80) for n in range(targets if default else 0)]
    spec = ConnectorSpec(service="shop", targets=(*own, *more), capacity=default)
    return Wanted(name="west", site=SiteSpec(), connectors={"c": spec})


def capacities(found: Wanted) -> list[int | None]:
    return [slots(target.capacity) for target in found.connectors["c"].targets]


def slots(capacity: int | str | None) -> int | None:
    assert not isinstance(capacity, str), "a rate"
    return capacity


def of_each(found: Wanted, count: int) -> list[list[int | None]]:
    """The slots that each of ``count`` routers may give out, by target."""
    return [
        capacities(divided(found, Division(count=count, index=index))) for index in range(count)
    ]


def test_a_router_alone_has_everything() -> None:
    assert shared(router("a", 0)) == WHOLE
    assert shared(router("a", 0, ready=False)) == WHOLE, "nobody else serves"
    assert shared(router("a", 0), pod("shop-1")) == WHOLE
    assert shared(router("b", 0), own="a") == WHOLE, "it runs outside of the namespace"
    whole = wanted(3, None)
    assert divided(whole, WHOLE) is whole


def test_the_oldest_comes_first_and_every_router_says_the_same() -> None:
    pods = (router("a", 9), router("b", 0), router("c", 9))
    found = [shared(*pods, own=name).index for name in "bac"]
    assert found == [0, 1, 2]
    assert {shared(*pods, own=name).count for name in "abc"} == {3}


def test_one_that_starts_has_nothing_beside_one_that_serves() -> None:
    pods = (router("a", 1, ready=False), router("b", 0))
    assert shared(*pods, own="b") == WHOLE
    starting = shared(*pods, own="a")
    assert starting.index is None
    assert capacities(divided(wanted(5, None), starting)) == [0, None]


def test_one_that_ends_has_no_share_beside_one_that_stays() -> None:
    """It owes its requests in flight to the others (`balance.sites.shares`)."""
    pods = (ending("a", 0), router("b", 1))
    assert shared(*pods, own="b") == WHOLE
    assert shared(*pods, own="a") == Division(count=1, index=None)
    assert sharers(*pods, own="b") == ({"a"}, ENDS + limits.POD_END_LATE_S)
    never_ready = router("z", 2, ready=False, phase="Pending", deleted="2026-01-01T00:01:00Z")
    assert shared(router("b", 1), never_ready, own="b") == WHOLE


def test_one_that_ends_keeps_its_share_where_routers_cannot_agree() -> None:
    pods = {"a": ending("a", 0), "b": router("b", 1)}
    until = ENDS + limits.POD_END_LATE_S
    assert division(pods, "a", NOW, agrees=False) == (Division(count=2, index=0), until)
    assert division(pods, "b", NOW, agrees=False) == (Division(count=2, index=1), until)
    assert division(pods, "b", until, agrees=False) == (WHOLE, None)


def test_one_that_was_never_heard_gets_no_share_and_the_division_does_not_change() -> None:
    pods = {"a": router("a", 0), "b": router("b", 1)}
    alone, _ = shares({"a": router("a", 0)}, "a", NOW)
    nobody: frozenset[str] = frozenset()
    assert division(pods, "a", NOW, heard=nobody) == (WHOLE, None)
    agreement, _ = shares(pods, "a", NOW, heard=nobody)
    assert alone is not None and agreement is not None
    assert agreement.division == alone.division
    assert agreement.others == agreement.ready == {"b"}
    assert division(pods, "a", NOW, heard=frozenset({"b"})) == (Division(count=2, index=0), None)


def test_one_that_ends_without_a_link_divides_with_nobody() -> None:
    linked = HeardRouters(frozenset({"a", "b"}), is_linked=True)
    cut = msgspec.structs.replace(linked, is_linked=False)
    pods = {"a": ending("a", 0), "b": router("b", 1)}
    assert partners(pods, "a", linked) == {"a", "b"}
    assert partners(pods, "a", cut) == frozenset()
    assert partners(pods, "b", cut) == {"a", "b"}, "it does not end: a cut changes no share"
    assert partners(pods, "elsewhere", cut) == {"a", "b"}
    assert division(pods, "a", NOW, heard=frozenset())[0] == WHOLE


def test_those_that_end_share_all_while_no_other_is_ready_until_their_time_is_long_over() -> None:
    pods = (ending("a", 0), router("b", 1, ready=False))
    assert shared(*pods, own="a") == WHOLE
    assert shared(*pods, own="b") == Division(count=1, index=None)
    _, until = division({"a": pods[0], "b": pods[1]}, "b", NOW)
    assert until == ENDS + limits.POD_END_LATE_S
    assert shared(*pods, own="b", now=until) == WHOLE
    assert shared(pods[1], own="b") == WHOLE
    over = router("a", 0, ready=False, deleted="2026-01-01T00:01:00Z", phase="Succeeded")
    assert shared(over, pods[1], own="b") == WHOLE
    both = (ending("a", 0), ending("b", 1), router("c", 2, ready=False))
    assert shared(*both, own="b") == Division(count=2, index=1)


def test_targets_that_have_one_slot_each_are_dealt_out() -> None:
    dealt = of_each(wanted(*[1] * 40), 2)
    assert all(sum(filter(None, shares)) == 1 for shares in zip(*dealt, strict=True))
    assert all(10 <= _sum(router) <= 30 for router in dealt)
    assert sorted(map(_sum, of_each(wanted(1), 2))) == [0, 1]


def test_what_does_not_divide_stays_where_it_is_when_other_targets_come_and_go() -> None:
    whole = wanted(5, 3, 7)
    connector = whole.connectors["c"]
    fewer = msgspec.structs.replace(connector, targets=connector.targets[1:])
    less = msgspec.structs.replace(whole, connectors={"c": fewer})
    for all_of_them, some in zip(of_each(whole, 2), of_each(less, 2), strict=True):
        assert all_of_them[1:] == some


@given(
    given=st.lists(st.integers(1, 9) | st.none(), min_size=1, max_size=9), count=st.integers(2, 5)
)
def test_shares_sum_up_to_what_is_stated_and_differ_by_one_at_most_for_each_target(
    given: list[int | None], count: int
) -> None:
    found = of_each(wanted(*given), count)
    for target, capacity in enumerate(given):
        shares = [router[target] for router in found]
        if capacity is None:
            assert set(shares) == {None}
        else:
            whole = [share for share in shares if share is not None]
            assert sum(whole) == capacity
            assert max(whole) - min(whole) <= 1


def _sum(shares: Iterable[int | None]) -> int:
    return sum(share for share in shares if share is not None)


def sharers(*pods: dict[str, Any], own: str, now: float = NOW) -> tuple[set[str], float | None]:
    """Who must agree with ``own``, and until when if no Pod changes."""
    found, until = shares(known(*pods), own, now)
    assert found is not None
    return set(found.others), until


def stopped(name: str, minute: int) -> dict[str, Any]:
    made = router(name, minute, ready=False)
    made["status"]["containerStatuses"] = [{"restartCount": 1, "state": {"waiting": {}}}]
    return made


def starting(name: str, minute: int) -> dict[str, Any]:
    return router(name, minute, ready=False, phase="Pending")


def test_whoever_may_run_must_agree_ready_or_not() -> None:
    pods = (router("a", 0), router("b", 1, ready=False), ending("c", 2), stopped("d", 3))
    assert sharers(*pods, own="a") == ({"b", "c"}, ENDS + limits.POD_END_LATE_S)
    assert sharers(*pods, own="d") == ({"a", "b", "c"}, ENDS + limits.POD_END_LATE_S)
    assert sharers(*pods, own="a", now=ENDS + limits.POD_END_LATE_S) == ({"b"}, None)


def test_one_that_has_not_been_seen_to_run_counts_for_the_younger_for_a_while() -> None:
    old, new = starting("a", 0), starting("b", 0)
    assert sharers(old, new, own="a", now=NOW) == (set(), None)
    made_at = ENDS - 60
    assert sharers(old, new, own="b", now=made_at + 1) == (
        {"a"},
        made_at + limits.POD_START_SEEN_S,
    )
    assert sharers(old, new, own="b", now=made_at + limits.POD_START_SEEN_S) == (set(), None)
    assert sharers(stopped("a", 0), new, own="b", now=made_at + 1) == (set(), None)


def test_a_router_does_not_run_because_a_container_beside_it_does() -> None:
    meshed = stopped("b", 1)
    meshed["status"]["containerStatuses"][0]["name"] = "router"
    beside = {"name": "istio-proxy", "restartCount": 0, "state": {"running": {}}}
    meshed["status"]["containerStatuses"].append(beside)
    assert sharers(router("a", 0), meshed, own="a") == (set(), None)
    meshed["status"]["containerStatuses"][0]["name"] = "main"
    assert sharers(router("a", 0), meshed, own="a") == ({"b"}, None), "none is the router's"


def test_whoever_is_down_is_told_with_its_last_end() -> None:
    ended = {"terminated": {"finishedAt": "2026-01-01T00:01:00Z"}}
    again = stopped("b", 1)
    again["status"]["containerStatuses"].append({"lastState": ended, "state": {"waiting": {}}})
    now_down = stopped("c", 2)
    now_down["status"]["containerStatuses"][0]["state"] = ended
    pods = (router("a", 0), again, now_down, starting("d", 3), router("e", 4))
    found, _ = shares(known(*pods), "a", NOW)
    assert found is not None
    assert found.down == {"b": ENDS, "c": ENDS, "d": 0.0}


def test_one_that_said_that_it_is_over_is_waited_for_in_a_newer_life_only() -> None:
    pods = known(ending("a", 0), router("b", 1, ready=False), router("c", 2), router("d", 3))
    found, _ = shares(pods, "b", NOW, over={"a": 7, "c": 9})
    assert found is not None
    assert found.others == {"d"}
    assert found.down == {"a": 8, "c": 10}
    assert found.ready == {"c", "d"}, "it is to be linked again"
    assert division(pods, "d", NOW, over={"a": 7, "c": 9}) == (WHOLE, None)
    alone = known(ending("a", 0), router("b", 1, ready=False))
    assert division(alone, "b", NOW) == (Division(count=1, index=None), ENDS + 10)
    assert division(alone, "b", NOW, over={"a": 7}) == (WHOLE, None)


def test_those_that_share_name_the_division_alike_and_another_one_otherwise() -> None:
    pods = (router("a", 0), router("b", 1), router("c", 2, ready=False))
    named = known(*pods)
    names = {shares(named, own, NOW)[0].division for own in "abc"}  # type: ignore[union-attr]
    assert len(names) == 1
    alone = shares({"a": pods[0]}, "a", NOW)[0]
    assert alone is not None and alone.division not in names
    assert shares(named, "z", NOW) == (None, None)


def test_while_none_is_ready_those_that_run_share() -> None:
    pods = (router("a", 0, ready=False), router("b", 1, ready=False), starting("c", 2))
    assert shared(*pods, own="a") == Division(count=2, index=0)
    assert shared(*pods, own="b") == Division(count=2, index=1)


def dialed(own: str, *pods: dict[str, Any], over: Container[str] = ()) -> tuple[str, ...]:
    return to_dial(known(*pods), own, BOTH, 55671, over)


def test_of_two_routers_the_newer_dials_the_older_until_that_has_ended() -> None:
    old, new = router("z", 1, "10.0.0.1"), router("a", 2, "10.0.0.2")
    assert dialed("a", old, new) == ("10.0.0.1:55671",)
    assert dialed("z", old, new) == ()
    going = router("z", 1, "10.0.0.1", ready=False, deleted="2026-01-01T00:01:00Z")
    assert dialed("a", going, new) == ("10.0.0.1:55671",)
    assert dialed("a", router("z", 1, "10.0.0.1", phase="Succeeded"), new) == ()
    assert dialed("a", router("z", 1), new) == (), "it has no address yet"
    assert dialed("a", pod("z", "10.0.0.1"), new) == (), "an application"
    assert dialed("elsewhere", old, new) == (), "no Pod of the namespace"


def test_a_router_that_is_over_is_dialed_if_its_container_may_start_again() -> None:
    """That one dials no newer router, so it was never heard again."""
    new = router("a", 2, "10.0.0.2")
    going = router("z", 1, "10.0.0.1", ready=False, deleted="2026-01-01T00:01:00Z")
    assert dialed("a", going, new, over={"z"}) == ()
    assert dialed("a", router("z", 1, "10.0.0.1"), new, over={"z"}) == ("10.0.0.1:55671",)


def test_routers_of_one_moment_dial_by_name_and_each_pair_once() -> None:
    three = [router(name, 1, f"fd00::{name}") for name in "abc"]
    assert [len(dialed(name, *three)) for name in "abc"] == [0, 1, 2]
    assert dialed("b", *three) == ("[fd00::a]:55671",)


def test_a_rate_is_divided_evenly_and_what_stands_beside_it_goes_along() -> None:
    spec = ConnectorSpec(
        service="shop",
        targets=(TargetSpec("10.0.0.1", 80), TargetSpec("10.0.0.2", 80, capacity="3,1/s")),
        capacity="15/s",
        resume="10/s",
        window_s=1.0,
    )
    cap = SitePolicySpec(service="shop", site_capacity="5,30/s", resume="20/s", spill="all")
    found = Wanted(name="west", site=SiteSpec(), connectors={"c": spec}, policies={"shop": cap})
    shares = [divided(found, Division(count=2, index=index)) for index in range(2)]
    assert [cap_of(each.policies["shop"]) for each in shares] == [
        SiteCap(slots=slots, rate=rate(15.0, 10.0, 15.0), spill="all") for slots in (3, 2)
    ]
    for each in shares:
        connector = each.connectors["c"]
        assert terms_of(connector, connector.targets[0]).rate == rate(7.5, 5.0, 1.0)
        small = terms_of(connector, connector.targets[1]).rate
        assert small is not None
        assert (small.per_s, small.window_s) == (0.5, 15.0), "one request must fit"
    assert {terms_of(c, c.targets[1]).slots for s in shares for c in s.connectors.values()} == {
        1,
        2,
    }


def test_a_router_that_serves_nobody_yet_has_no_rate_either() -> None:
    found = divided(wanted("15/s"), Division(count=2, index=None))
    assert capacities(found) == [0]


def rate(per_s: float, resume_per_s: float, window_s: float) -> Rate:
    return Rate(per_s=per_s, resume_per_s=resume_per_s, window_s=window_s, stay_s=window_s)


def test_other_routers_that_should_serve_and_are_not_ready_are_missed() -> None:
    stopped_at = "2026-01-01T00:05:00Z"
    frozen = router("b", 1, "10.0.0.2", ready=False)
    frozen["status"]["conditions"][0]["lastTransitionTime"] = stopped_at
    never = router("c", 2, ready=False)
    never["status"]["conditions"] = []
    over = router("d", 3, ready=False)
    over["status"]["phase"] = "Failed"
    others = (router("e", 4, "10.0.0.5"), ending("f", 5), pod("shop", ready=False))
    pods = known(frozen, never, over, *others)
    assert unready(pods, "a") == {}, "this router is none of them"
    pods["a"] = router("a", 0, ready=False)
    made = datetime(2026, 1, 1, 0, 2, tzinfo=UTC).timestamp()
    crash = {"state": {"waiting": {"reason": "CrashLoopBackOff"}}}
    never["status"]["containerStatuses"] = [{"state": {"running": {}}}, crash]
    pulls = router("g", 2, ready=False)
    pulls["status"]["conditions"] = []
    creating = {"state": {"waiting": {"reason": "ContainerCreating"}}}
    pulls["status"]["containerStatuses"] = [creating, creating]
    pods |= known(never, pulls)
    why = "its pod is not ready"
    assert unready(pods, "a") == {
        "b": UnreadyPod(made + 180, why),
        "c": UnreadyPod(made, f"{why}: CrashLoopBackOff"),
        "g": UnreadyPod(made, why, starts=True),
    }
