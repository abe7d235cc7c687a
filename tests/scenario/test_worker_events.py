"""Events that only one worker of a router reports: `sitectl events` shows them."""

import http.client
import json

from tests.scenario.harness import SHOP_PORT, Network, Site
from tests.scenario.waiting import until
from tests.scenario.worker_sites import are_ready, owners, pinned, site_of_workers

RESETS = 6


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


def _noted(site: Site, code: str) -> str:
    return "".join(one["message"] for one in site.get("status")["notes"] if one["code"] == code)


def test_clients_that_any_worker_resets_are_counted_together(net: Network) -> None:
    west = net.site("west")
    west.quick("update", "--workers", "2")
    west.declare("shop", SHOP_PORT, limits={"connectionsPerSource": 1})
    west.connect("shop", net.http("target"))
    net.start()
    until(lambda: are_ready(west, 2), "both workers serve")
    until(lambda: west.offers("shop", {"west": 1}), "the service is there")
    taken: list[http.client.HTTPConnection] = []
    resets = 0

    def each_took_one() -> bool:
        nonlocal resets
        line = http.client.HTTPConnection(west.address, SHOP_PORT, timeout=30)
        try:
            line.request("GET", "/")
            assert line.getresponse().read()
        except ConnectionError:
            resets += 1
        else:
            taken.append(line)
        return len(taken) == 2 and resets >= RESETS

    until(each_took_one, "each worker has a client, and many were reset")
    said = f"{resets} client connections of service shop:{SHOP_PORT} were reset: "
    until(lambda: _noted(west, "SW0360").startswith(said), "all are counted")
    told = [one for one in west.get("events") if one["code"] == "connections-refused"]
    assert len(told) == 1, told
    for line in taken:
        line.close()
