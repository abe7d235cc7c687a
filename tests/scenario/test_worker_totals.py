"""Counts of a site whose router is two processes: none falls when one of them dies."""

import contextlib
import http.client
import os
import re
import signal
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.scenario.harness import Network, Site, own_address
from tests.scenario.waiting import until
from tests.scenario.worker_sites import (
    CAPACITY,
    are_ready,
    owners,
    pid_of,
    pinned,
    serve,
    site_of_workers,
    workers,
)

AT_FIRST, AT_SECOND = 3, 7
REQUESTS = "spillway_requests_total"


def counts(site: Site) -> tuple[int, int]:
    """Requests of the service that ended, and those that its target had."""
    shop = site.service("shop")
    (target,) = shop["targets"]
    return shop["requests_total"], target["requests_total"]


def metric(site: Site, name: str) -> float:
    found = re.findall(rf"^{name}\{{.*\}} (\S+)$", site.metrics(), re.MULTILINE)
    return sum(map(float, found))


def sent(lines: Iterable[http.client.HTTPConnection], count: int = 1) -> None:
    for line in lines:
        for _ in range(count):
            line.request("GET", "/")
            assert line.getresponse().read()


@contextlib.contextmanager
def deleted(site: Site, service: str) -> Iterator[None]:
    """The service and its targets; created again at the end."""
    files = {path: path.read_text() for path in (site.directory / "config").glob("own-*-shop*")}
    for path in files:
        path.unlink()
    until(lambda: site.service(service) is None, "it is deleted")
    yield
    for path, text in files.items():
        path.write_text(text)
    until(lambda: site.offers(service, {site.name: 1}), "it is there again")
    until(lambda: owners(site) == 2, "both accept clients")


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
    whole = (AT_FIRST + AT_SECOND + 1, AT_FIRST + AT_SECOND + 1)
    assert counts(west) == whole, "what it had under way ended with it"
    target.release()
    until(lambda: are_ready(west, 2), "it serves again")
    assert counts(west) == whole
    (again,) = pinned(west, 1, 1)
    again.request("GET", "/")
    assert again.getresponse().read()
    until(lambda: counts(west) == tuple(count + 1 for count in whole), "the next one counts")
    counted = AT_FIRST + AT_SECOND + 1
    until(lambda: metric(west, "spillway_requests_total") == counted, "a scrape too")
    until(
        lambda: metric(west, "spillway_worker_lost_requests_total") == 1, "what was lost is counted"
    )
    (ended,) = [one["message"] for one in west.get("events") if one["code"] == "worker-ended"]
    assert "1 request or connection was under way at its last report" in ended
    for line in (first, second, held, again):
        line.close()


def test_another_site_counts_on_what_a_killed_worker_asked_of_its_target(net: Network) -> None:
    west, far = site_of_workers(net), net.site("far")
    net.link(far, west, 5)
    serve(net, west, service_s=0.0)
    until(
        lambda: [one for one in far.get("services") if one["name"] == "shop"], "it is known there"
    )
    (first,), (second,) = pinned(west, 0, 1), pinned(west, 1, 1)
    sent([first], AT_FIRST)
    sent([second], AT_SECOND)
    whole = AT_FIRST + AT_SECOND

    def shown_far() -> int:
        (shop,) = far.get("services/shop")
        (target,) = shop["targets"]
        return int(target["requests_total"])

    until(lambda: counts(west) == (whole, whole), "all are counted")
    until(lambda: shown_far() == whole, "the other site has them")
    os.kill(pid_of(west, 1), signal.SIGKILL)
    until(lambda: are_ready(west, 2) and workers(west)[1]["restarts"] == 1, "it serves again")
    until(lambda: shown_far() == whole, "the other site has them still")
    (again,) = pinned(west, 1, 1)
    sent([again])
    until(lambda: shown_far() == whole + 1, "the next worker's too")
    for line in (first, second, again):
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
        served = [sum(sample["served"]) for sample in live["samples"]]
        return sum(served) == AT_SECOND and not served[-1]

    until(are_reported, "a whole step of the history has passed since: the owner had a report")
    os.kill(pid_of(west, 1), signal.SIGKILL)
    until(lambda: workers(west)[1]["restarts"] == 1, "it is started again")
    assert counts(west) == (AT_SECOND, AT_SECOND)
    line.close()


def test_a_deleted_service_has_no_metrics_and_counts_from_0_when_it_is_created_again(
    net: Network,
) -> None:
    west = site_of_workers(net)
    serve(net, west, service_s=0.0)
    (first,), (second,) = pinned(west, 0, 1), pinned(west, 1, 1)
    sent([first], AT_FIRST)
    sent([second], AT_SECOND)
    whole = AT_FIRST + AT_SECOND
    until(lambda: metric(west, REQUESTS) == whole, "a scrape has them")
    os.kill(pid_of(west, 1), signal.SIGKILL)
    until(lambda: are_ready(west, 2) and workers(west)[1]["restarts"] == 1, "it serves again")
    assert metric(west, REQUESTS) == whole
    with deleted(west, "shop"):
        until(lambda: 'service="shop"' not in west.metrics(), "it has no metrics")
    assert metric(west, REQUESTS) == 0
    (again,) = pinned(west, 1, 1)
    sent([again])
    until(lambda: metric(west, REQUESTS) == 1, "the next one is the first")
    for line in (first, second, again):
        line.close()


def test_counters_of_a_service_that_is_created_again_while_some_of_it_is_under_way_do_not_fall(
    net: Network,
) -> None:
    west = site_of_workers(net)
    target = serve(net, west, service_s=0.0)
    (first, held), (second,) = pinned(west, 0, 2), pinned(west, 1, 1)
    sent([first], AT_FIRST)
    sent([second], AT_SECOND)
    whole = AT_FIRST + AT_SECOND
    until(lambda: metric(west, REQUESTS) == whole, "a scrape has them")
    target.hold()
    held.request("GET", "/")
    until(lambda: west.in_flight("shop") == {"west": 1}, "one is under way")
    with deleted(west, "shop"):
        until(lambda: metric(west, "spillway_removed_in_flight") == 1, "it goes on")
        assert metric(west, REQUESTS) == 0
    until(lambda: metric(west, REQUESTS) == whole, "all that was counted is there again")
    target.release()
    assert held.getresponse().read()
    (again,) = pinned(west, 1, 1)
    sent([again])
    until(lambda: metric(west, REQUESTS) == whole + 2, "both are counted too")
    for line in (first, second, held, again):
        line.close()


def test_requests_to_a_site_are_counted_once_while_another_site_has_its_name(
    net: Network, tmp_path: Path
) -> None:
    """Counts were summed by name, and those under the former name stayed."""
    west, far = site_of_workers(net), net.site("far")
    (tmp_path / "others").mkdir()
    other = Site("far", tmp_path / "others", own_address())
    net.sites.append(other)
    other.quick("init", "far", *other.places())
    far.connect("shop", net.http("target"), capacity=CAPACITY)
    net.link(west, far, 5)
    net.start()
    until(lambda: are_ready(west, 2), "both workers serve")
    until(lambda: west.offers("shop", {"far": 1}), "the service is there")
    until(lambda: owners(west) == 2, "both accept clients")
    (first,), (second,) = pinned(west, 0, 1), pinned(west, 1, 1)
    sent([first], AT_FIRST)
    sent([second], AT_SECOND)
    whole = AT_FIRST + AT_SECOND
    by_site = (REQUESTS, "spillway_spilled_total", "spillway_caller_requests_total")
    until(lambda: {metric(west, one) for one in by_site} == {whole}, "a scrape has them")
    west.quick("link", "create", str(net.token(other)), "--name", "other", "--cost", "7")
    until(lambda: "far@" in west.metrics(), "both are known")
    for line, index in ((first, 0), (second, 1)):
        line.close()
        (again,) = pinned(west, index, 1)
        sent([again])
        again.close()
    until(lambda: metric(west, REQUESTS) >= whole + 2, "a scrape has the further ones")
    assert {metric(west, one) for one in by_site} == {whole + 2}
