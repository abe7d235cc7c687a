"""Why requests leave a site, in one sentence."""

from collections.abc import Mapping

import msgspec
import pytest

from router.balance.deciding.candidates import Verdict
from router.balance.deciding.decisions import CandidateReport, Decision, Explanation, NoChoice
from router.history.readings import NOTHING_YET, IntervalCounts, change
from router.model.ids import SiteId
from router.model.latency import NO_COUNTS
from router.model.messages.adverts import RateLoad
from router.model.port_reading import SERVED_NOWHERE, Reading
from router.operate.problems.spill_reason import NOTHING, spill_sentence

NEAR, FAR, FORMER = (SiteId(one * 32) for one in "abc")
NAMES = {NEAR: "near", FAR: "far", FORMER: "far"}


def lately(spilled: dict[str, int], nowhere: int = 0) -> IntervalCounts:
    """Within ten seconds."""
    to = {FAR: sum(spilled.values())}
    served = {**to, SERVED_NOWHERE: nowhere}
    counts = (sum(served.values()), *NO_COUNTS[1:])
    reading = Reading(served=served, spilled=spilled, spilled_to=to, counts=counts)
    return change(NOTHING_YET, reading, 10.0)


def here(**changes: object) -> CandidateReport:
    report = CandidateReport(
        site=NEAR,
        site_name="near",
        path_cost=0,
        path=(),
        targets_ready=2,
        capacity=10,
        in_flight=0,
        free=10,
        age_s=0.0,
        verdict="chosen",
        reason="",
    )
    return msgspec.structs.replace(report, **changes)


def sentence(
    change: IntervalCounts,
    report: CandidateReport,
    open_for: Mapping[str, int] = NOTHING,
    in_flight_mean: float = 0.0,
    *,
    policy: str = "fill",
    is_drained: bool = False,
    one_of: str = "",
) -> str:
    decision = Decision(
        site=report.site, local=True, path=(), reason="", overflow=False, overflow_reason=""
    )
    told = Explanation(policy=policy, decision=decision, candidates=(report,))
    return spill_sentence(
        told,
        change,
        own=NEAR,
        name_of=NAMES.__getitem__,
        has_targets=True,
        is_drained=is_drained,
        queued=0,
        in_flight_mean=in_flight_mean,
        open_to={FAR: sum(open_for.values())} if open_for else {},
        open_for=open_for,
        one_of=one_of,
    )


def test_what_is_open_still_left_for_a_reason_that_may_be_gone() -> None:
    none = lately({})
    none = msgspec.structs.replace(none, spilled_to={})
    for reason, cause in (
        ("drained", "near was drained when they began"),
        ("full", "near had no room when they began"),
        ("rate", "near had no room when they began"),
        ("no-target", "no target of near was ready when they began"),
    ):
        assert sentence(none, here(), {reason: 5}) == f"{cause}: 5 open at far"
    full = here(verdict="full", capacity=4, in_flight=4, free=0)
    assert sentence(none, full, {"full": 5}).startswith("0 of 4 slots of near are busy")


@pytest.mark.parametrize("is_drained", [True, False])
def test_a_connection_opened_before_the_targets_went_did_not_leave_because_of_that(
    is_drained: bool,
) -> None:
    none = msgspec.structs.replace(lately({}), spilled_to={})
    down = here(verdict="no-target", targets_ready=0, capacity=None, free=None)
    told = sentence(none, down, {"full": 1}, is_drained=is_drained)
    assert told == "near had no room when they began: 1 open at far"
    why = "near is drained" if is_drained else "no target of near is ready"
    for reason in ("drained", "no-target"):
        told = sentence(none, down, {reason: 1}, is_drained=is_drained)
        assert told == f"{why}: 1 open at far"


@pytest.mark.parametrize(("ready", "targets"), [(1, "1 ready target"), (2, "2 ready targets")])
def test_a_site_without_capacity_is_told_with_its_load_per_target(ready: int, targets: str) -> None:
    """With the mean: at this moment it may have none in flight."""
    report = here(capacity=None, free=None, targets_ready=ready, in_flight=0)
    left = msgspec.structs.replace(lately({"higher-level": 30}), overflow_begun={FAR: 30})
    assert sentence(left, report, in_flight_mean=7.3).startswith(
        "near has no configured capacity and was at a higher level than other sites when they left "
        f"(7.3 in flight on average at {targets})"
    )


def test_slots_that_are_kept_are_told_with_the_mean_and_not_with_a_moment() -> None:
    idle = here(capacity=4, in_flight=0, free=4)
    for reason, why in (
        ("sheddable-share", "near keeps its last slots from sheddable requests"),
        ("above-mark", "near keeps its last slots in reserve"),
    ):
        change = msgspec.structs.replace(lately({reason: 20}), overflow_begun={FAR: 20})
        assert sentence(change, idle, in_flight_mean=2.9) == (
            f"{why} (2.9 of 4 busy on average): 2.0/s go to far"
        )


def test_the_most_frequent_reason_is_the_one_that_is_said() -> None:
    """With policy spread a few leave since this site is full at the turn of one of its targets."""
    report = here(capacity=4, in_flight=2, free=2)

    def said(policy: int, full: int) -> str:
        counts = lately({"policy": policy, "full": full})
        change = msgspec.structs.replace(counts, overflow_begun={FAR: full})
        return sentence(change, report, in_flight_mean=2.4, policy="spread")

    assert said(200, 50) == "policy spread sends requests to other sites too: 25/s go to far"
    assert said(50, 200) == (
        "2.4 of 4 slots of near are busy on average, and none was free when they left: "
        "25/s go to far"
    )


@pytest.mark.parametrize("part", ["worker", "router"])
def test_slots_of_another_worker_are_not_said_to_have_been_busy(part: str) -> None:
    """Its share of the slots was used up: five of eight were in use at the targets."""
    change = msgspec.structs.replace(lately({"full": 3}), overflow_begun={FAR: 3})
    report = here(capacity=8, in_flight=5, free=3)
    assert sentence(change, report, in_flight_mean=5.2, one_of=part) == (
        f"5.2 of 8 slots of near are busy on average, and the {part} they came to had none free "
        "when they left: 0.3/s go to far"
    )
    assert sentence(change, report, in_flight_mean=8.0, one_of=part) == (
        "8 of 8 slots of near are busy: 0.3/s go to far"
    )


def test_slots_that_were_added_since_are_not_said_to_have_been_busy() -> None:
    """A target is back, a drain in part is over, or the capacity was raised: two were there."""
    change = msgspec.structs.replace(lately({"full": 31}), overflow_begun={FAR: 31})
    change = msgspec.structs.replace(change, more_slots=6)
    told = sentence(change, here(capacity=8, in_flight=2, free=6), in_flight_mean=1.6)
    assert told == "near had no room when they left: 3.1/s go to far"
    full_again = msgspec.structs.replace(here(capacity=8, in_flight=8, free=0), verdict="full")
    told = sentence(change, full_again, in_flight_mean=7.9)
    assert told.startswith("7.9 of 8 slots of near are busy on average"), told


def test_a_rate_that_is_gone_is_not_taken_for_slots_that_were_busy() -> None:
    """Two of eight slots were ever in use."""
    change = msgspec.structs.replace(lately({"rate": 70, "full": 2}), overflow_begun={FAR: 72})
    assert sentence(change, here(capacity=8, in_flight=2, free=6), in_flight_mean=1.4) == (
        "the rate of near was used up when they left: 7.2/s go to far"
    )


def test_a_rate_that_is_stated_now_is_not_said_to_have_been_used_up_before() -> None:
    """Ten slots were used up; then an operator configured a rate in their place, or beside them."""
    change = msgspec.structs.replace(lately({"full": 20}), overflow_begun={FAR: 20})
    rate = RateLoad(5.0, permits=4)
    assert sentence(change, here(rate=rate, capacity=None, free=4)) == (
        "near had no room when they left: 2.0/s go to far"
    )
    assert sentence(change, here(rate=rate), in_flight_mean=4.0) == (
        "4 of 10 slots of near are busy on average, and none was free when they left: "
        "2.0/s go to far"
    )
    was_rate = msgspec.structs.replace(lately({"rate": 20}), overflow_begun={FAR: 20})
    assert sentence(was_rate, here(rate=rate)) == (
        "the rate of near, 5/s, was used up in the last seconds: 2.0/s go to far"
    )


def test_a_rate_is_not_named_where_most_left_for_want_of_slots() -> None:
    rate = RateLoad(5.0, permits=4)
    change = msgspec.structs.replace(lately({"full": 14, "rate": 6}), overflow_begun={FAR: 20})
    assert sentence(change, here(rate=rate), in_flight_mean=4.0) == (
        "4 of 10 slots of near are busy on average, and none was free when they left: "
        "2.0/s go to far"
    )


def test_a_drain_that_is_over_is_no_reason_while_targets_are_checked_again() -> None:
    unready = here(targets_ready=0, verdict="no-target")
    assert sentence(lately({"drained": 20}), unready) == (
        "no target of near is ready: 2.0/s go to far"
    )
    drained = here(targets_ready=0, verdict="draining")
    assert sentence(lately({"drained": 20}), drained, is_drained=True) == (
        "near is drained: 2.0/s go to far"
    )
    assert sentence(lately({"policy": 20}), drained, is_drained=True) == (
        "near is drained: 2.0/s go to far"
    ), "all of them left before"


def test_requests_that_leave_for_their_session_are_not_laid_to_the_policy() -> None:
    stays = sentence(lately({"session": 20}), here(), policy="split")
    assert stays == "sessions stay at other sites: 2.0/s go to far"
    split = sentence(lately({"policy": 20}), here(), policy="split")
    assert split == "policy split sends requests to other sites too: 2.0/s go to far"


def test_fill_is_not_blamed_for_what_the_policy_before_it_did() -> None:
    """The policy was changed while requests, or connections of hours, were at other sites."""
    none = msgspec.structs.replace(lately({}), spilled_to={})
    for policy in ("fill", "failover"):
        before = f"the policy before {policy} sent requests to other sites too"
        went = sentence(lately({"policy": 20}), here(), policy=policy)
        assert went == f"{before}: 2.0/s go to far"
        assert sentence(none, here(), {"policy": 5}, policy=policy) == f"{before}: 5 open at far"


def test_how_many_wait_is_said_in_one_place_alone() -> None:
    explanation = Explanation(
        "fill", NoChoice("all-full", (), local_waitable=True), (here(verdict="full"),)
    )

    def said(nowhere: int) -> str:
        return spill_sentence(
            explanation,
            msgspec.structs.replace(lately({}), spilled_to={}, nowhere=nowhere, failed=nowhere),
            own=NEAR,
            name_of=str,
            has_targets=True,
            is_drained=False,
            queued=7,
            in_flight_mean=4.0,
        )

    full = "every site that may serve it is full"
    assert said(20) == f"{full}: 2.0/s served nowhere, the queue is in use"
    assert said(0) == f"{full}: the queue is in use", "none was refused: maybe they wait for a slot"


def test_requests_that_no_site_is_looked_for_are_not_turned_away_for_lack_of_room() -> None:
    """Clients of another version of HTTP, at a service whose slots were all taken."""
    full = here(verdict="full")
    explanation = Explanation("fill", NoChoice("all-full", (), local_waitable=True), (full,))

    def said(failed: int, **failed_for: int) -> str:
        codes = {name.replace("_", "-"): count for name, count in failed_for.items()}
        counts = msgspec.structs.replace(
            lately({}), spilled_to={}, nowhere=20, failed=failed, failed_for=codes
        )
        return spill_sentence(
            explanation,
            counts,
            own=NEAR,
            name_of=str,
            has_targets=True,
            is_drained=False,
            queued=0,
            in_flight_mean=4.0,
        )

    assert said(20, all_full=20) == "every site that may serve it is full: 2.0/s served nowhere"
    assert said(20, version_not_supported=20) == ""
    assert said(5, all_full=5) == ("every site that may serve it is full: 0.5/s served nowhere"), (
        "15 were too large, or malformed"
    )


@pytest.mark.parametrize(
    ("verdict", "has_targets", "too"),
    [
        ("ejected", True, " or ejected (near)"),
        ("no-target", True, " or without a ready target (near)"),
        ("no-target", False, ""),
    ],
)
def test_this_site_is_not_called_full_while_none_of_its_targets_takes_requests(
    verdict: Verdict, has_targets: bool, too: str
) -> None:
    gone = here(targets_ready=0, verdict=verdict)
    beside = here(site=FAR, site_name="far", path=("b",), verdict="full")
    choice = NoChoice("all-full", (), local_waitable=False)
    said = spill_sentence(
        Explanation("fill", choice, (gone, beside)),
        msgspec.structs.replace(lately({}), spilled_to={}),
        own=NEAR,
        name_of=NAMES.__getitem__,
        has_targets=has_targets,
        is_drained=False,
        queued=7,
        in_flight_mean=0.0,
    )
    assert said.startswith(f"every site that may serve it is full{too}: ")


def test_targets_that_are_back_were_not_ready_when_requests_left() -> None:
    gone = here(targets_ready=0, verdict="no-target")
    assert sentence(lately({"no-target": 20}), gone) == (
        "no target of near is ready: 2.0/s go to far"
    )
    for reason in ("no-target", "ejected"):
        assert sentence(lately({reason: 20, "policy": 3}), here()) == (
            "no target of near was ready when they left: 2.3/s go to far"
        )
    assert sentence(lately({"failover": 1}), here()).startswith("attempts at near failed: ")
    assert sentence(lately({"policy": 1}), here(), policy="spread").startswith(
        "policy spread sends requests to "
    )


def test_targets_at_another_router_of_this_site_are_its_own() -> None:
    change = msgspec.structs.replace(lately({"full": 20}), overflow_begun={FAR: 20})
    beside = here(path=("r2",), verdict="full", capacity=4, in_flight=4, free=0)
    assert sentence(change, beside).startswith("0 of 4 slots of near are busy on average")
    elsewhere = here(site=FAR, site_name="far", path=("b",))
    assert sentence(change, elsewhere).startswith("near had no room when they left: ")
    assert sentence(lately({"failover": 1}), elsewhere).startswith("attempts at near failed: ")


def test_requests_that_no_site_served_are_told_beside_the_others() -> None:
    assert sentence(lately({"no-target": 20}, nowhere=140), here(targets_ready=0)) == (
        "no target of near is ready: 2.0/s go to far, 14/s served nowhere"
    )


def test_connections_that_stay_open_elsewhere_are_told_when_nothing_ends() -> None:
    full = here(verdict="full", capacity=3, in_flight=3, free=0)
    far = here(site=FAR, site_name="far", path_cost=5, path=("b",))
    decision = Decision(
        site=far.site, local=False, path=(), reason="", overflow=True, overflow_reason="full"
    )
    told = Explanation(policy="fill", decision=decision, candidates=(full, far))

    def found(explained: Explanation, change: IntervalCounts, reason: str) -> str:
        return spill_sentence(
            explained,
            change,
            own=NEAR,
            name_of=NAMES.__getitem__,
            has_targets=True,
            is_drained=False,
            queued=0,
            in_flight_mean=3.0,
            open_to={FAR: 5},
            open_for={reason: 5},
        )

    assert found(told, lately({}), "full") == (
        "3 of 3 slots of near are busy: 5 open at far (cost 5)"
    )
    spread = msgspec.structs.replace(told, policy="spread")
    assert found(spread, lately({"policy": 20}), "full") == (
        "policy spread sends requests to other sites too: 2.0/s go to far (cost 5)"
    )
    gone = msgspec.structs.replace(told, candidates=(here(targets_ready=0), far))
    assert found(gone, lately({}), "no-target") == (
        "no target of near is ready: 5 open at far (cost 5)"
    )


def test_a_site_that_is_not_reached_is_not_said_to_be_full() -> None:
    told = Explanation(policy="fill", decision=NoChoice("all-full", (), True), candidates=())
    change = msgspec.structs.replace(lately({}), spilled_to={}, nowhere=20)

    def said(*, is_one_away: bool) -> str:
        return spill_sentence(
            told,
            change,
            own=NEAR,
            name_of=NAMES.__getitem__,
            has_targets=True,
            is_drained=False,
            queued=3,
            in_flight_mean=0.0,
            is_one_away=is_one_away,
        )

    assert said(is_one_away=False).startswith("every site that may serve it is full: ")
    assert said(is_one_away=True).startswith("every site that is reached and may serve it is full")


def test_a_site_that_is_gone_and_the_one_in_its_place_are_both_listed() -> None:
    change = msgspec.structs.replace(lately({"policy": 30}), spilled_to={FAR: 20, FORMER: 10})
    text = sentence(change, here(), policy="split")
    assert sorted(text.partition(": ")[2].replace(" go", "").split(", ")) == [
        "1.0/s to far",
        "2.0/s to far",
    ]
