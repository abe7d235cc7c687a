"""Events that only one worker of a router reports: `sitectl events` shows them."""

import json

from tests.scenario.harness import Network, Site
from tests.scenario.waiting import until
from tests.scenario.worker_sites import are_ready, owners, pinned, site_of_workers


def of_target(site: Site) -> list[str]:
    """Codes and beginnings of the events of targets that are not ready, or are again."""
    return [
        f"{one['code']} {one['message'].partition(':')[0]}"
        for one in site.json("events")
        if one["code"] == "target-down" or "again" in one["message"]
    ]


def test_a_target_that_one_worker_ejects_is_an_event_of_the_router(net: Network) -> None:
    site = site_of_workers(net)
    bad, good = net.http("bad"), net.http("good")
    site.connect("shop", bad, good, capacity=10)
    net.start()
    until(lambda: are_ready(site, 2), "both workers serve")
    until(lambda: site.offers("shop", {"west": 2}), "the targets are ready")
    until(lambda: owners(site) == 2, "both accept clients")
    bad.forced = "/status/503"
    (line,) = pinned(site, 1, 1)
    own_log = site.directory / "run" / "workers" / "1" / "events.log"

    def ejects() -> bool:
        line.request("GET", "/")
        line.getresponse().read()
        return any(
            json.loads(row)["code"] == "target-down" for row in own_log.read_text().splitlines()
        )

    until(ejects, "the worker ejects the target")
    line.close()
    bad.forced = ""
    expected = ["target-down Worker 1", "target-up Worker 1"]
    until(lambda: of_target(site) == expected, f"events show {expected}")
