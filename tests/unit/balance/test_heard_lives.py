"""Which routers were heard, and which are over, in whatever order messages arrive."""

from router.balance.sites.heard_lives import HeardLives
from router.model import limits
from router.model.messages.shares import SharesMessage


def said(life: int, *, is_over: bool = False, member: str = "b") -> SharesMessage:
    return SharesMessage(member, life, 1, 1, "ab", 0, 0, is_over=is_over)


def test_each_router_is_news_once() -> None:
    lives = HeardLives()
    assert lives.hear(said(5))
    assert not lives.hear(said(5))
    assert lives.hear(said(1, member="c"))
    assert lives.newest == {"b": 5, "c": 1}
    assert lives.over == {}


def test_one_that_is_over_stays_so_until_it_is_heard_in_a_newer_life() -> None:
    lives = HeardLives()
    lives.hear(said(5))
    assert lives.hear(said(5, is_over=True))
    assert not lives.hear(said(5, is_over=True))
    assert not lives.hear(said(5)), "sent before, over another link"
    assert not lives.hear(said(4))
    assert lives.over == {"b": 5}
    assert lives.hear(said(6))
    assert lives.over == {}
    assert not lives.hear(said(5, is_over=True)), "of the life before"
    assert lives.over == {}


def test_a_newer_life_may_be_over_too() -> None:
    lives = HeardLives()
    assert lives.hear(said(5, is_over=True))
    assert lives.hear(said(6, is_over=True))
    assert lives.over == {"b": 6}


def test_names_of_ended_routers_are_forgotten_beyond_the_limit_but_none_that_speaks() -> None:
    """Each Pod has another name: all of them were kept for as long as the router ran."""
    lives, most = HeardLives(), limits.SHARE_MEMBERS_KEPT_MAX
    for number in range(3 * most):
        lives.hear(said(1, member="stays"))
        lives.hear(said(1, member=f"pod-{number}"))
        lives.hear(said(1, member=f"pod-{number}", is_over=True))
    assert (len(lives.newest), len(lives.over)) == (most, most - 1)
    assert "stays" in lives.newest and f"pod-{3 * most - 1}" in lives.over
