"""A ring of eight real routers under load, when a transit site dies or says nothing more."""

import signal

import msgspec
import pytest

from router.model.limits import CONTROL_DEAD_AFTER_S, LIVENESS_TICK_S
from tests.scenario.clients import LOAD_AT_ONCE_MAX, Answer, Load
from tests.scenario.harness import SHOP_PORT, Network
from tests.scenario.waiting import own_time, until

SITES = 8
RATE = 100.0
CALM = 100  # Answers before it happens and after it is over.
REROUTED_S = 1.0
BUSY_S = 0.5  # What a machine with much to do may add to a time.


class Death(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds from the death to the first loss, and from that to the first answer around it.

    All times are by `own_time`.
    """

    found_s: float
    rerouted_s: float
    lost: int
    over: int  # Answers since.

    @classmethod
    def of(cls, answers: list[Answer], at: float) -> "Death":
        bad = [answer for answer in answers if answer.status != 200]
        found = min((answer.ended for answer in bad), default=at)
        good = [answer for answer in answers if answer.status == 200 and answer.ended > found]
        # Sent after the death, so it went around; earlier requests prove nothing.
        around = min((answer.ended for answer in good if answer.began > at), default=float("inf"))
        return cls(found_s=found - at, rerouted_s=around - found, lost=len(bad), over=len(good))


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_a_ring_of_eight_goes_around_a_transit_that_dies(net: Network, how: signal.Signals) -> None:
    ring = [net.site(f"r{number}") for number in range(SITES)]
    ring[0].declare("shop")
    target = net.http("r3", 0.03)
    ring[3].connect("shop", target, capacity=100)
    for here, there in zip(ring, [*ring[1:], ring[0]], strict=True):
        net.link(here, there, 1, token="cert")
    net.start()
    net.ready("shop", {"r3": 1})
    net.see_each_other()
    entry, victim, unhurt = ring[0], ring[2], ring[5]
    path = ["r1", "r2", "r3"]
    until(lambda: entry.json("why", "shop")["decision"]["path"] == path, "r2 is on the way")
    with (
        Load([(entry.address, SHOP_PORT)], RATE, method="POST", clock=own_time) as across,
        Load([(unhurt.address, SHOP_PORT)], RATE / 4, method="POST") as beside,
    ):
        until(lambda: len(across.answers) > CALM, "the load runs")
        assert not across.failed
        at = own_time()
        victim.signal(how)
        until(lambda: Death.of(across.answers, at).over > CALM, "requests go around")
    if how is signal.SIGSTOP:
        victim.signal(signal.SIGCONT)
    death = Death.of(across.answers, at)
    dead_after_s = CONTROL_DEAD_AFTER_S + LIVENESS_TICK_S if how is signal.SIGSTOP else 0.0
    assert death.found_s <= dead_after_s + BUSY_S, death
    assert death.rerouted_s <= REROUTED_S, death
    # Only requests on the dead link fail, and say why.
    assert {answer.code for answer in across.failed} <= {"link-lost"}
    assert 0 < death.lost <= LOAD_AT_ONCE_MAX, death
    assert max(answer.ended for answer in across.failed) - at <= death.found_s + REROUTED_S
    assert not beside.failed
