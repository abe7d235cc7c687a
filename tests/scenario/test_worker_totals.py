"""Counts of a site whose router is two processes: none falls when one of them dies."""

import os
import re
import signal

from tests.scenario.harness import Network, Site
from tests.scenario.waiting import until
from tests.scenario.worker_sites import are_ready, pid_of, pinned, serve, site_of_workers, workers

AT_FIRST, AT_SECOND = 3, 7


def counts(site: Site) -> tuple[int, int]:
    """Requests of the service that ended, and those that its target had."""
    shop = site.service("shop")
    (target,) = shop["targets"]
    return shop["requests_total"], target["requests_total"]


def metric(site: Site, name: str) -> float:
    found = re.findall(rf"^{name}\{{.*\}} (\S+)$", site.metrics(), re.MULTILINE)
    return sum(map(float, found))


def test_what_a_worker_that_is_killed_reported_last_is_counted_on(net: Network) -> None:
    west = site_of_workers(net)
    target = serve(net, west, service_s=0.0)
    (first,), (second, held) = pinned(west, 0, 1), pinned(west, 1, 2)
    for line, count in ((first, AT_FIRST), (second, AT_SECOND)):
        for _ in range(count):
            line.request("GET", "/")
            assert line.getresponse().read()
    whole = (AT_FIRST + AT_SECOND, AT_FIRST + AT_SECOND + 1)
    target.hold()
    held.request("GET", "/")
    until(lambda: west.service("shop")["demand"] == 1, "one is under way")
    until(lambda: counts(west) == whole, "all are counted")
    until(lambda: metric(west, "spillway_requests_total") == whole[0], "a scrape has them")
    os.kill(pid_of(west, 1), signal.SIGKILL)
    until(lambda: workers(west)[1]["restarts"] == 1, "it is started again")
    assert counts(west) == whole
    target.release()
    until(lambda: are_ready(west, 2), "it serves again")
    assert counts(west) == whole
    (again,) = pinned(west, 1, 1)
    again.request("GET", "/")
    assert again.getresponse().read()
    until(lambda: counts(west) == tuple(count + 1 for count in whole), "the next one counts")
    until(lambda: metric(west, "spillway_requests_total") == whole[0] + 1, "a scrape too")
    until(
        lambda: metric(west, "spillway_worker_lost_requests_total") == 1, "what was lost is counted"
    )
    (ended,) = [one["message"] for one in west.get("events") if one["code"] == "worker-ended"]
    assert "1 request or connection was under way at its last report" in ended
    for line in (first, second, held, again):
        line.close()


def test_what_no_operator_asked_for_before_a_worker_died_is_counted_too(net: Network) -> None:
    west = site_of_workers(net)
    serve(net, west, service_s=0.0)
    (line,) = pinned(west, 1, 1)
    for _ in range(AT_SECOND):
        line.request("GET", "/")
        assert line.getresponse().read()

    def are_reported() -> bool:
        (live,) = west.get("history?service=shop")
        return sum(sum(sample["served"]) for sample in live["samples"]) == AT_SECOND

    until(are_reported, "a step of the history is over: the owner has had a report since")
    os.kill(pid_of(west, 1), signal.SIGKILL)
    until(lambda: workers(west)[1]["restarts"] == 1, "it is started again")
    assert counts(west) == (AT_SECOND, AT_SECOND)
    line.close()
