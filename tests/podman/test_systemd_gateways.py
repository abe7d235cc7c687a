"""Gateways of type service on a real systemd: of root and of a user, and no trace after."""

import os
from collections.abc import Iterator

import pytest

from tests import needs
from tests.podman.engine import missing, why_not
from tests.podman.systemd_host import SystemdHost, systemd_image

LINK_PORT, DB_PORT = 20_671, 20_432
SITE = ("init", "west", "--bind-port", str(LINK_PORT), "--ingress-host", f"127.0.0.1:{LINK_PORT}")
UNIT = "spillway-gateway-db.service"


@pytest.fixture(scope="module")
def host() -> Iterator[SystemdHost]:
    """A host with a site of root's that takes links."""
    needs.root("boot systemd in a container with all rights")
    reason = missing() or why_not(systemd_image())
    if reason:
        pytest.fail(f"podman cannot run containers here: {reason}")
    made = SystemdHost(f"spillway-test-gateways-{os.getpid()}")
    try:
        made.ctl(*SITE)
        made.ctl("start")
        yield made
    finally:
        made.close()


def test_a_gateway_of_root_is_a_unit_of_the_system_and_leaves_nothing(host: SystemdHost) -> None:
    host.run("mkdir", "--parents", "/var/lib/spillway/gateways.d")
    before = host.files()
    host.ctl("gateway", "init", "--name", "db", "--wait", "30")  # Of type service, as Skupper's.
    host.ctl("gateway", "bind", "postgres", "127.0.0.1", f"{DB_PORT}:{LINK_PORT}", "--wait", "30")
    (item,) = host.json("gateway", "status")
    assert (item["type"], item["state"], item["link"]["state"]) == ("service", "ready", "up")
    assert [row["ready"] for row in item["bindings"]] == [True]
    state = "/var/lib/spillway/gateways.d/db"
    assert host.run("find", state, "-not", "-user", "spillway") == ""
    first = host.pid(UNIT)
    host.run("kill", "-KILL", str(first))
    host.await_pid(UNIT, other_than=first)
    host.ctl("gateway", "status", "--wait", "30")
    assert host.json("gateway", "init", "--name", "db")["change"] == "unchanged"
    host.ctl("gateway", "forward", "postgres", "432", "--loopback", "--wait", "30")
    (item,) = host.json("gateway", "status")
    assert [row["state"] for row in item["forwards"]] == ["bound"]  # A port of root's alone.
    host.ctl("gateway", "delete")
    assert host.property(UNIT, "LoadState") == "not-found"
    host.await_(lambda: not host.json("link", "status"), "the site has no neighbor left")
    left = {path for path in host.files() - before if "/west/" not in path}
    assert left == set()


def test_a_gateway_of_a_user_is_a_unit_of_theirs(host: SystemdHost) -> None:
    host.run("loginctl", "enable-linger", "alice")
    host.await_(
        lambda: host.systemctl("is-system-running", user="alice") in ("running", "degraded"),
        "alice's manager is there",
    )
    host.ctl("token", "create", "/home/alice/t.yaml")
    host.run("chown", "alice", "/home/alice/t.yaml")
    words = ("--name", "db", "--token", "/home/alice/t.yaml", "--wait", "30")
    host.ctl("gateway", "init", *words, user="alice")
    host.ctl("gateway", "bind", "db", f"127.0.0.1:{LINK_PORT}", "--wait", "30", user="alice")
    host.ctl("gateway", "delete", user="alice")
    assert "gateways.d/db" not in "".join(host.files())
