"""A full site whose router podman keeps running, and a process site beside it."""

import os
import signal
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.podman.engine import podman
from tests.podman.harness import Containers, ContainerSite
from tests.scenario.clients import fetch
from tests.scenario.harness import SHOP_PORT, Site
from tests.scenario.waiting import until

ROUTER_UID = 65_521
READY_S = 30.0
DRAIN_GRACE_S = 30.0  # The default of a site.


class Pair:
    """``there`` in a container, ``near`` a process; ``near`` dials with a claim of ``there``'s."""

    def __init__(self, net: Containers) -> None:
        self.net = net
        self.there: ContainerSite = net.container_site("there")
        self.near: Site = net.site("near")
        self.there.init()
        net.link(self.near, self.there)
        net.start(self.near)
        net.see_each_other()


@pytest.fixture
def pair(net: Containers) -> Iterator[Pair]:
    """The two sites, linked."""
    yield Pair(net)


def test_traffic_goes_both_ways_between_a_container_and_a_process(pair: Pair) -> None:
    near, there = pair.near, pair.there
    here_target, there_target = pair.net.http("near"), pair.net.http("there")
    there.ctl("service", "create", "shop", str(SHOP_PORT), "--protocol", "http")
    there.ctl(
        *("service", "bind", "shop", "host", there_target.address),
        *("--target-port", str(there_target.port)),
    )
    near.declare("stock", SHOP_PORT + 1)
    near.connect("stock", here_target)
    pair.net.ready("shop", {there.name: 1})
    pair.net.ready("stock", {"near": 1})
    assert fetch(near.address, SHOP_PORT).body == b"there\n"
    assert fetch(there.address, SHOP_PORT + 1).body == b"near\n"


def test_init_start_and_stop_are_repeatable(net: Containers) -> None:
    site = net.container_site("there")
    assert "created" in site.init().out
    first = site.inspected()["Id"]
    told = site.json("status")["runtime"]
    assert (told["runtime"], told["container"], told["state"]) == (
        *("podman", site.container),
        "running",
    )
    assert "unchanged" in site.init().out
    assert site.json("start")["change"] == "unchanged"
    assert site.inspected()["Id"] == first
    assert site.json("stop")["change"] == "stopped"
    assert not site.has_container()
    assert site.json("stop")["change"] == "unchanged"
    assert site.json("start")["change"] == "started"
    assert site.json("delete", "--yes")["change"] == "deleted"
    assert not site.has_container()
    assert not site.directory.exists()
    assert site.json("delete", "--yes")["change"] == "unchanged"


def test_a_router_may_write_its_state_alone_and_has_no_rights(net: Containers) -> None:
    site = net.container_site("there")
    site.init()
    found = site.inspected()
    assert found["HostConfig"]["ReadonlyRootfs"]
    assert not found["EffectiveCaps"]
    assert "no-new-privileges" in found["HostConfig"]["SecurityOpt"]
    assert [mount["Destination"] for mount in found["Mounts"]] == ["/var/lib/spillway"]
    pid = site.admin.process_id()
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    status = dict(line.split(":\t", 1) for line in lines)
    assert status["NoNewPrivs"] == "1"
    assert int(status["CapEff"], 16) == 0
    uid = int(status["Uid"].split()[0])
    assert uid == (ROUTER_UID if os.geteuid() == 0 else os.geteuid())
    for path in (site.directory / "secrets").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0
        assert path.stat().st_uid == uid
    podman("healthcheck", "run", site.container)


def test_a_killed_router_comes_back_as_itself(pair: Pair) -> None:
    there = pair.there
    identity = there.json("status")["id"]
    pid = there.note_pid()
    os.kill(pid, signal.SIGKILL)
    until(lambda: there.admin.process_id() not in (None, pid), "podman starts it again", READY_S)
    until(there.admin.is_ready, "it is ready", READY_S)
    assert there.json("status")["id"] == identity
    pair.net.see_each_other()


def test_another_image_keeps_who_the_site_is(pair: Pair) -> None:
    there = pair.there
    identity = there.json("status")["id"]
    other = f"{pair.net.image}-next"
    podman("tag", pair.net.image, other)
    try:
        assert there.json("update", "--image", other)["change"] == "updated"
        assert there.inspected()["ImageName"] == other
        assert there.json("update", "--image", other)["change"] == "unchanged"
        assert there.json("status")["id"] == identity
        pair.net.see_each_other()
    finally:
        there.force_away()
        podman("untag", pair.net.image, other)


def test_stop_lets_finish_what_is_under_way(pair: Pair) -> None:
    there, near = pair.there, pair.near
    target = pair.net.http("there", service_s=1.5)
    near.declare("shop")
    there.connect("shop", target)
    pair.net.ready("shop", {there.name: 1}, near)
    answers: list[bytes] = []
    asking = threading.Thread(target=lambda: answers.append(fetch(near.address, SHOP_PORT).body))
    asking.start()
    until(lambda: target.in_hand == 1, "the request is at the target")
    assert there.json("stop")["change"] == "stopped"
    asking.join()
    assert answers == [b"there\n"]


def test_stop_typed_again_ends_a_router_that_drains(pair: Pair) -> None:
    there, near = pair.there, pair.near
    target = pair.net.http("there")
    target.hold()
    near.declare("shop")
    there.connect("shop", target)
    pair.net.ready("shop", {there.name: 1}, near)
    asking = threading.Thread(target=lambda: fetch(near.address, SHOP_PORT))
    asking.start()
    until(lambda: target.in_hand == 1, "the request is at the target")
    assert "still drains" in there.ctl("--timeout", "1", "stop", code=6).err
    began = time.monotonic()
    there.ctl("stop")
    assert time.monotonic() - began < DRAIN_GRACE_S
    assert there.admin.process_id() is None
    target.release()
    asking.join()
    assert there.json("start")["change"] == "started"


def test_a_container_removed_by_hand_is_made_again(net: Containers) -> None:
    site = net.container_site("there")
    site.init()
    site.force_away()
    assert site.json("start")["change"] == "started"


def test_a_container_of_that_name_that_is_not_ours_is_left_alone(net: Containers) -> None:
    site = net.container_site("there")
    podman("create", f"--name={site.container}", net.image)
    before = site.inspected()["Id"]
    refused = site.ctl("init", site.name, code=5)
    assert "left alone" in refused.err
    assert site.inspected()["Id"] == before


def test_a_taken_link_port_fails_the_start_with_the_reason(net: Containers) -> None:
    first, second = net.container_site("one"), net.container_site("two")
    first.init()
    second.address = first.address
    failed = second.ctl(
        *("init", second.name, "--ingress-bind-ip", first.address),
        *("--bind-port", str(first.link_port)),
        code=1,
    )
    assert str(first.link_port) in failed.err
    assert not second.has_container()


def test_a_missing_image_is_answered_with_how_to_load_it(net: Containers) -> None:
    site = net.container_site("there")
    site.image = "localhost/spillway-nowhere:1"
    failed = site.ctl("init", site.name, code=1)
    assert "is not on this host" in failed.err
    assert "podman load -i FILE" in failed.err
