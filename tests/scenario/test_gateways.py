"""Gateways of a host as processes: the published flow both ways, several, revoked one by one."""

import contextlib
import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from sitectl.main import cli
from sitectl.site.admin import Admin
from tests.scenario import forking
from tests.scenario.clients import ask, connected, read_line
from tests.scenario.harness import SHOP_PORT, Network, Site, is_alive, own_address
from tests.scenario.waiting import stays, until
from tests.unit.sitectl.gateway.unpacked import Host as StubHost

DB_PORT, CACHE_PORT = SHOP_PORT + 1, SHOP_PORT + 2


class Host:
    """A host with a site, ``west``, and the gateways that its commands make."""

    def __init__(self, net: Network) -> None:
        self.net = net
        self.west = net.site("west")
        self._pids: set[int] = set()

    def __call__(self, *words: str, code: int | None = 0) -> Any:
        """``item`` or ``items`` of a `gateway` command, run in this process: it saves time."""
        place = ["--platform", "process", "--state", str(self.net.state), "--site", "west"]
        line = [*place, "gateway", *words, "-o", "json"]
        with forking.routers_forked():
            result = CliRunner().invoke(cli, line, catch_exceptions=False)
        assert code in (None, result.exit_code), (
            f"{words}: exit {result.exit_code}\n{result.output}"
        )
        envelope = json.loads(result.stdout)
        return envelope["item"] if "item" in envelope else envelope["items"]

    def init(self, name: str, *words: str) -> None:
        """Make a gateway, or type it again, and note its process."""
        self("init", "--name", name, "--type", "process", "--wait", "50", *words)
        self.pid(name)

    def directory(self, name: str) -> Path:
        """The state of a gateway."""
        return self.net.state / "gateways.d" / name

    def pid(self, name: str) -> int:
        """The process of a gateway's router."""
        found = Admin(self.directory(name) / "run" / "admin.sock", name).process_id()
        assert found is not None, f"the router of {name} does not run"
        self._pids.add(found)
        return found

    def kill(self, name: str) -> None:
        """SIGKILL."""
        found = self.pid(name)
        os.kill(found, signal.SIGKILL)
        until(lambda: not is_alive(found), f"the router of {name} is gone")

    def status(self, name: str) -> Any:
        """The item of one gateway, whether or not there are problems."""
        return next(item for item in self("status", code=None) if item["name"] == name)

    def close(self) -> None:
        """End what still runs."""
        for found in self._pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(found, signal.SIGKILL)


@pytest.fixture
def host(net: Network) -> Iterator[Host]:
    made = Host(net)
    try:
        net.start()
        yield made
    finally:
        made.close()


def answers(site: Site, port: int) -> str:
    """The name of the target that a client of ``site`` reaches; empty: none."""
    try:
        with connected(site.address, port) as door:
            return ask(door, "name")
    except OSError:
        return ""


def test_the_published_flow_brings_a_hosts_service_to_the_network_and_back(host: Host) -> None:
    net, west = host.net, host.west
    postgres, redis = net.tcp("postgres"), net.tcp("redis")
    assert west.ctl("gateway", "status").out.startswith("No gateways")
    host.init("db")
    host("bind", "postgres", postgres.address, f"{DB_PORT}:{postgres.port}", "--wait", "50")
    assert answers(west, DB_PORT) == "postgres"  # At once: --wait lasts until the site knows.
    item = host.status("db")
    assert item["link"]["state"] == "up" and item["link"]["certificate_expires"]
    assert [row["ready"] for row in item["bindings"]] == [True]
    words = ("bind", "postgres", postgres.address, f"{DB_PORT}:{postgres.port}")
    assert "unchanged" in west.ctl("gateway", *words).out

    west.declare("redis", CACHE_PORT, protocol="tcp")
    west.connect("redis", redis)
    address = own_address()
    host("forward", "redis", "16379", "--bind-ip", address, "--wait", "50")
    with connected(address, 16379) as door:
        assert ask(door, "name") == "redis"
    assert host.status("db")["forwards"][0]["local_port"] == 16379

    host("unforward", "redis")
    until(lambda: not host.status("db")["forwards"], "it is forwarded no more")
    with pytest.raises(OSError), connected(address, 16379) as door:
        ask(door, "name")
    host("unbind", "postgres")
    until(lambda: west.service("postgres") is None, "the network forgets it")
    host("delete")
    assert list(host.directory("db").parent.iterdir()) == []
    until(lambda: not west.get("links"), "the site has no neighbor left")


def test_several_ports_and_hosts_of_one_service(host: Host) -> None:
    net, west = host.net, host.west
    first, second = net.tcp("first"), net.tcp("second")
    host.init("db")
    ports = (f"{DB_PORT}:{first.port}", f"{CACHE_PORT}:{second.port}")
    host("bind", "broker", net.target_address, *ports, "--wait", "50")
    until(lambda: answers(west, DB_PORT) == "first", "the first port is reached")
    until(lambda: answers(west, CACHE_PORT) == "second", "the second port is reached")
    address = own_address()
    host("forward", "broker", "18001", "18002", "--bind-ip", address, "--wait", "50")
    for port, name in ((18001, "first"), (18002, "second")):
        with connected(address, port) as door:
            assert ask(door, "name") == name


def test_one_gateway_is_revoked_alone_while_the_other_goes_on(host: Host) -> None:
    net, west = host.net, host.west
    targets = {name: net.tcp(name) for name in ("one", "two", "three")}
    west.declare("shared", SHOP_PORT, protocol="tcp")
    for name, target in targets.items():
        host.init(name)
        # The site declares it: one port given is the target's.
        host("bind", "shared", target.address, str(target.port), "--name", name, "--wait", "50")
    assert host.status("one")["bindings"][0]["port"] == SHOP_PORT
    net.ready("shared", dict.fromkeys(targets, 1))
    with contextlib.ExitStack() as stack:
        doors: dict[str, socket.socket] = {}
        while len(doors) < 3:
            door = stack.enter_context(connected(west.address, SHOP_PORT))
            doors.setdefault(ask(door, "name"), door)
        west.ctl("revoke-access", "--link", "one")
        with pytest.raises(ConnectionResetError):  # The connections that it carried are cut.
            read_line(doors["one"])
        until(lambda: host.status("one")["link"]["state"] == "refused", "it is told")
        doors["two"].close()  # Else it is waited for: a gateway that is deleted drains.
        host("delete", "--name", "two")
        for _ in range(3):
            assert ask(doors["three"], "name") == "three"
    until(lambda: answers(west, SHOP_PORT) == "three", "the other one serves")
    elsewhere = {item["name"]: item["here"] for item in host("status", code=3)}
    assert elsewhere == {"one": True, "three": True}
    assert "revoked" in host.status("one")["link"]["error"]


def test_a_gateway_killed_in_the_middle_is_finished_by_its_init(host: Host) -> None:
    net, west = host.net, host.west
    target = net.tcp("db")
    host.init("db")
    host("bind", "db", target.address, f"{DB_PORT}:{target.port}")
    host.kill("db")
    assert host.status("db")["state"] == "stopped"
    host.init("db")
    until(lambda: answers(west, DB_PORT) == "db", "it serves again")
    host.kill("db")
    (host.directory("db") / "config" / "link-site.yaml").unlink()
    (host.directory("db") / "runtime.yaml").unlink()
    assert host("status", code=3)[0]["state"] == "half made"
    host.init("db")
    until(lambda: answers(west, DB_PORT) == "db", "it serves again")


def test_a_token_file_serves_a_host_without_its_site(host: Host, tmp_path: Path) -> None:
    net, west = host.net, host.west
    target = net.tcp("db")
    west.declare("db", DB_PORT, protocol="tcp")
    token = net.token(west)
    far = Site("far", tmp_path / "elsewhere", own_address())
    words = ("--name", "far", "--type", "process", "--token", str(token))
    far.ctl("gateway", "init", *words, "--wait", "50")
    try:
        far.ctl("gateway", "bind", "db", target.address, str(target.port), "--wait", "50")
        (item,) = far.json("gateway", "status", "far")
        assert item["site"]["name"] == "west"
        assert not item["bindings"][0]["declared_here"]  # Its router has heard of the service.
        until(lambda: answers(west, DB_PORT) == "db", "clients of the site reach it")
    finally:
        done = far.ctl("gateway", "delete")
    command = done.err.partition("There type: sitectl ")[2].split()
    assert command[:2] == ["revoke-access", "--link"]
    west.ctl(*command)
    until(lambda: not west.get("links"), "the site has no neighbor left")


def test_a_port_that_is_taken_is_a_problem_of_its_forward_alone(host: Host) -> None:
    net, west = host.net, host.west
    taken, free = net.tcp("taken"), net.tcp("free")
    for name, port in (("one", DB_PORT), ("two", CACHE_PORT)):
        west.declare(name, port, protocol="tcp")
        west.connect(name, free)
    host.init("gw")
    done = host("forward", "one", str(taken.port), "--bind-ip", taken.address, code=3)
    assert done["change"] == "created"
    host("forward", "two", "18003", "--bind-ip", taken.address, "--wait", "50")
    states = {row["service"]: row["state"] for row in host("status", code=3)[0]["forwards"]}
    assert states == {"one": "error", "two": "bound"}
    with connected(taken.address, 18003) as door:
        assert ask(door, "name") == "free"


def launched(net: Network, base: Path, bundle: Path) -> Site:
    """A bundle that launch.sh laid out on a separate host; a process replaces its container."""
    base.mkdir()
    host = StubHost(base, bundle, "/bin/sh")
    done = host.launch()
    assert done.returncode == 0, done.stderr
    gateway = Site(host.directory.name, host.directory.parent, own_address())
    (gateway.directory / "runtime.yaml").unlink()
    for path in (gateway.directory, *gateway.directory.rglob("*")):
        os.chown(path, os.geteuid(), os.getegid())  # Root runs no process of another's site.
    net.sites.append(gateway)
    gateway.ctl("start")
    return gateway


def test_a_bundle_launched_on_two_hosts_serves_from_the_first_and_is_told_with_both_places(
    host: Host, tmp_path: Path
) -> None:
    net, west = host.net, host.west
    target = net.tcp("db")
    definition = tmp_path / "db-host.yaml"
    definition.write_text(
        "name: db-host\n"
        "bindings:\n"
        f"- host: {target.address}\n"
        f"  service: {{address: 'db:{DB_PORT}', ports: [{DB_PORT}]}}\n"
        f"  target_ports: [{target.port}]\n"
    )
    flags = ("--image", "localhost/none:1", "--image-pull-policy", "never")
    host("generate-bundle", str(definition), str(tmp_path), *flags)
    bundle = tmp_path / "db-host.tar.gz"
    first = launched(net, tmp_path / "first", bundle)
    until(lambda: answers(west, DB_PORT) == "db", "the first one serves")
    began = int(time.time())
    until(lambda: int(time.time()) > began, "the second one is launched in another second")
    since = west.link("db-host")["since"]
    second = launched(net, tmp_path / "second", bundle)

    def told(site: Site) -> list[str]:
        return [problem["code"] for problem in site.get("status")["problems"]]

    until(lambda: "SW0401" in told(second), "the second says that it is kept out")
    until(lambda: "SW0665" in told(west), "the site says that it keeps it out")
    (problem,) = west.json("status", code=3)["problems"]
    for place in (first, second):
        assert f"process {place.note_pid()}" in problem["message"]
    found = {item["code"] for item in west.json("check", code=3)}
    assert "SW0665" in found
    (item,) = [one for one in host("status", code=3) if one["name"] == "db-host"]
    assert [one["code"] for one in item["problems"]] == ["SW0665"]
    assert [link["name"] for link in west.get("links")] == ["db-host"]
    stays(lambda: west.link("db-host")["since"] == since, "the first keeps its link", 1.0)
    assert not told(first)
    assert answers(west, DB_PORT) == "db"

    first.ctl("stop")
    until(lambda: second.get("links")[0]["state"] == "up", "the second is let in")
    until(lambda: answers(west, DB_PORT) == "db", "and serves")
    first.ctl("start")
    until(lambda: first.get("links")[0]["state"] == "up", "the first comes back to its place")
    until(lambda: "SW0401" in told(second), "the second is kept out again")
