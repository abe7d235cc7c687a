"""What a router tells other sites."""

from typing import Any, cast

from router.asking.site_answer import SiteAnswer
from router.model.events import Problem
from router.model.messages.packed import read
from router.node.parts import WHOLE
from router.operate.insight import Insight
from router.operate.process_facts import ProcessFacts
from router.operate.record.replica_news import ReplicaReport
from router.workers.combined_figures import RouterFigures
from tests.simulation.world import SimMemory, World
from tests.unit.operate.views import no_workers


def test_other_sites_are_not_told_what_only_another_router_of_this_site_finds() -> None:
    """It may name a service that this router does not know, so cannot hide."""
    site = World(1, "a").sites["a"]
    unused = cast(Any, None)
    insight = Insight(
        cast(Any, site.network),
        site.router,
        WHOLE,
        RouterFigures(no_workers()),
        ProcessFacts(expiries=dict, memory=SimMemory(site, 100).guard),
        lambda name, arguments: None,
        unused,
        unused,
        tuple,
        unused,
        unused,
    )
    found = Problem(code="SW0309", message="Service secret:80 has no ready target", hint="")
    insight.view.follow_replicas(lambda: [ReplicaReport("pod-2", (found,), ())])
    assert [one.message for one in insight.view.status().problems] == [
        f"Router pod-2: {found.message}"
    ]
    answers: list[bytes] = []
    insight.disclosure.whole(lambda service: False, answers.append)
    assert read(answers[0], SiteAnswer).problems == ()
