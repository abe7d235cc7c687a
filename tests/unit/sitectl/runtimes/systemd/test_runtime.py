"""The systemd runtime over a fake systemd: its commands, their times, and its messages."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from sitectl.base.failure import Exit, Failure
from sitectl.runtimes import account, runtime_of
from sitectl.runtimes.spec import Kind, RuntimeSpec
from sitectl.runtimes.spec_file import read_spec, write_spec
from sitectl.runtimes.systemd import runtime as systemd
from sitectl.runtimes.systemd.runtime import SystemdRuntime
from sitectl.runtimes.systemd.unit_file import HostFacts, UnitSpec, unit_text
from sitectl.site.directory import DirectorySite
from tests import needs
from tests.unit.sitectl.conftest import CommandLine
from tests.unit.sitectl.fakes import FakeAdmin
from tests.unit.sitectl.runtimes.fake_systemd import ACTIVE, GONE, FakeSystemd

UNIT = "spillway-here.service"
FACTS = HostFacts(version="1", systemd=252, python="/usr/bin/python3")


class NoProcess:
    """Plays a router that was started without systemd: there is none."""

    def __init__(self, site: DirectorySite) -> None:
        self.site = site

    def stop(self, timeout_s: float) -> bool:
        return False


@pytest.fixture
def played(
    here: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[FakeSystemd]:
    """A systemd of which ``here`` is a unit, not started; its router answers."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    monkeypatch.setattr(systemd, "ProcessRuntime", NoProcess)
    fake = FakeSystemd(tmp_path / "systemd", tmp_path / "settings/systemd/user")
    monkeypatch.setenv("PATH", f"{fake.bin}{os.pathsep}{os.environ['PATH']}")
    write_spec(site_of(here), RuntimeSpec(kind="systemd", name="spillway-here"))
    with FakeAdmin(here.state / "here" / "run" / "admin.sock"):
        yield fake


def site_of(here: CommandLine) -> DirectorySite:
    return DirectorySite(here.state / "here")


def runtime(here: CommandLine) -> SystemdRuntime:
    found = runtime_of(site_of(here))
    assert isinstance(found, SystemdRuntime)
    return found


def codes(here: CommandLine) -> set[str]:
    return {found.code for found in runtime(here).findings()}


def test_start_writes_loads_enables_and_starts_the_unit(
    here: CommandLine, played: FakeSystemd
) -> None:
    assert here.json("start")["change"] == "started"
    assert played.orders() == [["daemon-reload"], ["enable", UNIT], ["start", UNIT]]
    text = played.get("loaded")[UNIT]
    assert str(here.state / "here") in text
    assert runtime(here).path.stat().st_mode & 0o777 == 0o644


def test_start_again_orders_nothing(here: CommandLine, played: FakeSystemd) -> None:
    here.ok("start")
    played.forget_orders()
    assert here.json("start")["change"] == "unchanged"
    assert played.orders() == []


def test_another_version_is_installed_and_started_anew(
    here: CommandLine, played: FakeSystemd, monkeypatch: pytest.MonkeyPatch
) -> None:
    here.ok("start")
    played.forget_orders()
    monkeypatch.setattr("sitectl.runtimes.systemd.facts.__version__", "99.0")
    assert codes(here) == {"SW0608"}
    assert here.json("start")["change"] == "started"
    assert played.orders() == [["daemon-reload"], ["restart", UNIT]]
    assert "99.0" in played.get("loaded")[UNIT]
    played.forget_orders()
    assert here.json("start")["change"] == "unchanged"


def test_a_restart_that_was_interrupted_is_made_by_the_next_start(
    here: CommandLine, played: FakeSystemd, monkeypatch: pytest.MonkeyPatch
) -> None:
    here.ok("start")
    monkeypatch.setattr("sitectl.runtimes.systemd.facts.__version__", "99.0")
    monkeypatch.setattr(SystemdRuntime, "_await_ready", interrupted)
    with pytest.raises(KeyboardInterrupt):
        runtime(here).start(1.0)
    monkeypatch.undo()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(played.bin.parents[1] / "settings"))
    monkeypatch.setenv("PATH", f"{played.bin}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr("sitectl.runtimes.systemd.facts.__version__", "99.0")
    played.forget_orders()
    assert runtime(here).start(1.0)
    assert played.orders() == [["restart", UNIT]]


def interrupted(runtime: SystemdRuntime, timeout_s: float, invocation: str) -> None:
    raise KeyboardInterrupt


def test_a_unit_that_ends_at_once_tells_its_last_words(
    here: CommandLine, played: FakeSystemd
) -> None:
    failed = {"ActiveState": "activating", "SubState": "auto-restart", "ExecMainStatus": "1"}
    line = '{"level": "error", "message": "port 55671 is taken", "cause": "in use"}'
    played.set(after_start=failed, journal=["starting", line, "bye"])
    result = here("start")
    assert result.exit_code == Exit.FAILED
    assert "(exit 1): port 55671 is taken: in use; systemd tries again" in result.stderr
    assert f"journalctl --user -u {UNIT}" in result.stderr


@pytest.mark.parametrize(
    ("kind", "log"),
    [
        ("systemd", f"journalctl --user -u {UNIT}"),
        ("docker", "docker logs spillway-here"),
        ("process", "tail {directory}/run/router.log"),
    ],
)
def test_the_last_words_of_a_router_that_was_killed_are_where_its_runtime_has_them(
    here: CommandLine, kind: Kind, log: str
) -> None:
    """`status` and `check` led to a file that only a plain process writes."""
    site = site_of(here)
    write_spec(site, RuntimeSpec(kind=kind, name="" if kind == "process" else "spillway-here"))
    site.run.mkdir(exist_ok=True)
    (site.run / "lock").write_text("999999999\n")
    for verb in ("status", "check"):
        told = " ".join(here(verb).stdout.split())
        assert f"what it wrote last: {log.format(directory=site.directory)}" in told


def test_without_a_journal_the_exit_code_says_what_it_was(
    here: CommandLine, played: FakeSystemd
) -> None:
    played.set(after_start={"ActiveState": "failed", "ExecMainStatus": "243"})
    assert "identity key could not be handed over" in here("start").stderr


@pytest.mark.parametrize(
    ("restarts", "said"),
    [("3", f"not ready after 3 restarts: journalctl --user -u {UNIT}"), ("0", None)],
)
def test_it_is_told_that_a_unit_is_started_again_and_again(
    here: CommandLine, played: FakeSystemd, restarts: str, said: str | None
) -> None:
    """`status` said only "stopped" and "activating", while each start failed for hours."""
    starting = {"ActiveState": "activating", "SubState": "start", "NRestarts": restarts}
    played.set(after_start=starting)
    here("--timeout", "0.2", "start")
    assert runtime(here).describe().get("error") == said


def test_start_gives_up_in_time(here: CommandLine, played: FakeSystemd) -> None:
    played.set(after_start={"ActiveState": "activating", "SubState": "start"})
    assert here("--timeout", "0.2", "start").exit_code == Exit.TIMED_OUT


def test_what_is_about_to_be_restarted_is_not_taken_for_ready(
    here: CommandLine, played: FakeSystemd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """systemd says ``active`` of the old run until it comes to the job."""
    here.ok("start")
    monkeypatch.setattr("sitectl.runtimes.systemd.facts.__version__", "99.0")
    played.set(lag_after_start=2, after_start={"ActiveState": "failed", "ExecMainStatus": "1"})
    assert "ended at once (exit 1)" in here("start").stderr


def test_a_failure_from_before_is_not_told_again(here: CommandLine, played: FakeSystemd) -> None:
    """One that systemd tries every few seconds is started at once, and that try is judged."""
    failed = {"ActiveState": "activating", "SubState": "auto-restart", "ExecMainStatus": "1"}
    played.set(after_start=failed)
    assert here("start").exit_code == Exit.FAILED
    played.set(lag_after_start=2, after_start=ACTIVE)
    assert here.json("start")["change"] == "started"


def test_stop_waits_until_it_is_gone_and_leaves_it_enabled(
    here: CommandLine, played: FakeSystemd
) -> None:
    here.ok("start")
    played.forget_orders()
    assert here.json("stop")["change"] == "stopped"
    assert played.orders() == [["stop", UNIT]]
    assert played.get("enabled") == [UNIT]
    assert here.json("stop")["change"] == "unchanged"


def test_a_second_stop_ends_a_router_that_drains(here: CommandLine, played: FakeSystemd) -> None:
    here.ok("start")
    played.set(after_stop={"ActiveState": "deactivating", "SubState": "stop-sigterm"})
    assert here("--timeout", "0.2", "stop").exit_code == Exit.TIMED_OUT
    played.forget_orders()
    assert here("--timeout", "0.2", "stop").exit_code == Exit.TIMED_OUT
    assert ["kill", "TERM", UNIT] in played.orders()


def test_remove_leaves_nothing(here: CommandLine, played: FakeSystemd) -> None:
    here.ok("start")
    path = runtime(here).path
    runtime(here).remove(1.0)
    assert not path.exists()
    assert played.get("enabled") == []
    assert played.get("loaded") == {}
    played.forget_orders()
    runtime(here).remove(1.0)
    assert ["disable", UNIT] not in played.orders()


def test_remove_works_where_no_manager_runs_any_more(
    here: CommandLine, played: FakeSystemd
) -> None:
    here.ok("start")
    path = runtime(here).path
    wants = path.parent / "default.target.wants"
    wants.mkdir()
    (wants / UNIT).symlink_to(path)
    played.set(refused="Failed to connect to bus: No medium found")
    runtime(here).remove(1.0)
    assert not path.exists()
    assert list(wants.iterdir()) == []


@pytest.mark.parametrize("text", ["[Service]\nExecStart=/bin/true\n", "of another site"])
def test_a_unit_that_is_not_ours_is_never_touched(
    here: CommandLine, played: FakeSystemd, text: str
) -> None:
    if text == "of another site":
        here.ok("start")
        text = runtime(here).path.read_text().replace(str(here.state / "here"), "/srv/other")
        played.set(run={**GONE, "InvocationID": ""})
    path = runtime(here).path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    result = here("start")
    assert result.exit_code == Exit.CONFLICT
    assert "runtime.yaml" in result.stderr
    runtime(here).remove(1.0)
    assert path.read_text() == text
    assert codes(here) == {"SW0607"}


def test_no_user_manager_is_told_with_what_starts_one(
    here: CommandLine, played: FakeSystemd
) -> None:
    played.set(refused="Failed to connect to bus: No medium found")
    result = here("start")
    assert result.exit_code == Exit.NOT_ALLOWED
    assert "loginctl enable-linger" in result.stderr
    assert "without systemd: sitectl init here --run-by process" in result.stderr
    assert codes(here) == {"SW0600"}
    assert runtime(here).describe()["state"] == "unknown"


def test_a_host_without_systemd_is_no_crash(
    here: CommandLine, played: FakeSystemd, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert here("start").exit_code == Exit.NOT_ALLOWED
    assert codes(here) == {"SW0600"}
    assert here.json("stop")["change"] == "unchanged"


def test_an_error_of_systemctl_is_shown(here: CommandLine, played: FakeSystemd) -> None:
    with pytest.raises(Failure, match=r"start x\.service: Failed to start .*not found"):
        runtime(here)._manager.run("systemctl", "start", "x.service")


def test_an_old_systemd_and_no_lingering_are_warnings(
    here: CommandLine, played: FakeSystemd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sitectl.runtimes.manager._LINGER", Path("/nowhere"))
    played.set(version="239-82.el8", linger="no")
    assert codes(here) == {"SW0601", "SW0620"}
    assert {found.severity for found in runtime(here).findings()} == {"warning"}
    assert "Type: loginctl enable-linger" in here.ok("start").stderr
    assert "LoadCredential" not in played.get("loaded")[UNIT]


def test_describe_tells_unit_scope_and_lingering(here: CommandLine, played: FakeSystemd) -> None:
    here.ok("start")
    fields = runtime(here).describe()
    assert (fields["runtime"], fields["unit"], fields["scope"]) == ("systemd", UNIT, "user")
    assert (fields["enabled"], fields["lingering"]) == (True, True)


def test_only_root_changes_units_of_the_system(
    here: CommandLine, played: FakeSystemd, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_spec(site_of(here), RuntimeSpec(kind="systemd", name="spillway-here", scope="system"))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(Failure, match="only root may change"):
        runtime(here).start(1.0)


def test_a_low_port_of_a_users_router_is_told_with_the_way_out(
    here: CommandLine, played: FakeSystemd, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    start = tmp_path / "start"
    start.write_text("1024\n")
    monkeypatch.setattr("sitectl.runtimes.systemd.facts.PORTS_FREE_FROM", start)
    here.ok("service", "create", "web", "80")
    found = next(one for one in runtime(here).findings() if one.code == "SW0606")
    assert found.hint.endswith("ip_unprivileged_port_start=80")
    start.write_text("80\n")
    assert "SW0606" not in codes(here)


def test_init_chooses_who_runs_the_router(sitectl: CommandLine) -> None:
    sitectl.ok("init", "east", "--run-by", "systemd")
    spec = read_spec(DirectorySite(sitectl.state / "east"))
    scope = "system" if os.geteuid() == 0 else "user"
    assert (spec.kind, spec.name, spec.scope) == ("systemd", "spillway-east", scope)
    assert sitectl.json("init", "east", "--run-by", "systemd")["change"] == "unchanged"
    assert sitectl.json("init", "east")["change"] == "unchanged"
    assert read_spec(DirectorySite(sitectl.state / "east")) == spec


def test_a_running_router_is_not_given_to_another(here: CommandLine, admin: FakeAdmin) -> None:
    result = here("init", "here", "--run-by", "systemd")
    assert result.exit_code == Exit.CONFLICT
    assert "stop" in result.stderr


def test_the_account_of_system_units_goes_with_the_last_one_of_them(
    here: CommandLine, played: FakeSystemd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs.root("write units of the system")
    units = tmp_path / "units"
    units.mkdir()
    removed: list[str] = []
    monkeypatch.setattr(systemd, "SYSTEM_UNITS", units)
    monkeypatch.setattr(account, "remove_account", lambda *_: removed.append("account"))
    write_spec(site_of(here), RuntimeSpec(kind="systemd", name="spillway-here", scope="system"))
    text = unit_text(UnitSpec(site="b", directory="/b", scope="system", drain_grace_s=1.0), FACTS)
    other = units / "spillway-b.service"
    other.write_text(text)
    (units / "sshd.service").write_text("[Service]\nExecStart=/bin/true\n")
    runtime(here).remove(1.0)
    assert removed == []
    other.unlink()
    runtime(here).remove(1.0)
    assert removed == ["account"]
