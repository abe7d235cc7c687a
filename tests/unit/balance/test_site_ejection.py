"""When a remote site is due to be ejected, and whether the others can spare it."""

from router.balance.balancer import ServiceBalancer
from router.model.ids import SiteId
from tests.unit.balance.builders import balancer_of, ledger_of, remote

FAILS = SiteId("a")


def fail_four_of_five(balancer: ServiceBalancer, requests: int) -> None:
    """Ten a second, until its site is ejected."""
    for number in range(requests):
        now = (number + 1) / 10
        if FAILS in balancer.ejections.active:
            return
        if number % 5:
            balancer.ejections.failed(FAILS, None, "reset", now)
        else:
            balancer.ejections.succeeded(FAILS, None, now)


def test_a_site_that_fails_four_of_five_is_ejected_and_says_by_which_rule() -> None:
    balancer = balancer_of(ledger_of(10), remote("a"))
    fail_four_of_five(balancer, 50)
    ejection = balancer.ejections.active[FAILS]
    words = "17 of 21 requests within 10 s failed, at last a request was reset"
    assert ejection.reason == f"ejected for 2 s: {words}"
