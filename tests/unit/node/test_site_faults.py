"""A site that signs wrong routing data is a problem of `status`, once, for a while."""

from router.model import limits
from router.model.ids import SiteId
from router.node.news.site_faults import BRINGS_TOO_MUCH, EQUIVOCATION, OVER_BUDGET, SiteFaults


def clock(at: float) -> str:
    """As text."""
    return f"second {at:.0f}"


EAST, NORTH = SiteId("e" * 32), SiteId("n" * 32)


def test_a_liar_is_told_of_once_and_shown_until_it_was_quiet_for_a_while() -> None:
    faults = SiteFaults()
    assert faults.problems(0.0, clock) == []
    assert faults.found(EQUIVOCATION, EAST, "east", 0.0)
    assert not faults.found(EQUIVOCATION, EAST, "east", 100.0)
    (problem,) = faults.problems(100.0 + limits.CONFLICT_SHOWN_S - 1, clock)
    assert problem.code == "SW0672"
    assert problem.message.startswith(f"east ({EAST}) signed two different")
    assert problem.message.endswith("one of the two. It was seen last at second 100.")
    assert "sitectl link delete" in problem.hint
    assert faults.problems(100.0 + limits.CONFLICT_SHOWN_S, clock) == []
    assert faults.found(EQUIVOCATION, EAST, "east", 300.0)


def test_a_site_that_tells_too_much_stays_shown_from_one_refresh_to_the_next() -> None:
    faults = SiteFaults()
    assert "east" in faults.found(OVER_BUDGET, EAST, "east", 0.0, "more than 64 routers")
    faults.found(EQUIVOCATION, EAST, "east", 0.0)
    problem = faults.problems(2 * limits.LSA_REFRESH_S - 1, clock)[-1]
    assert problem.code == "SW0674"
    assert "more than 64 routers" in problem.message
    assert not faults.found(OVER_BUDGET, EAST, "east", limits.LSA_REFRESH_S, "more than 64 routers")


def test_who_brings_too_much_of_others_is_told_apart_from_who_tells_too_much_of_itself() -> None:
    faults = SiteFaults()
    assert "behind it" in faults.found(BRINGS_TOO_MUCH, EAST, "east", 0.0, "more than 9 services")
    assert faults.found(OVER_BUDGET, EAST, "east", 0.0, "more than 64 routers")
    (own, brought) = faults.problems(1.0, clock)
    assert (own.code, brought.code) == ("SW0674", "SW0682")
    assert "more than 9 services" in brought.message and "revoke-access" in brought.hint


def test_one_site_does_not_hide_another() -> None:
    faults = SiteFaults()
    faults.found(EQUIVOCATION, NORTH, "north", 0.0)
    faults.found(EQUIVOCATION, EAST, "east", 1.0)
    shown = [problem.message.split()[0] for problem in faults.problems(2.0, clock)]
    assert shown == ["east", "north"]


def test_at_most_so_many_are_shown_and_kept() -> None:
    faults = SiteFaults()
    sites = [SiteId(f"{number:032x}") for number in range(limits.FAULTY_SITES_MAX)]
    for count, site in enumerate(sites, 1):
        assert faults.found(EQUIVOCATION, site, f"site{count}", 0.0)
        assert len(faults.problems(0.0, clock)) == min(count, limits.FAULTY_SITES_SHOWN_MAX)
    assert not faults.found(EQUIVOCATION, sites[0], "site1", 0.0)
    assert faults.found(EQUIVOCATION, EAST, "east", 0.0)  # One past the limit: who is silent
    assert not faults.found(EQUIVOCATION, sites[0], "site1", 0.0)  # longest makes room.
    assert faults.found(EQUIVOCATION, sites[1], "site2", 0.0)
