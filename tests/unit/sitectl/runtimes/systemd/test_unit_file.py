"""The text of units, for users and for the system, and systemd's own verdict on it."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import msgspec
import pytest

from certs import identity
from sitectl.base.failure import Failure
from sitectl.runtimes.spec import Scope
from sitectl.runtimes.systemd import unit_file
from sitectl.runtimes.systemd.unit_file import HostFacts, UnitSpec, directory_of, unit_text

EXPOSURE_MAX = 2.0
SYSTEM = UnitSpec(
    site="db", directory="/var/lib/spillway/gateways.d/db", scope="system", drain_grace_s=30.0
)
USER = UnitSpec(
    site="db", directory="/home/eve/.local/share/spillway/db", scope="user", drain_grace_s=30.0
)
FACTS = HostFacts(version="1.2.3", systemd=252, python="/usr/bin/python3")
AT_HOME = msgspec.structs.replace(
    FACTS, python="/home/eve/venv/bin/python", shown_paths=("/home/eve/venv",), site_is_hidden=True
)
CASES = [
    pytest.param(SYSTEM, FACTS, id="system"),
    pytest.param(msgspec.structs.replace(SYSTEM, binds_low_ports=True), FACTS, id="low ports"),
    pytest.param(SYSTEM, AT_HOME, id="system, Python at home"),
    pytest.param(USER, AT_HOME, id="user"),
]
needs_systemd = pytest.mark.programs("systemd-analyze")


def settings(text: str) -> dict[str, list[str]]:
    """Every setting with its values, in their order."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        key, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found.setdefault(key, []).append(value)
    return found


def analyze(scope: Scope, place: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    flags = ["--user"] if scope == "user" else []
    command = ["systemd-analyze", *flags, *words]
    environment = {**os.environ, "XDG_RUNTIME_DIR": str(place), "LC_ALL": "C.UTF-8"}
    return subprocess.run(
        command, capture_output=True, text=True, env=environment, timeout=60, check=False
    )


@needs_systemd
@pytest.mark.parametrize(("spec", "facts"), CASES)
def test_the_exposure_is_low(spec: UnitSpec, facts: HostFacts, tmp_path: Path) -> None:
    unit = tmp_path / "spillway-db.service"
    unit.write_text(unit_text(spec, facts))
    done = analyze(spec.scope, tmp_path, "security", "--offline=yes", "--no-pager", str(unit))
    found = re.search(r"Overall exposure level for spillway-db.service: ([0-9.]+)", done.stdout)
    assert found is not None, done.stderr
    assert float(found[1]) <= EXPOSURE_MAX, done.stdout


@needs_systemd
@pytest.mark.parametrize(("spec", "facts"), CASES)
def test_systemd_finds_nothing_wrong(spec: UnitSpec, facts: HostFacts, tmp_path: Path) -> None:
    there = msgspec.structs.replace(facts, python=shutil.which("true") or "")
    unit = tmp_path / "spillway-db.service"
    unit.write_text(unit_text(spec, there))
    done = analyze(spec.scope, tmp_path, "verify", "--man=no", str(unit))
    assert done.stderr == "" and done.returncode == 0


@needs_systemd
def test_odd_paths_stay_one_word(tmp_path: Path) -> None:
    """Spaces, quotes, specifiers, variables and colons are no more than letters."""
    odd = '/srv/a "b" %n $HOME c: e'
    spec = msgspec.structs.replace(SYSTEM, directory=odd)
    facts = msgspec.structs.replace(FACTS, shown_paths=(odd,), site_is_hidden=True)
    python = tmp_path / "py %n x"
    python.write_text("#!/bin/sh\n")
    python.chmod(0o755)
    unit = tmp_path / "spillway-db.service"
    unit.write_text(unit_text(spec, msgspec.structs.replace(facts, python=str(python))))
    done = analyze("system", tmp_path, "verify", "--man=no", str(unit))
    assert done.stderr == "" and done.returncode == 0


@pytest.mark.parametrize("path", ["/srv/a\nUser=root", "/srv/a\\"])
def test_a_path_that_could_start_or_swallow_a_setting_is_refused(path: str) -> None:
    with pytest.raises(Failure, match="cannot be named"):
        unit_text(msgspec.structs.replace(SYSTEM, directory=path), FACTS)
    with pytest.raises(Failure, match="cannot be named"):
        unit_text(SYSTEM, msgspec.structs.replace(FACTS, shown_paths=(path,)))
    with pytest.raises(Failure, match="cannot be named"):
        unit_text(SYSTEM, msgspec.structs.replace(FACTS, python="/opt/$HOME/python"))


def test_a_system_unit_runs_as_an_account_of_its_own_with_no_rights() -> None:
    found = settings(unit_text(SYSTEM, FACTS))
    assert found["User"] == found["Group"] == ["spillway"]
    assert found["CapabilityBoundingSet"] == found["AmbientCapabilities"] == [""]
    assert found["PrivateUsers"] == ["yes"]
    assert found["WantedBy"] == ["multi-user.target"]


def test_a_router_that_ends_or_hangs_is_started_again_whoever_runs_it() -> None:
    for spec, facts in ((SYSTEM, FACTS), (USER, AT_HOME)):
        found = settings(unit_text(spec, facts))
        assert (found["Type"], found["NotifyAccess"]) == (["notify"], ["main"])
        assert found["WatchdogSec"] == ["15"]
        assert found["Restart"] == ["on-failure"]
        assert found["StartLimitIntervalSec"] == ["0"], "however often"
        assert found["LimitNOFILE"] == ["65536"]
        assert found["ExecStart"][0].endswith(f"--site-dir {spec.directory} --log stdout")


def test_only_low_ports_bring_a_right_and_only_that() -> None:
    found = settings(unit_text(msgspec.structs.replace(SYSTEM, binds_low_ports=True), FACTS))
    assert found["CapabilityBoundingSet"] == ["CAP_NET_BIND_SERVICE"]
    assert found["AmbientCapabilities"] == ["CAP_NET_BIND_SERVICE"]
    assert found["PrivateUsers"] == ["no"]


def test_a_users_unit_leaves_out_what_only_the_system_can_do() -> None:
    found = settings(unit_text(USER, AT_HOME))
    absent = {"User", "Group", "AmbientCapabilities", "ProtectProc", "KeyringMode", "Wants"}
    assert not absent & found.keys()
    assert found["PrivateUsers"] == ["yes"]
    assert found["WantedBy"] == ["default.target"]
    assert "%t/systemd/notify" in found["BindPaths"]


def test_without_user_namespaces_a_users_unit_keeps_what_needs_none() -> None:
    facts = msgspec.structs.replace(AT_HOME, has_user_namespaces=False)
    found = settings(unit_text(USER, facts))
    assert found["NoNewPrivileges"] == ["yes"]
    assert found["SystemCallFilter"] == ["@system-service", "~@privileged"]
    assert not {"PrivateUsers", "ProtectHome", "BindPaths", "ProtectSystem"} & found.keys()


def test_what_homes_hide_is_shown_again_and_only_the_site_may_be_written() -> None:
    found = settings(unit_text(USER, AT_HOME))
    assert found["ProtectHome"] == ["tmpfs"]
    assert found["BindReadOnlyPaths"] == ["/home/eve/venv"]
    assert USER.directory in found["BindPaths"]
    assert found["ReadWritePaths"] == [USER.directory]
    assert settings(unit_text(SYSTEM, FACTS))["ProtectHome"] == ["yes"]


def test_the_key_is_handed_over_where_systemd_can() -> None:
    handed = f"{identity.CREDENTIAL}:{USER.directory}/secrets/{identity.KEY_FILE}"
    assert settings(unit_text(USER, FACTS))["LoadCredential"] == [handed]
    for change in ({"systemd": 246}, {"has_shared_mounts": False}):
        facts = msgspec.structs.replace(FACTS, **change)
        assert "LoadCredential" not in unit_text(USER, facts)
        assert not unit_file.has_credentials(facts)


def test_the_systems_manager_reads_nothing_of_the_routers_directory_as_root() -> None:
    """The router could lay a link to /etc/shadow there and read that as its key."""
    assert "LoadCredential" not in unit_text(SYSTEM, FACTS)


def test_an_old_manager_gets_no_key_that_it_would_warn_of() -> None:
    text = unit_text(SYSTEM, msgspec.structs.replace(FACTS, systemd=239))
    found = settings(text)
    late = {"ProtectClock", "ProtectKernelLogs", "ProtectHostname", "ProtectProc", "PrivateIPC"}
    assert not late & found.keys()
    assert found["ProtectSystem"] == ["strict"]


def test_a_newer_manager_waits_longer_each_time() -> None:
    found = settings(unit_text(SYSTEM, msgspec.structs.replace(FACTS, systemd=254)))
    assert (found["RestartSec"], found["RestartMaxDelaySec"]) == (["1"], ["30"])
    assert "RestartSteps" not in settings(unit_text(SYSTEM, FACTS))


def test_stopping_may_take_longer_than_draining() -> None:
    spec = msgspec.structs.replace(SYSTEM, drain_grace_s=119.5)
    assert settings(unit_text(spec, FACTS))["TimeoutStopSec"] == ["135"]


def test_a_unit_of_ours_is_known_by_its_directory() -> None:
    assert directory_of(unit_text(SYSTEM, FACTS)) == SYSTEM.directory
    assert directory_of("[Unit]\nDescription=Spillway\n") is None


def test_another_version_is_another_text() -> None:
    newer = msgspec.structs.replace(FACTS, version="1.2.4")
    assert unit_text(SYSTEM, FACTS) != unit_text(SYSTEM, newer)


def test_no_secret_is_in_a_unit() -> None:
    assert "PRIVATE KEY" not in unit_text(SYSTEM, FACTS)
