"""The words and texts that run a router in a container: golden files, and what may vary."""

import os
import subprocess
from pathlib import Path

import msgspec
import pytest

from sitectl.base.failure import Failure
from sitectl.runtimes.containers.generator import dry_run, refuse_bad_quadlet
from sitectl.runtimes.containers.quadlet import quadlet_text, unit_text
from sitectl.runtimes.containers.words import Container, direct_words, run_words
from sitectl.runtimes.spec import Scope
from tests.programs import find

GOLDEN = Path(__file__).parent / "golden"
PLAIN = Container(
    name="spillway-east",
    site="east",
    directory="/home/ana/.local/share/spillway/east",
    image="localhost/spillway/router:0.1.0",
    user="1000:1000",
    keep_id=True,
)
OWN_NETWORK = Container(
    name="spillway-east",
    site="east",
    directory="/srv/sites of ours/east",
    image="localhost/spillway/router:0.1.0",
    pull_policy="never",
    user="65521:65521",
    network="apps",
    aliases=("db", "shop"),
    publish=("55671:55671", "127.0.0.1:5432:5432"),
    low_ports=True,
)
CASES: list[tuple[str, Container, Scope]] = [
    ("user", PLAIN, "user"),
    ("network", OWN_NETWORK, "system"),
]


def is_golden(name: str, text: str) -> None:
    """Compare with the file; GOLDEN_UPDATE=1 writes it."""
    path = GOLDEN / name
    if os.environ.get("GOLDEN_UPDATE"):
        path.write_text(text, "utf-8")
    assert text == path.read_text("utf-8")


@pytest.mark.parametrize(("case", "container", "scope"), CASES)
def test_a_quadlet_file_is_as_it_was_reviewed(
    case: str, container: Container, scope: Scope
) -> None:
    is_golden(f"quadlet-{case}.container", quadlet_text(container, scope))


@pytest.mark.parametrize("unified", [True, False])
@pytest.mark.parametrize(("case", "container", "scope"), CASES)
def test_a_unit_for_older_podman_is_as_it_was_reviewed(
    case: str, container: Container, scope: Scope, unified: bool
) -> None:
    cgroups = "v2" if unified else "v1"
    text = unit_text(container, scope, "/usr/bin/podman", unified=unified)
    is_golden(f"unit-{case}-{cgroups}.service", text)


@pytest.mark.programs("quadlet")
@pytest.mark.parametrize(("case", "container", "scope"), CASES)
def test_podmans_generator_makes_a_unit_of_the_quadlet_file(
    tmp_path: Path, case: str, container: Container, scope: Scope
) -> None:
    generator = find("quadlet")
    assert generator is not None
    text = quadlet_text(container, scope)
    refuse_bad_quadlet(generator, scope, container.name, text)
    (tmp_path / f"{container.name}.container").write_text(text)
    unit = dry_run(generator, scope, tmp_path).stdout
    run = next(line for line in unit.splitlines() if line.startswith("ExecStart="))
    mount = f"{container.directory}:/var/lib/spillway:Z"
    assert f'"{mount}"' in run or f" {mount} " in run
    assert "--sdnotify=container" in run
    assert "--read-only" in run
    assert '"--health-cmd=sitectl health --site-dir /var/lib/spillway"' in run
    assert ("--userns=keep-id" in run) == container.keep_id


@pytest.mark.programs("quadlet")
@pytest.mark.parametrize(
    "fields", [{"name": "spillway-error-page"}, {"name": "warning"}, {"image": "router:1"}]
)
def test_a_name_with_a_word_of_a_fault_and_a_short_image_are_taken(fields: dict[str, str]) -> None:
    generator = find("quadlet")
    assert generator is not None
    wanted = msgspec.structs.replace(PLAIN, **fields)
    refuse_bad_quadlet(generator, "user", wanted.name, quadlet_text(wanted, "user"))


@pytest.mark.programs("quadlet")
@pytest.mark.parametrize("line", ["Bogus=1", "no key"])
def test_what_the_generator_refuses_is_told_in_its_words(line: str) -> None:
    generator = find("quadlet")
    assert generator is not None
    text = quadlet_text(PLAIN, "user").replace("[Container]\n", f"[Container]\n{line}\n")
    with pytest.raises(Failure) as refused:
        refuse_bad_quadlet(generator, "user", PLAIN.name, text)
    assert line.partition("=")[0] in refused.value.message


@pytest.mark.programs("systemd-analyze")
@pytest.mark.parametrize(("case", "container", "scope"), CASES)
def test_systemd_finds_nothing_wrong_in_a_plain_unit(
    tmp_path: Path, case: str, container: Container, scope: Scope
) -> None:
    unit = tmp_path / "spillway-east.service"
    # It asks whether the program is there; any does.
    unit.write_text(unit_text(container, scope, "/bin/true", unified=True))
    said = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", f"--{scope}", str(unit)],
        capture_output=True,
        text=True,
        env={**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)},
    )
    assert (said.returncode, said.stderr) == (0, "")


def test_a_container_gets_one_directory_and_no_right() -> None:
    for engine in ("podman", "docker"):
        words = run_words(PLAIN, engine)
        assert [word for word in words if word.startswith("--volume=")] == [
            "--volume=/home/ana/.local/share/spillway/east:/var/lib/spillway:Z"
        ]
        assert {"--read-only", "--cap-drop=all", "--security-opt=no-new-privileges"} <= set(words)
        assert not any(word.startswith(("--cap-add", "--privileged")) for word in words)


def test_a_low_port_brings_the_right_to_bind_it_alone() -> None:
    words = run_words(OWN_NETWORK, "podman")
    assert [word for word in words if word.startswith("--cap-add")] == [
        "--cap-add=NET_BIND_SERVICE"
    ]


def test_rootless_podman_keeps_the_users_own_id() -> None:
    assert "--userns=keep-id" in run_words(PLAIN, "podman")
    assert "--user=1000:1000" in run_words(PLAIN, "podman")
    assert "--userns=keep-id" not in run_words(OWN_NETWORK, "podman")
    assert "--user=65521:65521" in run_words(OWN_NETWORK, "podman")


def test_docker_is_told_nothing_that_only_podman_knows() -> None:
    words = direct_words(OWN_NETWORK, "docker", "0")
    only_podman = ("--userns", "--sdnotify", "--read-only-tmpfs", "--replace", "--cgroups")
    assert not [word for word in words if word.startswith(only_podman)]
    newer = msgspec.structs.replace(PLAIN, pull_policy="newer")
    assert "--pull=always" in run_words(newer, "docker")


def test_a_router_of_several_processes_may_use_more_of_the_host() -> None:
    words = run_words(msgspec.structs.replace(PLAIN, workers=16), "podman")
    assert {"--memory=4864m", "--pids-limit=992"} <= set(words)


def test_what_a_host_cannot_limit_is_not_asked_for() -> None:
    words = run_words(msgspec.structs.replace(PLAIN, limits=False, timers=False), "podman")
    assert not [word for word in words if word.startswith(("--memory", "--pids-limit"))]
    assert "--health-interval=disable" in words


def test_a_router_that_drains_is_not_killed_before_its_grace_is_over() -> None:
    slow = msgspec.structs.replace(PLAIN, stop_s=600)
    assert "--stop-timeout=600" in run_words(slow, "podman")
    assert "TimeoutStopSec=615\n" in quadlet_text(slow, "user")
