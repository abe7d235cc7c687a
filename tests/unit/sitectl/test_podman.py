"""Who keeps a container running: Quadlet, a plain unit, or podman itself; and what is refused."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from sitectl.directory import DirectorySite
from sitectl.failure import Failure
from sitectl.runtimes import podman, programs
from sitectl.runtimes.container import DIRECTORY_LABEL
from sitectl.runtimes.container_host import Host
from sitectl.runtimes.podman import PodmanRuntime
from sitectl.runtimes.spec import RuntimeSpec, write_spec
from tests.unit.sitectl.conftest import CommandLine
from tests.unit.sitectl.engines import FakeEngine

TIMEOUT_S = 10.0
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
    from sitectl.runtimes.engine import failure

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
    write_spec(box.site, RuntimeSpec(kind="podman", pull_policy=policy))  # type: ignore[arg-type]
    box.engine.set(image=False)
    with pytest.raises(Failure, match=word) as refused:
        box.runtime().start(TIMEOUT_S)
    assert "podman load -i FILE" in refused.value.hint


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


def test_root_runs_it_as_whose_the_state_is(box: Box) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root may give files away")
    os.chown(box.site.directory, 4711, 4712)
    root = Host(
        uid=0, user="root", manager=False, unified=False, lingers=True, has_subordinate_ids=True
    )
    assert box.runtime(root).container().user == "4711:4712"


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
