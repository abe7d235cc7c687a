"""What a hostile neighbor can make its dialer do: little, and its link stays up."""

from pathlib import Path

import pytest

from certs import limits
from router.link.sessions.lost_races import LinkErrorCode
from router.model import limits as router_limits
from tests.property.test_renewal import BEGAN, West

MOST_IN_AN_HOUR = (
    router_limits.RENEWALS_BURST_OF_LINK + 3_600 / router_limits.RENEWALS_EACH_S_OF_LINK
)


def test_a_neighbour_that_says_due_all_the_time_gets_few_renewals(tmp_path: Path) -> None:
    """Each is a key, a file and another link beside the one that is up."""
    west = West(tmp_path, [], 1)
    for second in range(3_600):
        west.internet.run_until(float(second))
        west.renewer.due("east")
    assert limits.ISSUED_PER_SITE_MAX <= len(west.asked) <= MOST_IN_AN_HOUR


def test_a_neighbour_that_gives_certificates_of_a_minute_gets_few_renewals(tmp_path: Path) -> None:
    west = West(tmp_path, [], 1)
    west.east.wall = lambda: BEGAN + west.network.now() - limits.LINK_LEAF_LIFE_S + 60.0
    west.east.issuer = west.east.started()
    west.renewer.renew_now("east")
    west.internet.run_until(3_600.0)
    assert len(west.asked) <= MOST_IN_AN_HOUR


def test_the_operator_waits_for_nobodys_pace(tmp_path: Path) -> None:
    west = West(tmp_path, [], 1)
    for second in range(20):
        west.internet.run_until(second * 10.0)
        west.renewer.renew_now("east")
    west.internet.run_until(200.0)
    assert len(west.asked) == 20


def test_a_short_certificate_of_a_token_is_replaced_once_its_link_is_up_and_not_before(
    tmp_path: Path,
) -> None:
    """While the neighbor was away, its claim port was asked, and an event said that it failed."""
    west = West(tmp_path, [], 1, life_s=20 * 3_600.0)
    west.state = "down"
    west.internet.run_until(300.0)
    assert west.asked == [] and not west.renewer.is_due("east")
    west.renewer.link_changed("east", "up")
    west.internet.run_until(302.0 + router_limits.RENEW_SOON_S)
    assert len(west.asked) == 1 and west.journal.codes == ["certificate-renewed"]


def test_a_link_that_is_refused_asks_within_seconds(tmp_path: Path) -> None:
    west = West(tmp_path, ["down"], 1)
    west.state = "refused"
    west.renewer.link_changed("east", "refused")
    west.internet.run_until(router_limits.RENEW_SOON_S)
    assert len(west.asked) == 1


def test_a_refusal_may_be_over_with_the_renewal_until_that_has_failed(tmp_path: Path) -> None:
    west = West(tmp_path, ["refused"], 1)
    west.state = "refused"
    assert west.renewer.is_due("east") and not west.renewer.is_due("no such link")
    west.renewer.link_changed("east", "refused")
    west.internet.run_until(2 * router_limits.RENEW_SOON_S)
    assert "certificate-not-renewed" in west.journal.codes
    assert not west.renewer.is_due("east")


@pytest.mark.parametrize("code", ["copy", "clock", "proxy"])
def test_a_refusal_that_has_another_cause_is_not_over_with_a_renewal(
    tmp_path: Path, code: LinkErrorCode
) -> None:
    west = West(tmp_path, ["refused"], 1)
    west.state, west.error_code = "refused", code
    assert not west.renewer.is_due("east")
    west.renewer.link_changed("east", "refused")
    west.internet.run_until(2 * router_limits.RENEW_SOON_S)
    assert not west.asked


def test_one_that_is_up_again_by_then_asks_nothing(tmp_path: Path) -> None:
    west = West(tmp_path, [], 1)
    west.renewer.link_changed("east", "refused")
    west.internet.run_until(router_limits.RENEW_SOON_S)
    assert west.asked == []


def test_one_that_is_refused_again_and_again_asks_ever_more_rarely(tmp_path: Path) -> None:
    west = West(tmp_path, ["down"] * 1_000, 1)
    for second in range(3_600):
        west.internet.run_until(float(second))
        if second % 7 == 0:
            west.state = "refused"
            west.renewer.link_changed("east", "refused")
    assert 4 <= len(west.asked) <= 8


def test_what_failed_with_its_link_is_asked_for_again_when_that_is_up(tmp_path: Path) -> None:
    """As while the neighbor replaces its CA and is restarted: it waits for our next one."""
    west = West(tmp_path, ["unanswered"], 1)
    west.renewer.link_changed("east", "up")
    west.renewer.due("east")
    west.internet.run_until(3.0)
    west.renewer.link_changed("east", "down")
    west.internet.run_until(6.0)
    assert len(west.asked) == 1
    west.renewer.link_changed("east", "up")
    west.internet.run_until(8.0)
    assert len(west.asked) == 2 and west.journal.codes.count("certificate-renewed") == 1


def test_a_change_of_a_link_that_stays_up_ends_no_pause(tmp_path: Path) -> None:
    west = West(tmp_path, ["refused"], 1)
    west.renewer.due("east")
    for second in range(20):
        west.internet.run_until(float(second))
        west.renewer.link_changed("east", "up")
    assert len(west.asked) == 1


def test_a_certificate_that_is_old_when_it_is_new_tells_of_the_clocks_and_is_asked_for_rarely(
    tmp_path: Path,
) -> None:
    west = West(tmp_path, [], 1)
    right, apart_s = west.east.wall, 400 * limits.DAY_S
    west.east.wall = lambda: BEGAN + west.network.now() - apart_s
    west.east.issuer = west.east.started()
    west.renewer.renew_now("east")
    for second in range(3_600):
        west.internet.run_until(float(second))
        west.renewer.link_changed("east", "up" if second % 10 else "down")
    assert len(west.asked) <= 3
    (problem,) = west.renewer.problems()
    assert problem.code == "SW0670" and "about 400 days ago" in problem.message
    assert " and is due again: east gives none that is new: " in problem.message
    assert "clocks differ" in problem.message and "asked too often" not in problem.message
    assert problem.hint == "When the clocks agree: sitectl link renew east"
    assert west.journal.codes.count("certificate-not-renewed") == 1
    assert "certificate-renewed" not in west.journal.codes

    west.east.wall = right
    west.east.issuer = west.east.started()
    west.renewer.look_again()
    west.internet.run_until(3_620.0)
    assert west.renewer.problems() == ()
    assert west.ends_at > west.wall() + 6 * limits.DAY_S


def test_what_cannot_be_written_here_is_not_sought_at_the_neighbour(tmp_path: Path) -> None:
    west = West(tmp_path, ["full"] * 1_000, 1)
    west.internet.run_until(6 * limits.DAY_S)
    (problem,) = west.renewer.problems()
    assert "No space left on device" in problem.message
    assert problem.hint == "Free space there or make it writable, then: sitectl link renew east"
