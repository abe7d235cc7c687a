"""What keeps a container running: Quadlet, a plain unit, or podman itself; and refusals."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from sitectl.base.failure import Failure
from sitectl.runtimes import programs
from sitectl.runtimes.containers import podman
from sitectl.runtimes.containers.host import Host, this_host
from sitectl.runtimes.containers.podman import PodmanRuntime
from sitectl.runtimes.containers.words import DIRECTORY_LABEL
from sitectl.runtimes.manager import Manager
from sitectl.runtimes.spec import PullPolicy, RuntimeSpec
from sitectl.runtimes.spec_file import write_spec
from sitectl.site.directory import DirectorySite
from tests import needs
from tests.unit.sitectl.conftest import CommandLine
from tests.unit.sitectl.runtimes.engines import FakeEngine

TIMEOUT_S = 10.0
REMOTE = "registry.example/spillway/router:1"
USER = Host(
    uid=1000, user="ana", manager=True, unified=True, lingers=True, has_subordinate_ids=True
)
WITHOUT_SYSTEMD = Host(
    uid=1000, user="ana", manager=False, unified=True, lingers=True, has_subordinate_ids=True
)
CGROUPS_V1 = Host(
    uid=1000, user="ana", manager=True, unified=False, lingers=False, has_subordinate_ids=False
)


class Box:
    """The site ``here`` with runtime podman, its engine played."""

    def __init__(self, here: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.site = DirectorySite(here.state / "here")
        write_spec(self.site, RuntimeSpec(kind="podman", image="registry.test/router:1"))
        self.engine = FakeEngine(tmp_path / "engine", self.site.directory, monkeypatch)
        self.config = tmp_path / "config"
        monkeypatch.setenv("XDG_CONFIG_HOME", str(self.config))
        monkeypatch.setattr(podman, "quadlet_generator", lambda scope: "/usr/libexec/quadlet")
        monkeypatch.setattr(podman, "refuse_bad_quadlet", self._generator)
        self.refusal: Failure | None = None

    def _generator(self, generator: str, scope: str, name: str, text: str) -> None:
        if self.refusal is not None:
            raise self.refusal

    def runtime(self, host: Host = USER) -> PodmanRuntime:
        """As a new command finds it, on ``host``."""
        found = PodmanRuntime(self.site)
        found.host = host
        return found

    @property
    def quadlet(self) -> Path:
        """Where Quadlet looks."""
        return self.config / "containers" / "systemd" / "spillway-here.container"

    @property
    def unit(self) -> Path:
        """Where systemd looks."""
        return self.config / "systemd" / "user" / "spillway-here.service"


@pytest.fixture
def box(here: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Box]:
    """The site, its engine."""
    found = Box(here, tmp_path, monkeypatch)
    yield found
    found.engine.close()


def test_a_new_podman_gets_a_quadlet_file_that_is_never_enabled(box: Box) -> None:
    assert box.runtime().start(TIMEOUT_S)
    assert "Image=registry.test/router:1\n" in box.quadlet.read_text()
    assert not box.unit.exists()
    assert box.engine.said("systemctl --user daemon-reload")
    assert not box.engine.said("systemctl --user enable")
    assert not box.engine.said("podman run")
    assert not box.runtime().start(TIMEOUT_S)
    assert box.runtime().describe()["unit"] == "spillway-here.service"
    assert box.runtime().stop(TIMEOUT_S)
    assert not box.runtime().stop(TIMEOUT_S)
    box.runtime().remove(TIMEOUT_S)
    assert not box.quadlet.exists()


def test_what_the_generator_refuses_is_not_installed(box: Box) -> None:
    from sitectl.runtimes.containers.engine import failure

    box.refusal = failure("unsupported key 'Nope'", "", "SW0615")
    with pytest.raises(Failure, match="unsupported key"):
        box.runtime().start(TIMEOUT_S)
    assert not box.quadlet.exists()
    assert not box.engine.said("systemctl --user start")


@pytest.mark.parametrize(("version", "host"), [("4.3.1", USER), ("4.9.4", CGROUPS_V1)])
def test_older_podman_and_older_cgroups_get_a_plain_unit(
    box: Box, version: str, host: Host
) -> None:
    box.engine.set(version=version)
    assert box.runtime(host).start(TIMEOUT_S)
    text = box.unit.read_text()
    assert ("--cgroups=split" in text) == host.unified
    assert not box.quadlet.exists()
    assert box.engine.said("systemctl --user enable spillway-here.service")
    assert not box.runtime(host).start(TIMEOUT_S)


def test_an_upgraded_podman_moves_from_a_unit_to_quadlet(box: Box) -> None:
    box.engine.set(version="4.3.1")
    box.runtime().start(TIMEOUT_S)
    box.engine.set(version="5.4.2")
    assert box.runtime().start(TIMEOUT_S)
    assert box.quadlet.exists()
    assert not box.unit.exists()


def test_changed_documents_change_the_unit_and_restart_it(box: Box) -> None:
    box.runtime().start(TIMEOUT_S)
    write_spec(box.site, RuntimeSpec(kind="podman", image="registry.test/router:2"))
    assert box.runtime().start(TIMEOUT_S)
    assert "Image=registry.test/router:2\n" in box.quadlet.read_text()
    assert box.engine.said("systemctl --user restart")


def test_without_systemd_podman_itself_starts_it_again(box: Box) -> None:
    assert box.runtime(WITHOUT_SYSTEMD).start(TIMEOUT_S)
    (line,) = box.engine.said("podman run")
    assert "--restart=always" in line
    assert not box.engine.said("systemctl")
    assert not box.runtime(WITHOUT_SYSTEMD).describe()["survives_reboot"]
    codes = {found.code: found.severity for found in box.runtime(WITHOUT_SYSTEMD).findings()}
    assert codes == {"SW0617": "warning"}


def test_a_site_started_without_systemd_goes_to_it_when_it_is_there(box: Box) -> None:
    box.runtime(WITHOUT_SYSTEMD).start(TIMEOUT_S)
    assert box.runtime(USER).start(TIMEOUT_S)
    assert box.engine.said("podman stop")
    assert box.quadlet.exists()


def test_another_container_of_that_name_is_refused(box: Box) -> None:
    other = {"Config": {"Labels": {DIRECTORY_LABEL: "/elsewhere"}}, "State": {"Status": "running"}}
    box.engine.set(container=other)
    for host in (USER, WITHOUT_SYSTEMD):
        with pytest.raises(Failure, match="left alone") as refused:
            box.runtime(host).start(TIMEOUT_S)
        assert refused.value.exit_code == 5
    assert not box.engine.said("podman rm")


def test_another_sites_unit_file_is_refused(box: Box) -> None:
    box.quadlet.parent.mkdir(parents=True)
    box.quadlet.write_text("[Container]\nVolume=/elsewhere/here:/var/lib/spillway:Z\n")
    with pytest.raises(Failure, match="left alone"):
        box.runtime().start(TIMEOUT_S)
    assert "/elsewhere" in box.quadlet.read_text()


@pytest.mark.parametrize(
    ("policy", "word"), [("missing", "cannot be pulled"), ("never", "is not on this host")]
)
def test_a_missing_image_is_answered_with_how_to_load_it(box: Box, policy: str, word: str) -> None:
    spec = RuntimeSpec(kind="podman", pull_policy=policy, image=REMOTE)  # type: ignore[arg-type]
    write_spec(box.site, spec)
    box.engine.set(image=False)
    with pytest.raises(Failure, match=word) as refused:
        box.runtime().start(TIMEOUT_S)
    assert "podman load -i FILE" in refused.value.hint


@pytest.mark.parametrize("policy", ["missing", "always", "newer"])
def test_no_registry_is_asked_for_the_image_that_has_none(box: Box, policy: PullPolicy) -> None:
    write_spec(box.site, RuntimeSpec(kind="podman", pull_policy=policy))
    box.engine.set(image=False)
    with pytest.raises(Failure, match="no registry has images of that name") as refused:
        box.runtime().start(TIMEOUT_S)
    assert "make image, or name another with --image" in refused.value.hint
    box.engine.set(image=True)
    assert box.runtime().start(TIMEOUT_S), "it was loaded"
    assert box.engine.said("podman pull") == []


def test_a_missing_engine_is_answered_with_its_package(
    box: Box, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Failure, match="podman is not installed") as refused:
        box.runtime().start(TIMEOUT_S)
    assert "dnf install podman" in refused.value.hint


@pytest.mark.parametrize(
    ("refusal", "advice"),
    [
        ("Error: unable to find network with name or ID apps: network not found", "network create"),
        ("Error: listen tcp 0.0.0.0:55671: bind: address already in use", "--bind-port"),
        ("Error: cannot set up namespace using newuidmap: exit status 1", "--add-subuids"),
    ],
)
def test_what_podman_refuses_is_answered_with_what_to_type(
    box: Box, refusal: str, advice: str
) -> None:
    box.engine.set(refusal=refusal)
    with pytest.raises(Failure) as refused:
        box.runtime(WITHOUT_SYSTEMD).start(TIMEOUT_S)
    assert refusal.removeprefix("Error: ") in refused.value.message
    assert advice in refused.value.hint
    assert box.engine.state["container"] is None


@pytest.mark.parametrize(
    "said",
    [
        'Error: unable to connect to Podman socket: Get "http://d/v4.3.1/libpod/_ping": dial unix '
        "/run/user/1000/podman/podman.sock: connect: no such file or directory",
        'error during connect: Get "http://builder:2375/v1.50/containers/x/json": dial tcp: lookup '
        "builder on 10.0.0.53:53: no such host",
    ],
)
def test_an_engine_that_is_away_is_not_taken_for_one_without_the_container(
    box: Box, said: str
) -> None:
    """As podman 4.3 with CONTAINER_HOST and docker 28 with DOCKER_HOST say it."""
    box.engine.set(away=said)
    for verb in ("stop", "remove"):
        with pytest.raises(Failure, match="podman does not answer") as refused:
            getattr(box.runtime(WITHOUT_SYSTEMD), verb)(TIMEOUT_S)
        assert said.removeprefix("Error: ") in refused.value.message


def test_a_host_that_lacks_what_rootless_needs_is_told_so(box: Box) -> None:
    found = {found.code: found.hint for found in box.runtime(CGROUPS_V1).findings()}
    assert found.keys() == {"SW0616", "SW0618", "SW0619"}
    assert found["SW0618"] == "loginctl enable-linger ana"
    assert "--add-subuids" in found["SW0616"]


def test_a_field_that_could_be_a_flag_is_refused(box: Box) -> None:
    write_spec(box.site, RuntimeSpec(kind="podman", image="--privileged"))
    with pytest.raises(Failure, match="none that an engine takes"):
        box.runtime().start(TIMEOUT_S)


def test_in_a_network_of_its_own_listeners_are_published(here: CommandLine, box: Box) -> None:
    here.ok("init", "apart", "--bind-ip", "0.0.0.0")
    here.ok("--site", "apart", "service", "create", "shop", "8080", "443")
    here.ok(*("--site", "apart", "service", "bind", "shop", "host", "shop-1"))
    site = DirectorySite(here.state / "apart")
    write_spec(site, RuntimeSpec(kind="podman", network="apps", publish=("127.0.0.1:9:8080",)))
    runtime = PodmanRuntime(site)
    runtime.host = USER
    planned = runtime.container()
    assert planned.publish == ("127.0.0.1:9:8080", "55671:55671", "127.0.0.1:443:443")
    assert planned.aliases == ("shop",)
    assert planned.low_ports


def test_a_name_of_a_target_is_no_name_of_the_router(here: CommandLine, box: Box) -> None:
    here.ok("expose", "host", "shop", "--address", "shop", "--port", "8080")
    write_spec(box.site, RuntimeSpec(kind="podman", network="apps"))
    assert box.runtime().container().aliases == ()


@pytest.mark.root("give files away")
def test_root_runs_it_as_whose_the_state_is(box: Box) -> None:
    os.chown(box.site.directory, 4711, 4712)
    root = Host(
        uid=0, user="root", manager=False, unified=False, lingers=True, has_subordinate_ids=True
    )
    assert box.runtime(root).container().user == "4711:4712"


@pytest.mark.parametrize(
    ("host", "keep_id", "limits", "timers"),
    [
        (USER, True, True, True),
        (WITHOUT_SYSTEMD, True, False, False),  # The user has no cgroup, and nothing runs timers.
        (CGROUPS_V1, True, False, True),
        (msgspec.structs.replace(CGROUPS_V1, uid=0, manager=False), False, True, False),
    ],
)
def test_a_container_asks_of_a_host_what_that_has(
    box: Box, host: Host, keep_id: bool, limits: bool, timers: bool
) -> None:
    if host.is_root:
        needs.root("give files away")
    found = box.runtime(host).container()
    assert (found.keep_id, found.limits, found.timers) == (keep_id, limits, timers)


def test_who_does_not_linger_is_told_at_start_and_in_status(
    box: Box, capsys: pytest.CaptureFixture[str]
) -> None:
    box.runtime().start(TIMEOUT_S)
    assert "linger" not in capsys.readouterr().err
    assert box.runtime().describe()["survives_reboot"]
    box.runtime().stop(TIMEOUT_S)
    brief = msgspec.structs.replace(USER, lingers=False)
    box.runtime(brief).start(TIMEOUT_S)
    assert "Type: loginctl enable-linger ana" in capsys.readouterr().err
    assert not box.runtime(brief).describe()["survives_reboot"]


def test_an_active_unit_whose_router_does_not_answer_is_started_anew(box: Box) -> None:
    box.runtime().start(TIMEOUT_S)
    (box.site.run / "admin.sock").unlink()
    assert box.runtime().start(TIMEOUT_S)
    assert box.engine.said("systemctl --user restart")
    assert box.site.admin.is_ready()


def test_a_container_that_ended_is_made_again(box: Box) -> None:
    box.runtime(WITHOUT_SYSTEMD).start(TIMEOUT_S)
    box.engine.close()
    (box.site.run / "admin.sock").unlink()
    container = box.engine.state["container"]
    container["State"]["Status"] = "exited"
    box.engine.set(container=container, pid=0)
    assert box.runtime(WITHOUT_SYSTEMD).describe()["state"] == "exited"
    assert box.runtime(WITHOUT_SYSTEMD).start(TIMEOUT_S)
    assert len(box.engine.said("podman run")) == 2


def test_the_last_words_of_a_router_name_files_where_the_host_has_them(box: Box) -> None:
    """They named files in the container, and so did the next step: nothing is there."""
    words = "spillway-router: {0}/run/lock: Permission denied. See: namei -l {0}/run/lock"
    box.engine.set(last_words=words.format("/var/lib/spillway"))
    with pytest.raises(Failure) as failed:
        box.runtime(WITHOUT_SYSTEMD).start(TIMEOUT_S)
    assert words.format(box.site.directory).partition(": ")[2] in failed.value.message
    assert "/var/lib/spillway" not in failed.value.detail


@pytest.mark.parametrize(
    ("state", "health", "shown"),
    [
        ("running", "starting", "running"),  # For ever, where podman has no timers for the check.
        ("running", "healthy", "running"),
        ("running", "unhealthy", "running, unhealthy"),
        ("exited", "unhealthy", "exited"),
    ],
)
def test_status_shows_a_failed_health_check_of_a_running_container_alone(
    here: CommandLine, box: Box, state: str, health: str, shown: str
) -> None:
    box.runtime(WITHOUT_SYSTEMD).start(TIMEOUT_S)
    container = box.engine.state["container"]
    container["State"] = {"Status": state, "Health": {"Status": health}}
    box.engine.close()
    (box.site.run / "admin.sock").unlink()
    box.engine.set(container=container, pid=0)
    assert f"Run by:   podman, spillway-here, {shown}\n" in here("status").stdout


def test_policies_that_pull_ask_the_registry_though_the_image_is_here(box: Box) -> None:
    write_spec(box.site, RuntimeSpec(kind="podman", pull_policy="always", image=REMOTE))
    with pytest.raises(Failure, match="cannot be pulled"):
        box.runtime().start(TIMEOUT_S)
    write_spec(box.site, RuntimeSpec(kind="podman", pull_policy="newer", image=REMOTE))
    assert box.runtime().start(TIMEOUT_S), "the one that is here will do"
    assert len(box.engine.said("podman pull")) == 2
    write_spec(box.site, RuntimeSpec(kind="podman", pull_policy="missing", image="other:1"))
    assert box.runtime().start(TIMEOUT_S)
    assert len(box.engine.said("podman pull")) == 2


def test_a_directory_that_no_mount_can_name_is_refused(here: CommandLine, box: Box) -> None:
    place = here.state / "a,b"
    (here.state / "here").rename(place)
    site = DirectorySite(place)
    runtime = PodmanRuntime(site)
    runtime.host = USER
    with pytest.raises(Failure, match="cannot be mounted"):
        runtime.container()


def test_listeners_of_the_loopback_stay_inside_the_container(here: CommandLine, box: Box) -> None:
    here.ok("service", "create", "inner", "8080")
    here.ok("service", "create", "outer", "8081", "--listen", "0.0.0.0:8081")
    write_spec(box.site, RuntimeSpec(kind="podman", network="apps"))
    assert box.runtime().container().publish == ("55671:55671", "127.0.0.1:8081:8081")


@pytest.mark.parametrize(
    ("uid", "says", "lingers"),
    [(1000, True, True), (1000, False, False), (1000, None, True), (0, False, True)],
)
def test_who_lingers_is_asked_of_users_only_and_silence_is_no_no(
    monkeypatch: pytest.MonkeyPatch, uid: int, says: bool | None, lingers: bool
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    monkeypatch.setattr(Manager, "lingers", lambda self: says)
    assert this_host().lingers is lingers


def test_stop_typed_again_ends_a_unit_that_drains(box: Box) -> None:
    box.runtime().start(TIMEOUT_S)
    box.engine.set(drains=True)
    assert box.runtime().stop(TIMEOUT_S)
    assert not box.runtime().stop(TIMEOUT_S)
    box.engine.set(drains=False, pid=0)


def test_every_word_to_podman_finds_a_users_containers_after_su(
    box: Box, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "run" / str(os.geteuid())
    own.mkdir(parents=True)
    monkeypatch.setattr(programs, "RUN_DIRECTORIES", own.parent)
    monkeypatch.setenv("XDG_RUNTIME_DIR", "")
    assert box.runtime(WITHOUT_SYSTEMD).start(TIMEOUT_S)
    assert box.runtime(WITHOUT_SYSTEMD).stop(TIMEOUT_S)
    assert box.engine.said("podman stop")
    assert box.engine.runtime_directories() == {str(own)}


def test_a_router_that_ends_by_itself_needs_no_second_signal(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = box.runtime()
    gone = subprocess.Popen(["true"])
    gone.wait()
    monkeypatch.setattr(runtime.site.admin, "process_id", lambda: gone.pid)
    runtime.hurry()
