"""Who says two things at once is a problem of `status`, once, for a while."""

from router.main.liars import Liars
from router.model import limits
from router.model.ids import SiteId

EAST, NORTH = SiteId("e" * 32), SiteId("n" * 32)


def test_a_liar_is_told_of_once_and_shown_until_it_was_quiet_for_a_while() -> None:
    liars = Liars()
    assert liars.problems(0.0) == []
    assert liars.found(EAST, "east", 0.0)
    assert not liars.found(EAST, "east", 100.0)
    (problem,) = liars.problems(100.0 + limits.CONFLICT_SHOWN_S - 1)
    assert problem.code == "SW0672"
    assert problem.message.startswith(f"east ({EAST}) signed two different")
    assert "sitectl link delete" in problem.hint
    assert liars.problems(100.0 + limits.CONFLICT_SHOWN_S) == []
    assert liars.found(EAST, "east", 300.0)


def test_one_site_does_not_hide_another() -> None:
    liars = Liars()
    liars.found(NORTH, "north", 0.0)
    liars.found(EAST, "east", 1.0)
    shown = [problem.message.split()[0] for problem in liars.problems(2.0)]
    assert shown == ["east", "north"]


def test_at_most_so_many_are_shown_and_kept() -> None:
    liars = Liars()
    sites = [SiteId(f"{number:032x}") for number in range(limits.EQUIVOCATORS_MAX)]
    for count, site in enumerate(sites, 1):
        assert liars.found(site, f"site{count}", 0.0)
        assert len(liars.problems(0.0)) == min(count, limits.LIARS_SHOWN_MAX)
    assert not liars.found(sites[0], "site1", 0.0)
    assert liars.found(EAST, "east", 0.0)  # One past the limit: who is silent longest makes room.
    assert not liars.found(sites[0], "site1", 0.0)
    assert liars.found(sites[1], "site2", 0.0)
