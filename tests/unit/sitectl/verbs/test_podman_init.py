"""`--platform podman`: a full site by the verbs of any other; its engine is played."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sitectl.runtimes.containers import runtime
from sitectl.runtimes.containers.host import Host
from sitectl.site.directory import DirectorySite
from tests.scenario.waiting import until
from tests.unit.sitectl.conftest import CommandLine
from tests.unit.sitectl.runtimes.engines import FakeEngine

HERE = Host(
    uid=os.geteuid(),
    user="ana",
    manager=False,
    unified=True,
    lingers=True,
    has_subordinate_ids=True,
)
INIT = ("--platform", "podman", "init", "boxed")


@pytest.fixture
def engine(
    sitectl: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[FakeEngine]:
    """The engine of site ``boxed``, on a host without systemd."""
    monkeypatch.setattr(runtime, "this_host", lambda: HERE)
    # The fake router of the container runs as the user of the tests, also as root.
    monkeypatch.setattr(runtime, "own_state", lambda directory: (os.geteuid(), os.getegid()))
    monkeypatch.delenv("SITECTL_IMAGE", raising=False)
    monkeypatch.delenv("SITECTL_IMAGE_PULL_POLICY", raising=False)
    found = FakeEngine(tmp_path / "engine", sitectl.state / "boxed", monkeypatch)
    yield found
    found.close()


def spec_of(sitectl: CommandLine) -> dict[str, Any]:
    """``runtime.yaml`` of the site."""
    found: dict[str, Any] = msgspec.yaml.decode((sitectl.state / "boxed/runtime.yaml").read_text())
    return found


def test_init_makes_and_starts_the_site_once(sitectl: CommandLine, engine: FakeEngine) -> None:
    words = (*INIT, "--image", "registry.test/router:1")
    made = sitectl.ok(*words)
    assert "by podman" in made.stdout
    assert "token create" in made.stderr
    assert spec_of(sitectl)["kind"] == "podman"
    assert sitectl.json(*words)["change"] == "unchanged"
    assert sitectl.json(*INIT)["change"] == "unchanged"  # What no flag says stays.
    assert len(engine.said("podman run")) == 1
    assert sitectl.json("stop")["change"] == "stopped"
    assert sitectl.json("delete", "--yes")["change"] == "deleted"
    assert engine.state["container"] is None


def test_another_image_replaces_the_container_alone(
    sitectl: CommandLine, engine: FakeEngine
) -> None:
    sitectl.ok(*INIT, "--image", "registry.test/router:1")
    identity = (sitectl.state / "boxed/secrets/identity.key").read_bytes()
    update = ("update", "--image", "registry.test/router:2", "--image-pull-policy", "never")
    assert sitectl.json(*update)["change"] == "updated"
    assert sitectl.json(*update)["change"] == "unchanged"
    assert spec_of(sitectl)["image"] == "registry.test/router:2"
    assert (sitectl.state / "boxed/secrets/identity.key").read_bytes() == identity
    assert len(engine.said("podman run")) == 2
    assert sitectl.json("update", "--force-restart")["change"] == "updated"
    assert len(engine.said("podman run")) == 3


def test_flags_of_skuppers_podman_sites_count_or_say_why_not(
    sitectl: CommandLine, engine: FakeEngine
) -> None:
    made = sitectl.ok(
        *(*INIT, "--container-network", "apps", "--podman-endpoint", "unix:///x", "--enable-ipv6"),
        *("--bind-port-flow-collector", "8010", "--ingress-host", "host.test"),
        *("--ingress-bind-ip", "192.0.2.7", "--bind-port", "4000"),
    )
    for flag in ("podman-endpoint", "enable-ipv6", "bind-port-flow-collector"):
        assert made.stderr.count(f"--{flag}: not needed here") == 1
    assert "container-network:" not in made.stderr
    assert spec_of(sitectl)["network"] == "apps"
    (line,) = engine.said("podman run")
    assert "--network=apps" in line
    assert "--publish=192.0.2.7:4000:4000" in line
    site = sitectl.config("boxed")["site-boxed.yaml"]
    assert "0.0.0.0" in site
    assert "host.test" in site
    assert sitectl.json(*("--platform", "podman", "start"))["change"] == "unchanged"


def test_a_bad_image_changes_nothing(sitectl: CommandLine, engine: FakeEngine) -> None:
    sitectl.ok(*INIT, "--image", "registry.test/router:1")
    refused = sitectl("update", "--image", "not an image")
    assert refused.exit_code == 2
    assert spec_of(sitectl)["image"] == "registry.test/router:1"


@pytest.mark.parametrize("force", [(), ("--force-restart",)])
def test_an_image_that_cannot_be_had_leaves_router_and_setting_as_they_are(
    sitectl: CommandLine, engine: FakeEngine, force: tuple[str, ...]
) -> None:
    """The next start would have failed; with the restart, the router was stopped before."""
    sitectl.ok(*INIT, "--image", "registry.test/router:1")
    engine.set(image=False)
    wrong = ("--image", "registry.test/router:9", "--image-pull-policy", "never")
    refused = sitectl("update", *wrong, *force)
    assert refused.exit_code == 1
    assert "image registry.test/router:9 is not on this host" in refused.stderr
    assert spec_of(sitectl)["image"] == "registry.test/router:1"
    assert engine.state["container"]["State"]["Status"] == "running"
    assert not engine.said("podman stop")
    assert len(engine.said("podman run")) == 1


def test_a_site_that_runs_as_a_process_is_not_taken_over(
    sitectl: CommandLine, engine: FakeEngine
) -> None:
    sitectl.ok("init", "boxed")
    running = subprocess.Popen(engine.router_words())
    try:
        site = DirectorySite(sitectl.state / "boxed")
        until(site.admin.is_ready, "it runs")
        refused = sitectl(*INIT)
        assert refused.exit_code == 5
        assert "sitectl --platform podman --site boxed stop" in refused.stderr
        assert not engine.said("podman run")
    finally:
        running.terminate()
        running.wait()


def test_update_of_a_plain_process_says_what_to_edit(here: CommandLine) -> None:
    refused = here("update", "--image", "x")
    assert refused.exit_code == 2
    assert f"Next: Edit {here.state}/" in refused.stderr
    assert "site-NAME.yaml" not in refused.stderr


def test_switch_to_podman_holds_for_the_commands_that_follow(
    sitectl: CommandLine, engine: FakeEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    sitectl.ok("switch", "podman")
    sitectl.ok("init", "boxed")
    assert len(engine.said("podman run")) == 1
    sitectl.ok("stop")
    assert sitectl.json("status", code=3)["runtime"]["runtime"] == "podman"
