"""Rounds of a ping as one answer, and as text."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sitectl.show.ping import merged, round_text, summary_text


def hop(rtt_ms: float | None, site: str = "west", error: str = "") -> dict[str, Any]:
    return {
        "site": site,
        "id": f"id of {site}",
        "cost": 2,
        "path_cost": 2,
        "sent": 1,
        "answered": int(rtt_ms is not None),
        "rtt_ms": None if rtt_ms is None else [rtt_ms] * 3,
        "certificate_expires": None,
        "version": "1",
        "error": error,
    }


def answer(*hops: dict[str, Any], reason: str = "") -> dict[str, Any]:
    return {
        "site": hops[-1]["site"],
        "id": hops[-1]["id"],
        "reachable": bool(hops[-1]["answered"]),
        "path_cost": 2,
        "hops": list(hops),
        "reason": reason,
        "paths": 1,
    }


@given(st.lists(st.none() | st.integers(1, 1_000), min_size=1, max_size=10))
def test_rounds_together_have_the_least_the_mean_and_the_most(rtts: list[int | None]) -> None:
    whole: dict[str, Any] = {}
    for rtt in rtts:
        whole, has_changed = merged(whole, answer(hop(rtt)))
        assert not has_changed
    heard = [rtt for rtt in rtts if rtt is not None]
    (one,) = whole["hops"]
    assert (one["sent"], one["answered"]) == (len(rtts), len(heard))
    assert whole["reachable"] == bool(heard)
    if heard:
        low, mean, high = one["rtt_ms"]
        assert (low, high) == (min(heard), max(heard))
        assert abs(mean - sum(heard) / len(heard)) < 0.02
    else:
        assert one["rtt_ms"] is None


def test_another_way_begins_anew_and_says_so() -> None:
    before, _ = merged({}, answer(hop(1.0, "a"), hop(2.0, "z")))
    whole, has_changed = merged(before, answer(hop(1.0, "b"), hop(2.0, "z")))
    assert has_changed
    assert [one["sent"] for one in whole["hops"]] == [1, 1]


def test_the_reason_of_a_silent_round_stays_while_others_answer() -> None:
    whole, _ = merged(answer(hop(None, error="no answer within 2 s")), answer(hop(1.0)))
    assert whole["reachable"]
    assert whole["hops"][0]["error"] == "no answer within 2 s"


def test_text_tells_rounds_hops_and_where_it_breaks() -> None:
    assert round_text(3, answer(hop(1.24, "a"), hop(None, "z"))) == "  3  a 1.2 ms  z -"
    lost = hop(None, "z\x1b[2J", error="beyond the break") | {"sent": 0, "cost": None}
    said = summary_text(answer(hop(1.5, "a"), lost, reason="the link is down"))
    assert "\x1b" not in said
    assert "not asked" in said
    assert said.endswith("is not reached: the link is down.")
    several = answer(hop(1.0)) | {"paths": 3}
    assert "; one of 3 ways of that cost" in summary_text(several)
