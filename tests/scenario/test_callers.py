"""Who calls whom, by real clients of two users."""

import contextlib
import http.client
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from router.process.callers.control_groups import container_name, named, user_name
from tests.needs import root
from tests.scenario.clients import ask, connected, fetch
from tests.scenario.h2_downloads import DownloadTarget, downloads
from tests.scenario.harness import SHOP_PORT, Network, Site
from tests.scenario.waiting import stays, until
from tests.scenario.worker_sites import pinned, serve, site_of_workers

NOBODY = {"kind": "user", "name": "nobody"}
_REQUESTS = """
import http.client, sys
host, port, connections, requests = sys.argv[1], *map(int, sys.argv[2:])
for _ in range(connections):
    line = http.client.HTTPConnection(host, port)
    for _ in range(requests):
        line.request("GET", "/")
        line.getresponse().read()
    line.close()
"""


def ourselves() -> dict[str, str]:
    """As this process is called: by its unit or container, where it is in one."""
    groups = Path("/proc/self/cgroup").read_text().splitlines()
    path = next((line.partition("::")[2] for line in groups if line.startswith("0::")), "")
    found = named(path, container_name, user_name)
    if found is None:
        return {"kind": "user", "name": user_name(Path("/proc/self").stat().st_uid)}
    return {"kind": found.kind, "name": found.name}


def as_nobody(site: Site, connections: int, requests: int = 1) -> None:
    """Another user asks so often on each connection. It is in our control group, as all is here."""
    subprocess.run(
        [
            *(sys.executable, "-I", "-c", _REQUESTS),
            *(site.address, str(SHOP_PORT), str(connections), str(requests)),
        ],
        user="nobody",
        cwd="/",
        check=True,
        timeout=30.0,
    )


def edges(site: Site, **fields: Any) -> list[Any]:
    """Those with such fields."""
    found = site.json("graph")["edges"]
    return [edge for edge in found if all(edge[name] == value for name, value in fields.items())]


def at_targets(site: Site) -> list[tuple[str, int, int, int]]:
    """Address, requests, failures and open ones of this site's targets."""
    return [
        (one["address"], one["requests_total"], one["failed_total"], one["open"])
        for one in site.json("graph")["targets"]
    ]


def counted(site: Site, caller: dict[str, str] | None = None) -> list[tuple[str, int, int, int]]:
    """Serving site, requests, failures and open ones of a caller's edges."""
    return [
        (
            edge["site"]["name"] if edge["site"] else "",
            edge["requests_total"],
            edge["failed_total"],
            edge["open"],
        )
        for edge in edges(site, caller=caller or ourselves())
    ]


@contextlib.contextmanager
def line_to(site: Site) -> Iterator[http.client.HTTPConnection]:
    """A connection that is kept."""
    line = http.client.HTTPConnection(site.address, SHOP_PORT, timeout=30.0)
    try:
        yield line
    finally:
        line.close()


def asked(line: http.client.HTTPConnection, times: int = 1) -> None:
    for _ in range(times):
        line.request("GET", "/")
        line.getresponse().read()


def shop(net: Network, **spec: Any) -> Site:
    """One site that serves it."""
    site = net.site("west")
    site.declare("shop", **spec)
    site.connect("shop", net.http("west"))
    net.start()
    net.ready("shop", {"west": 1})
    return site


def test_requests_of_a_kept_connection_and_of_many_are_their_callers(net: Network) -> None:
    site = shop(net)
    with line_to(site) as line:
        asked(line, 5)
        until(lambda: counted(site) == [("west", 5, 0, 0)], "one caller, five requests")
        for _ in range(3):
            fetch(site.address, SHOP_PORT)
        until(lambda: counted(site) == [("west", 8, 0, 0)], "and three more")
    (edge,) = edges(site)
    assert (edge["service"], edge["port"], edge["crosses"]) == ("shop", SHOP_PORT, False)
    assert edge["rate_per_s"] > 0 and edge["p50_s"] is not None
    whole = site.json("graph")
    assert whole["enabled"] and whole["named_share"] == 1.0 and whole["waiting"] == 0
    (target,) = whole["targets"]
    assert (target["requests_total"], target["failed_total"], target["open"]) == (8, 0, 0)
    assert target["ready"] and target["rate_per_s"] > 0 and target["p99_s"] is not None
    with_history = site.json("graph", "--history")
    for history in (with_history["edges"][0]["history"], with_history["targets"][0]["history"]):
        assert sum(requests for requests, _ in history) == 8
    metric = f'spillway_caller_requests_total{{caller="{ourselves()["name"]}"'
    assert metric in site.metrics()
    assert "shop" in site.ctl("graph").out


def test_two_users_are_told_apart(net: Network) -> None:
    root("run a client as another user")
    if ourselves()["kind"] != "user":
        return  # Both are of one unit or container, and are called so.
    site = shop(net)
    fetch(site.address, SHOP_PORT)
    as_nobody(site, connections=2, requests=3)
    until(lambda: counted(site, NOBODY) == [("west", 6, 0, 0)], "nobody asked six times")
    assert counted(site) == [("west", 1, 0, 0)]


def test_a_tcp_connection_is_open_until_it_ends(net: Network) -> None:
    site = net.site("west")
    site.declare("shop", protocol="tcp")
    site.connect("shop", net.tcp("west"))
    net.start()
    net.ready("shop", {"west": 1})
    with contextlib.ExitStack() as clients:
        doors = [clients.enter_context(connected(site.address, SHOP_PORT)) for _ in range(2)]
        assert [ask(door, "name") for door in doors] == ["west", "west"]
        until(lambda: counted(site) == [("west", 0, 0, 2)], "both are open")
        until(lambda: [row[1:] for row in at_targets(site)] == [(0, 0, 2)], "both at the target")
    until(lambda: counted(site) == [("west", 2, 0, 0)], "both have ended")
    until(lambda: [row[1:] for row in at_targets(site)] == [(2, 0, 0)], "the target is done")


def test_streams_of_http_2_are_requests_of_their_connection(net: Network) -> None:
    site = net.site("west")
    site.declare("shop", protocol="http2")
    target = DownloadTarget(net.background, "west", net.target_address)
    try:
        site.connect("shop", target)
        net.start()
        net.ready("shop", {"west": 1})
        found = downloads(site.address, SHOP_PORT, "/1000", 4)
        assert len(found) == 4
        until(lambda: [row[1] for row in counted(site)] == [4], "four requests")
    finally:
        target.stop()


def test_counts_of_two_workers_are_one_edge(net: Network) -> None:
    site = site_of_workers(net)
    serve(net, site, service_s=0.0)
    before = sum(row[1] for row in counted(site))
    lines = [*pinned(site, 0, 1), *pinned(site, 1, 1)]
    for line in lines:
        asked(line, 5)
    until(
        lambda: [row[1] for row in counted(site) if row[0] == "west"] == [before + 10],
        "both count",
    )
    for line in lines:
        line.close()
    metric = r'^spillway_caller_requests_total\{.*outcome="ok".*\} (\S+)$'
    until(
        lambda: sum(map(float, re.findall(metric, site.metrics(), re.MULTILINE))) == before + 10,
        "metrics are of both",
    )
    whole = site.json("graph", "--history")
    for rows in (whole["edges"], whole["targets"]):
        assert sum(requests for one in rows for requests, _ in one["history"]) == before + 10
    assert sum(one["requests_total"] for one in whole["targets"]) == before + 10


def test_a_request_that_another_site_serves_crosses(net: Network) -> None:
    near, far = net.site("near"), net.site("far")
    near.declare("shop")
    here, there = net.http("near"), net.http("far")
    near.connect("shop", here, capacity=1)
    far.connect("shop", there, capacity=5)
    net.link(near, far, 5)
    net.start()
    net.see_each_other()
    net.ready("shop", {"near": 1, "far": 1})
    here.hold()
    try:
        with line_to(near) as held:
            held.request("GET", "/")
            until(lambda: near.in_flight("shop").get("near") == 1, "its own place is taken")
            until(lambda: counted(near) == [("near", 0, 0, 1)], "it is under way")
            assert fetch(near.address, SHOP_PORT).site == "far"
            here.release()
            held.getresponse().read()
    finally:
        here.release()
    wanted = [("far", 1, 0, 0), ("near", 1, 0, 0)]
    until(lambda: sorted(counted(near)) == wanted, "one each")
    crossing = {edge["site"]["name"]: edge["crosses"] for edge in edges(near)}
    assert crossing == {"far": True, "near": False}
    assert edges(far) == [], "its clients are another site's"
    assert "far (crosses)" in near.ctl("graph").out
    for site, target in ((near, here), (far, there)):
        row = (f"{target.address}:{target.port}", 1, 0, 0)
        until(lambda one=site, row=row: at_targets(one) == [row], "one at its target")  # type: ignore[misc]
        assert row[0] in site.ctl("graph").out


def test_what_no_site_served_is_a_failure_of_none(net: Network) -> None:
    site = net.site("west")
    site.declare("shop")
    net.start()
    until(lambda: site.service("shop") is not None, "it is declared")
    assert fetch(site.address, SHOP_PORT).status == 503
    until(lambda: counted(site) == [("", 1, 1, 0)], "it failed at no site")


def test_naming_goes_off_and_on_while_the_router_runs(net: Network) -> None:
    site = shop(net)

    def is_on(wanted: bool) -> None:
        site.ctl("update", "--name-callers" if wanted else "--no-name-callers")
        until(lambda: site.json("graph")["enabled"] is wanted, f"naming is {wanted}")

    with line_to(site) as line:
        asked(line, 2)
        until(lambda: counted(site) == [("west", 2, 0, 0)], "two")
        is_on(False)
        asked(line, 3)
        fetch(site.address, SHOP_PORT)
        stays(lambda: counted(site) == [("west", 2, 0, 0)], "what is known stays", 0.5)
        assert "no longer named" in site.ctl("graph").out
        is_on(True)
        fetch(site.address, SHOP_PORT)
        until(lambda: counted(site) == [("west", 3, 0, 0)], "a new one counts")
        asked(line, 1)
        until(lambda: counted(site) == [("west", 4, 0, 0)], "and one that was kept")


def test_a_picture_and_a_graph_for_graphviz_are_made(net: Network, tmp_path: Path) -> None:
    site = shop(net)
    fetch(site.address, SHOP_PORT)
    until(lambda: edges(site), "there is an edge")
    picture = tmp_path / "calls.svg"
    site.ctl("graph", "--svg", str(picture))
    assert picture.read_text().startswith("<svg") and "shop" in picture.read_text()
    assert site.ctl("graph", "--dot").out.startswith("digraph calls {")
    assert site.ctl("graph", "--svg", str(tmp_path / "no" / "x.svg"), code=1).err
