"""`why` says where the next request goes: so one is made, and goes there."""

from collections.abc import Iterator

from tests.simulation.hours.eye import Eye
from tests.simulation.hours.truth import Truth
from tests.simulation.world import SimSite, World

DECIDED_S = 0.000_5
"""After so long a request of this host is where it goes first."""
TRIES = 3
"""Others may come or end in that time: not each time."""


def false_next(world: World, truth: Truth, key: str, eye: Eye) -> Iterator[str]:
    """Where requests went that were to go elsewhere, if each of some did."""
    wrong = [_tried(world, truth, key, world[key], eye) for _ in range(TRIES)]
    if all(wrong):
        yield wrong[-1]


def _tried(world: World, truth: Truth, key: str, site: SimSite, eye: Eye) -> str:
    """Empty: it went where `why` said, or `why` says nothing of it."""
    why = eye.why(truth.service.name)
    if why is None or why.affinity is not None or why.closed or site.router.draining:
        return ""
    began = truth.now
    answer = site.request(service=truth.service)
    truth.answers[key].append(answer)
    world.run(DECIDED_S)
    past = eye.past(truth.service)
    made = [one for one in past if 0 <= one.total_s <= truth.now - began]
    if len(made) != 1:
        return ""
    said, gone = why.decision.site, made[0].site
    may_wait = said is None and why.queue is not None and why.queue.outlook == "waits"
    return "" if gone == said or may_wait else f"{why.decision}: {made[0]}"  # Some wait far away.
