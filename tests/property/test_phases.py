"""Queue, network and target time are all of a request's time, whatever happens to it."""

from hypothesis import given, settings
from hypothesis import strategies as st

from router.model import limits
from router.service.observers import Finished
from tests.examples import examples, histories
from tests.property.test_dispatch import ACTIONS, FAR_S, NEAR_S, World

TINY_S = 1e-6


class Log:
    def __init__(self) -> None:
        self.all: list[Finished] = []

    def finished(self, finished: Finished) -> None:
        self.all.append(finished)


@settings(max_examples=examples(150))
@given(actions=histories(ACTIONS, 40), delay_s=st.sampled_from((0.0, NEAR_S, FAR_S)))
def test_the_phases_of_every_request_add_up_to_its_time(
    actions: list[tuple[str, object]], delay_s: float
) -> None:
    world = World()
    world.mesh.delay_s = delay_s
    log = Log()
    for site in world.sites.values():
        site.forwarder.observing.set(log, None)
    for action, argument in actions:
        world.act(action, argument)
    world.network.run()
    for client in world.clients:
        if client.is_open:
            client.abort()
    world.network.advance(limits.QUEUE_WAIT_S + 1.0)
    for one in log.all:
        passage = one.passage
        parts = (passage.queue_s, passage.network_s, passage.target_s)
        assert min(parts) >= 0.0, passage
        assert abs(sum(parts) - passage.total_s) < TINY_S, passage
    for site in world.sites.values():
        counters = site.forwarder.readings.services_snapshot()[0].counters
        whole = sum(histogram.sum_s for histogram in counters.requests.values())
        phases = counters.phases.values()
        assert abs(sum(phase.sum_s for phase in phases) - whole) < TINY_S
        assert {sum(phase.counts) for phase in phases} == {counters.requests_total}
    assert len(log.all) == sum(
        site.forwarder.readings.services_snapshot()[0].counters.requests_total
        for site in world.sites.values()
    )
