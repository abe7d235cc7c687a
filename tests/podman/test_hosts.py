"""Rootless podman, docker's command line, networks of containers, and what systemd gets to run."""

import json
import os
import shlex
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sitectl.runtimes.containers.podman import PodmanRuntime
from sitectl.runtimes.containers.quadlet import unit_text
from sitectl.runtimes.containers.words import WATCHDOG_S
from sitectl.runtimes.spec import RuntimeSpec
from sitectl.runtimes.spec_file import write_spec
from sitectl.site.directory import DirectorySite
from tests.podman.engine import podman
from tests.podman.harness import Containers
from tests.podman.images import archive, base_image
from tests.podman.users import User, user
from tests.scenario.clients import fetch
from tests.scenario.harness import SHOP_PORT, own_address
from tests.scenario.waiting import until

READY_S = 30.0
ASK = (
    "import http.client,sys;c=http.client.HTTPConnection(sys.argv[1],int(sys.argv[2]),timeout=9);"
    "c.request('GET','/');print(c.getresponse().read().decode())"
)


@pytest.fixture
def somebody(image: str) -> Iterator[User]:
    """A user without rights who has the image."""
    with user("spillway-test", image) as found:
        found.ok("podman", "load", "--quiet", "--input", str(archive(image)))
        try:
            yield found
        finally:
            found.run("podman", "system", "reset", "--force")


def test_a_user_without_rights_runs_a_site(somebody: User, image: str) -> None:
    address = own_address()
    said = somebody.ok(
        *somebody.sitectl("--platform", "podman", "init", "edge", "--image", image),
        *("--image-pull-policy", "never", "--ingress-bind-ip", address, "--bind-ip", address),
    )
    assert "created" in said
    directory = somebody.home / ".local/share/spillway/edge"
    for path in (directory / "run" / "admin.sock", directory / "state.json"):
        assert path.stat().st_uid == somebody.entry.pw_uid
    status = json.loads(somebody.ok(*somebody.sitectl("status", "-o", "json")))["item"]
    assert status["ready"]
    found = json.loads(somebody.ok("podman", "container", "inspect", "spillway-edge"))[0]
    assert found["HostConfig"]["UsernsMode"] == "private"
    assert not found["EffectiveCaps"]
    assert found["Config"]["User"] == f"{somebody.entry.pw_uid}:{somebody.entry.pw_gid}"
    somebody.ok(
        *somebody.sitectl("expose", "host", own_address(), "--address", "db", "--port", "5432")
    )
    check = somebody.run(*somebody.sitectl("check"))
    assert "SW0617" in check.out  # Nothing starts it after a reboot: no systemd of the user's.
    somebody.ok(*somebody.sitectl("delete", "--yes"))
    assert not directory.exists()
    assert not somebody.ok("podman", "ps", "--all", "--quiet")


def test_a_port_below_1024_is_bound_without_being_root(net: Containers) -> None:
    site = net.container_site("low")
    site.init()
    assert not site.inspected()["EffectiveCaps"]
    site.ctl("service", "create", "web", "80", "--protocol", "http")
    site.ctl("start")
    assert site.inspected()["EffectiveCaps"] == ["CAP_NET_BIND_SERVICE"]
    listener = until(lambda: site.service("web"), "the service is known")["listener"]
    assert (listener["state"], listener["error"]) == ("bound", "")


@contextmanager
def docker_api(folder: Path) -> Iterator[str]:
    """podman's service, as docker's daemon; the value of DOCKER_HOST."""
    door = folder / "docker.sock"
    serving = subprocess.Popen(
        ["podman", "system", "service", "--time=0", f"unix://{door}"], stderr=subprocess.DEVNULL
    )
    try:
        until(door.exists, "podman's service listens")
        yield f"unix://{door}"
    finally:
        serving.terminate()
        serving.wait()


@pytest.mark.programs("docker")
def test_docker_runs_a_router_too(
    net: Containers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = net.container_site("dock", platform="process")
    near = net.site("near")
    with docker_api(tmp_path) as host:
        monkeypatch.setenv("DOCKER_HOST", host)
        site.init()
        spec = RuntimeSpec(kind="docker", image=net.image, pull_policy="never")
        write_spec(DirectorySite(site.directory), spec)
        assert site.json("start")["change"] == "started"
        assert site.json("start")["change"] == "unchanged"
        net.link(near, site)
        net.start(near)
        net.see_each_other()
        pid = site.note_pid()
        os.kill(pid, 9)
        until(lambda: site.admin.process_id() not in (None, pid), "it is started again", READY_S)
        until(site.admin.is_ready, "it is ready", READY_S)
        assert site.json("delete", "--yes")["change"] == "deleted"
        assert not site.has_container()


@pytest.fixture
def network() -> Iterator[str]:
    """A network of containers."""
    name = f"spillway-test-{os.getpid()}"
    podman("network", "create", name)
    yield name
    podman("network", "rm", "--force", "--time=0", name)


def test_containers_of_a_network_reach_services_by_name(net: Containers, network: str) -> None:
    box = net.container_site("box")
    near = net.site("near")
    target = net.http("near")
    made = box.init(
        *("--container-network", network, "--enable-ipv6", "--podman-endpoint", "unix:///x.sock")
    )
    for flag in ("--podman-endpoint", "--enable-ipv6"):
        assert f"{flag}: not needed here" in made.err
    box.ctl("service", "create", "shop", str(SHOP_PORT), "--protocol", "http")
    assert "created" not in box.ctl("start").err
    near.connect("shop", target)
    net.link(near, box)  # By the port that is published on the host.
    net.start(near)
    net.see_each_other()
    net.ready("shop", {"near": 1}, box)
    for name in (box.container, "shop"):
        asked = ("run", "--rm", f"--network={network}", base_image(), "python3", "-c", ASK, name)
        assert podman(*asked, str(SHOP_PORT)).strip() == "near"
    assert fetch(box.address, SHOP_PORT).body == b"near\n"


def test_an_older_podmans_unit_tells_systemd_that_the_router_lives(
    net: Containers, tmp_path: Path
) -> None:
    site = net.container_site("told")
    site.init()
    site.ctl("stop")
    container = PodmanRuntime(DirectorySite(site.directory)).container()
    text = unit_text(container, "system", "podman", unified=False)
    line = next(line for line in text.splitlines() if line.startswith("ExecStart="))
    command = shlex.split(line.removeprefix("ExecStart="))
    heard: set[str] = set()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as door:
        door.bind(str(tmp_path / "notify"))
        door.settimeout(WATCHDOG_S)
        environment = {**os.environ, "NOTIFY_SOCKET": str(tmp_path / "notify")}
        subprocess.run(command, check=True, capture_output=True, env=environment)
        while (
            not {"READY=1", "WATCHDOG=1"} <= heard
        ):  # Or nothing comes within the watchdog's time.
            heard |= set(door.recv(4096).decode().split("\n"))
    assert any(word.startswith("MAINPID=") for word in heard)
