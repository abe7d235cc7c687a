"""Routers as units of a real systemd: started, killed, hung, rebooted, upgraded, removed."""

import os
from collections.abc import Iterator

import pytest

from tests import needs
from tests.podman.engine import missing, why_not
from tests.podman.systemd_host import CODE, LIBRARIES, Refused, SystemdHost, systemd_image

pytestmark = pytest.mark.timeout(900)  # The first one may have to make the host's image.

GATEWAYS = "/var/lib/spillway/gateways.d"
UNIT = "spillway-db.service"
EDGE = ("--router-mode", "edge", "--ingress", "none", "--no-enable-service-sync")
ALICES = ("--state", "/home/alice/gateways")


@pytest.fixture(scope="module")
def host() -> Iterator[SystemdHost]:
    """One for all tests here: each leaves it as it was. What leaves nothing is tried first."""
    needs.root("boot systemd in a container with all rights")
    reason = missing() or why_not(systemd_image())
    if reason:
        pytest.fail(f"podman cannot run containers here: {reason}")
    made = SystemdHost(f"spillway-test-systemd-{os.getpid()}")
    try:
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def system(host: SystemdHost) -> Iterator[SystemdHost]:
    """A host with an edge site that runs as a unit of the system."""
    host.ctl("--state", GATEWAYS, "init", "db", *EDGE, "--run-by", "systemd")
    host.ctl("--state", GATEWAYS, "start")
    yield host
    host.ctl("--state", GATEWAYS, "--yes", "delete")


@pytest.fixture(scope="module")
def users(host: SystemdHost) -> Iterator[SystemdHost]:
    """A host with an edge site that runs as a unit of alice, who lingers."""
    host.run("loginctl", "enable-linger", "alice")
    host.await_(lambda: is_up(host), "alice's manager is there")
    host.ctl(*ALICES, "init", "db", *EDGE, "--run-by", "systemd", user="alice")
    host.ctl(*ALICES, "start", user="alice")
    yield host
    host.ctl(*ALICES, "--yes", "delete", user="alice")
    host.run("loginctl", "disable-linger", "alice")


def is_up(host: SystemdHost) -> bool:
    return host.systemctl("is-system-running", user="alice") in ("running", "degraded")


def environment(host: SystemdHost, pid: int) -> dict[str, str]:
    text = host.run("cat", f"/proc/{pid}/environ")
    return dict(pair.split("=", 1) for pair in text.split("\0") if "=" in pair)


def test_nothing_is_left_of_a_system_unit(host: SystemdHost) -> None:
    host.run("mkdir", "--parents", GATEWAYS)
    before = host.files()
    host.ctl("--state", GATEWAYS, "init", "db", *EDGE, "--run-by", "systemd")
    host.ctl("--state", GATEWAYS, "start")
    host.ctl("--state", GATEWAYS, "--yes", "delete")
    assert host.files() - before == set()
    assert host.tell("getent", "passwd", "spillway") == ""
    assert host.property(UNIT, "LoadState") == "not-found"


def test_nothing_is_left_of_a_users_unit(host: SystemdHost) -> None:
    host.run("loginctl", "enable-linger", "alice")
    host.await_(lambda: is_up(host), "alice's manager is there")
    host.run("mkdir", "--parents", "/home/alice/.config/systemd/user", user="alice")
    host.run("mkdir", "--parents", "/home/alice/gateways", user="alice")
    before = host.files()
    host.ctl(*ALICES, "init", "db", *EDGE, "--run-by", "systemd", user="alice")
    host.ctl(*ALICES, "start", user="alice")
    host.ctl(*ALICES, "--yes", "delete", user="alice")
    host.run("loginctl", "disable-linger", "alice")
    assert {path for path in host.files() - before if not path.endswith(".wants")} == set()


def test_a_gateway_of_type_service_serves_what_is_bound_to_it(host: SystemdHost) -> None:
    """Its site is on the same host, at another address; both are units of the system."""
    host.ctl("init", "west", "--bind-ip", "127.0.0.9", "--run-by", "systemd")
    target = ("systemd-run", "--quiet", "--unit=target", "/usr/bin/python3", "-m", "http.server")
    host.run(*target, "--bind=127.0.0.1", "--directory=/etc/systemd", "8099")
    try:
        host.ctl("start")
        host.ctl("gateway", "init", "--type", "service", "--name", "db", "--wait", "30")
        host.ctl("gateway", "bind", "web", "127.0.0.1", "8099")
        fetch = "import urllib.request as r; print(r.urlopen('http://127.0.0.9:8099/').status)"
        host.await_(lambda: host.tell("python3", "-c", fetch) == "200", "the gateway's target")
        again = host.json("gateway", "init", "--type", "service", "--name", "db")
        assert again["change"] == "unchanged"
        status = host.run("cat", f"/proc/{host.pid('spillway-gateway-db.service')}/status")
        assert "CapEff:\t0000000000000000" in status
        host.ctl("--yes", "gateway", "delete", "--name", "db")
        assert host.property("spillway-gateway-db.service", "LoadState") == "not-found"
    finally:
        host.ctl("--site", "west", "--yes", "delete")
        host.run("systemctl", "stop", "target")


def test_a_system_unit_is_ready_when_start_returns(system: SystemdHost) -> None:
    assert system.property(UNIT, "ActiveState") == "active"
    assert system.systemctl("is-enabled", UNIT) == "enabled"
    assert system.json("--state", GATEWAYS, "start")["change"] == "unchanged"
    assert system.json("--state", GATEWAYS, "status")["ready"]
    system.await_(
        lambda: system.property(UNIT, "StatusText") == "serving: no links, 0 services, 1 site",
        "systemctl status says how it goes",
    )


def test_a_system_unit_has_no_rights_and_systemd_reads_nothing_of_its_for_it(
    system: SystemdHost,
) -> None:
    pid = system.pid(UNIT)
    status = system.run("cat", f"/proc/{pid}/status")
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    account = system.run("id", "-u", "spillway").strip()
    assert fields["Uid"].split() == [account] * 4
    assert int(fields["CapBnd"], 16) == int(fields["CapEff"], 16) == 0
    assert (fields["NoNewPrivs"], fields["Seccomp"]) == ("1", "2")
    assert "CREDENTIALS_DIRECTORY" not in environment(system, pid)


def test_what_root_changes_belongs_to_the_router(system: SystemdHost) -> None:
    system.ctl("--state", GATEWAYS, "service", "create", "shop", "8080")
    strangers = system.run("find", f"{GATEWAYS}/db", "-not", "-user", "spillway")
    assert strangers == ""
    system.ctl("--state", GATEWAYS, "service", "delete", "shop")
    system.ctl("--state", GATEWAYS, "stop")
    assert system.property(UNIT, "ActiveState") == "inactive"
    system.ctl("--state", GATEWAYS, "start")


def test_a_router_that_is_killed_starts_again(system: SystemdHost) -> None:
    before = system.pid(UNIT)
    system.run("kill", "-KILL", str(before))
    system.await_pid(UNIT, other_than=before)
    assert int(system.property(UNIT, "NRestarts")) >= 1


def test_a_router_that_hangs_is_killed_and_says_where_it_hung(system: SystemdHost) -> None:
    drop_in = f"/etc/systemd/system/{UNIT}.d"
    system.run("mkdir", drop_in)
    system.run("sh", "-c", f"printf '[Service]\\nWatchdogSec=2\\n' >{drop_in}/soon.conf")
    system.systemctl("daemon-reload")
    system.systemctl("restart", UNIT)
    before = system.await_pid(UNIT)
    system.run("kill", "-STOP", str(before))
    system.await_pid(UNIT, other_than=before)
    log = system.run("journalctl", "--unit", UNIT, "--output=cat")
    assert "Watchdog timeout" in log
    assert "Fatal Python error: Aborted" in log
    system.run("rm", "-r", drop_in)


def test_an_upgrade_restarts_it_and_leaves_its_identity(system: SystemdHost) -> None:
    before = system.json("--state", GATEWAYS, "status")
    version = system.run("grep", "-h", "__version__ =", f"{CODE}/router/__init__.py").strip()
    change = 's/^__version__ = .*/__version__ = "9.9.9"/'
    system.run("sed", "-i", change, f"{CODE}/router/__init__.py")
    try:
        assert "SW0608" in system.checks("--state", GATEWAYS)
        assert system.json("--state", GATEWAYS, "start")["change"] == "started"
        after = system.json("--state", GATEWAYS, "status")
        assert (after["version"], after["id"]) == ("9.9.9", before["id"])
        assert "sitectl 9.9.9" in system.run("cat", f"/etc/systemd/system/{UNIT}")
    finally:
        system.run("sed", "-i", f"s/^__version__ = .*/{version}/", f"{CODE}/router/__init__.py")
    system.ctl("--state", GATEWAYS, "start")


def test_a_start_that_fails_tells_the_cause_from_the_journal(system: SystemdHost) -> None:
    system.ctl("--state", GATEWAYS, "stop")
    system.run("mv", f"{GATEWAYS}/db/secrets/ca.key", f"{GATEWAYS}/db/ca.key")
    try:
        with pytest.raises(Refused, match=r"ended at once \(exit 1\).*ca\.key"):
            system.ctl("--state", GATEWAYS, "start")
    finally:
        system.run("mv", f"{GATEWAYS}/db/ca.key", f"{GATEWAYS}/db/secrets/ca.key")
    system.await_pid(UNIT)  # It was tried again, without a command.


def test_low_ports_are_bound_by_a_system_unit_alone(host: SystemdHost) -> None:
    where = ("--state", "/srv/sites", "--site", "west")
    host.run("mkdir", "-p", "/srv/sites")
    host.run("sysctl", "-q", "-w", "net.ipv4.ip_unprivileged_port_start=1024")
    host.ctl(*where, "init", "west", "--bind-port", "443", "--run-by", "systemd")
    try:
        host.ctl(*where, "start")
        assert ":443 " in host.run("ss", "-ltn")
        status = host.run("cat", f"/proc/{host.pid('spillway-west.service')}/status")
        assert "CapEff:\t0000000000000400" in status  # CAP_NET_BIND_SERVICE, nothing else.
    finally:
        host.ctl(*where, "--yes", "delete")
        host.run("rm", "-r", "/srv/sites")


def test_a_system_unit_of_a_users_site_runs_as_that_user(host: SystemdHost) -> None:
    """It needs no lingering; alice goes on with the files that root wrote."""
    theirs = ("--state", "/home/alice/theirs", "--site", "theirs")
    host.ctl(*theirs, "init", "theirs", *EDGE, user="alice")
    host.ctl(*theirs, "init", "theirs", *EDGE, "--run-by", "systemd")
    try:
        host.ctl(*theirs, "start")
        pid = host.pid("spillway-theirs.service")
        assert host.run("stat", "--format=%U", f"/proc/{pid}").strip() == "alice"
        assert host.run("find", "/home/alice/theirs", "-not", "-user", "alice") == ""
        host.ctl(*theirs, "service", "create", "cart", "8090", user="alice")
        assert host.json(*theirs, "status", user="alice")["services"] == 1
    finally:
        host.ctl(*theirs, "--yes", "delete")
        host.run("rm", "-r", "/home/alice/theirs")


def test_python_and_state_in_roots_home_are_shown_to_the_router(host: SystemdHost) -> None:
    host.run(host.python, "-m", "venv", "--without-pip", "--symlinks", "/root/venv")
    minor = host.python.rpartition("python")[2]
    packages = f"/root/venv/lib/python{minor}/site-packages"
    host.run("sh", "-c", f"printf '{CODE}\\n{LIBRARIES}\\n' >{packages}/here.pth")
    ctl = ("/root/venv/bin/python", "-m", "sitectl", "--site", "home")
    try:
        host.run(*ctl, "init", "home", *EDGE, "--run-by", "systemd")
        host.run(*ctl, "start")
        pid = host.pid("spillway-home.service")
        assert host.run("ls", f"/proc/{pid}/root/root").split() == ["venv"]
        assert host.run("ls", "-A", f"/proc/{pid}/root/home") == ""
        host.run(*ctl, "--yes", "delete")
    finally:
        host.run("rm", "-r", "/root/venv")


def test_a_users_unit_serves_and_sees_nothing_else_of_the_home(users: SystemdHost) -> None:
    assert users.json(*ALICES, "status", user="alice")["ready"]
    assert users.json(*ALICES, "start", user="alice")["change"] == "unchanged"
    pid = users.pid(UNIT, "alice")
    users.run("touch", "/home/alice/diary", user="alice")
    assert "diary" not in users.run("ls", "-A", f"/proc/{pid}/root/home/alice")
    handed = environment(users, pid)["CREDENTIALS_DIRECTORY"]
    assert users.run("ls", f"/proc/{pid}/root{handed}").split() == ["spillway-identity"]
    users.run("rm", "/home/alice/diary")


def test_a_users_router_that_hangs_is_started_again(users: SystemdHost) -> None:
    drop_in = f"/home/alice/.config/systemd/user/{UNIT}.d"
    users.run("mkdir", drop_in, user="alice")
    users.run("sh", "-c", f"printf '[Service]\\nWatchdogSec=2\\n' >{drop_in}/soon.conf")
    users.systemctl("daemon-reload", user="alice")
    users.systemctl("restart", UNIT, user="alice")
    before = users.await_pid(UNIT, user="alice")
    users.run("kill", "-STOP", str(before))
    users.await_pid(UNIT, other_than=before, user="alice")
    users.run("rm", "-r", drop_in)


def test_who_does_not_linger_is_told_the_command(users: SystemdHost) -> None:
    assert "SW0601" not in users.checks(*ALICES, user="alice")
    users.run("rm", "/var/lib/systemd/linger/alice")
    found = users.checks(*ALICES, user="alice")["SW0601"]
    assert (found["level"], found["hint"]) == ("warning", "loginctl enable-linger alice")
    users.run("loginctl", "enable-linger", "alice")


def test_what_root_changes_at_a_users_site_stays_the_users(users: SystemdHost) -> None:
    users.ctl(*ALICES, "service", "create", "shop", "8080")
    assert users.run("find", "/home/alice", "-not", "-user", "alice") == ""
    users.ctl(*ALICES, "service", "delete", "shop", user="alice")


def test_all_is_up_again_after_a_reboot(system: SystemdHost, users: SystemdHost) -> None:
    ids = [
        system.json("--state", GATEWAYS, "status")["id"],
        users.json(*ALICES, "status", user="alice")["id"],
    ]
    system.reboot()
    system.await_pid(UNIT)
    users.await_(lambda: is_up(users), "alice's manager is there")
    users.await_pid(UNIT, user="alice")
    assert ids == [
        system.status("--state", GATEWAYS)["id"],
        users.status(*ALICES, user="alice")["id"],
    ]
