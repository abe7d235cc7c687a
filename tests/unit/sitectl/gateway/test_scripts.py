"""launch.sh and remove.sh, by each shell, on a host that has an engine and coreutils alone."""

import os
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from certs.identity import restored_at
from sitectl.runtimes.containers.plan import digest, planned
from sitectl.runtimes.containers.quadlet import unit_text
from sitectl.runtimes.containers.words import direct_words
from sitectl.runtimes.spec_file import read_spec
from sitectl.site.directory import DirectorySite
from tests.unit.sitectl.conftest import CommandLine
from tests.unit.sitectl.gateway.unpacked import NOTES, Host

SHELLS = ("/bin/dash", "/bin/bash")
SOMEBODY = 65_534
IMAGE = "localhost/router:1"
DATABASE = """\
name: db-host
bindings:
- {host: 127.0.0.1, service: {address: "db:5432"}, target_ports: [5433]}
- {host: 127.0.0.1, service: {address: "cache:6379"}}
"""


@pytest.fixture
def definition(tmp_path: Path) -> Path:
    """Gateway YAML of two services."""
    path = tmp_path / "db.yaml"
    path.write_text(DATABASE)
    return path


def bundle_of(here: CommandLine, definition: Path, out: str = "out", *words: str) -> Path:
    """The bundle that the site ``here`` makes of ``definition``."""
    folder = definition.parent / out
    flags = ("--image", IMAGE, "--image-pull-policy", "never", "--ingress-host", "10.9.8.7")
    here.ok("gateway", "generate-bundle", str(definition), str(folder), *flags, *words)
    return folder / "db-host.tar.gz"


@pytest.fixture
def host(here: CommandLine, definition: Path, tmp_path: Path) -> Host:
    """A host with the unpacked bundle; root's differ from a user's in whose the files are."""
    base = tmp_path / "host"
    base.mkdir()
    return Host(base, bundle_of(here, definition), SHELLS[0])


@pytest.mark.parametrize("shell", SHELLS)
def test_every_shell_launches_and_removes_it(host: Host, shell: str) -> None:
    host.shell = shell
    done = host.launch()
    assert done.returncode == 0, done.stderr
    before = host.snapshot()
    assert host.launch().returncode == 0
    assert host.snapshot() == before
    assert host.run("./remove.sh").returncode == 0
    assert not host.directory.exists()


def test_the_scripts_please_shellcheck(host: Host) -> None:
    found = shutil.which("shellcheck") or str(Path(sys.executable).with_name("shellcheck"))
    done = subprocess.run(
        [found, "--shell=sh", "launch.sh", "remove.sh"],
        cwd=host.here,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_launched_gateway_is_the_site_that_sitectl_would_run_in_the_same_words(
    host: Host,
) -> None:
    done = host.launch()
    assert done.returncode == 0, done.stderr
    site = DirectorySite(host.directory)
    root = os.geteuid() == 0
    user = f"{os.geteuid()}:{os.getegid()}"
    if root:
        status = host.directory.stat()
        assert status.st_uid != 0
        user = f"{status.st_uid}:{status.st_gid}"
    wanted = planned(site, read_spec(site), user=user, keep_id=not root, limits=root, timers=False)
    assert host.words() == direct_words(wanted, "podman", digest(wanted, "podman"))


def test_state_is_its_owners_alone_whatever_the_umask(host: Host) -> None:
    host.launch()
    modes = {mode for _, mode, _ in host.snapshot().values()}
    assert modes == {0o600}
    for folder in ("", "config", "run", "secrets", "secrets/links", "secrets/links/site"):
        assert stat.S_IMODE((host.directory / folder).stat().st_mode) == 0o700


def test_launched_again_nothing_changes(host: Host) -> None:
    host.launch()
    before, _ = host.snapshot(), host.calls()
    done = host.launch()
    assert done.returncode == 0
    assert "(changed)" not in done.stderr
    assert host.snapshot() == before
    assert not [call for call in host.calls() if call.startswith(("run", "rm", "start", "load"))]


def test_each_launch_on_another_host_is_known_from_the_first(host: Host) -> None:
    """Only this distinguishes two routers of one bundle from two replicas of a site."""
    before = int(time.time())
    host.launch()
    first = restored_at(host.directory / "secrets")
    assert before <= first <= time.time()
    host.program("date", "#!/bin/sh\necho 1900000000\n")
    host.launch()
    assert restored_at(host.directory / "secrets") == first, "launched again it keeps its place"


def test_a_container_that_was_stopped_is_started(host: Host) -> None:
    host.launch()
    (host.stub / "stopped").touch()
    host.calls()
    assert host.launch().returncode == 0
    assert "start spillway-gateway-db-host" in host.calls()


def test_an_interruption_anywhere_is_finished_by_the_next_launch(host: Host) -> None:
    host.program("date", "#!/bin/sh\necho 1700000000\n")  # Of the launch: each is another.
    assert host.launch().returncode == 0
    whole = {name: rest[1:] for name, rest in host.snapshot().items()}
    real = shutil.which("mv")
    for step in range(1, 40):
        shutil.rmtree(host.directory)
        (host.stub / "words").unlink(missing_ok=True)
        (host.stub / "count").write_text("")
        host.program(
            "mv",
            f'#!/bin/sh\nprintf x >>"$STUB/count"\n'
            f'[ "$(wc -c <"$STUB/count")" -eq {step} ] && exit 1\nexec {real} "$@"\n'.replace(
                "wc -c", str(shutil.which("wc")) + " -c"
            ),
        )
        interrupted = host.launch()
        host.program("mv", f'#!/bin/sh\nexec {real} "$@"\n')
        done = host.launch()
        assert done.returncode == 0, done.stderr
        assert {name: rest[1:] for name, rest in host.snapshot().items()} == whole
        if interrupted.returncode == 0:
            assert step > 8
            return
    pytest.fail("it was never through")


def test_another_gateway_of_this_name_is_not_overwritten(
    host: Host, here: CommandLine, definition: Path
) -> None:
    host.launch()
    before = host.snapshot()
    host.unpack(bundle_of(here, definition, "elsewhere"))
    done = host.launch()
    assert done.returncode == 1
    assert "another gateway db-host lives in" in done.stderr
    assert host.snapshot() == before


def test_a_newer_bundle_changes_what_it_laid_and_keeps_what_the_user_changed(
    host: Host, here: CommandLine, definition: Path
) -> None:
    host.launch()
    config = host.directory / "config"
    (config / "service-db.yaml").write_text("# mine\n")
    (config / "mine.yaml").write_text("# mine too\n")
    assert (config / "service-cache.yaml").exists()
    definition.write_text(DATABASE.replace("5433", "5434").replace("cache:6379", "queue:1"))
    host.unpack(bundle_of(here, definition))
    done = host.launch()
    assert done.returncode == 0, done.stderr
    assert "kept your own change of config/service-db.yaml" in done.stderr
    assert (config / "service-db.yaml").read_text() == "# mine\n"
    assert (config / "mine.yaml").exists()
    assert not (config / "service-cache.yaml").exists()
    assert (config / "service-queue.yaml").exists()
    assert any("port: 5434" in path.read_text() for path in config.iterdir())


def test_a_newer_credential_of_the_same_gateway_replaces_the_old_one(
    host: Host, here: CommandLine, definition: Path
) -> None:
    host.launch()
    before = host.snapshot()
    (host.directory / "secrets/links/site/client.crt").write_text("of the old one")
    host.unpack(bundle_of(here, definition, "out", "--expiry", "40d"))
    assert host.launch().returncode == 0
    after = host.snapshot()
    assert after["secrets/identity.key"] == before["secrets/identity.key"]
    assert after["secrets/links/site/token.yaml"] != before["secrets/links/site/token.yaml"]
    assert "secrets/links/site/client.crt" not in after


def test_what_is_not_this_gateways_is_left_alone(host: Host) -> None:
    (host.stub / "words").write_text("--label=io.spillway.directory=/elsewhere\n")
    done = host.launch()
    assert done.returncode == 1
    assert "not this gateway's" in done.stderr
    assert host.run("./remove.sh").returncode == 0
    assert host.words() == ["--label=io.spillway.directory=/elsewhere"]


def test_a_bundle_that_was_changed_is_refused_before_anything_is_written(host: Host) -> None:
    (host.here / "site/config/service-db.yaml").write_text("kind: Service\n")
    done = host.launch()
    assert done.returncode == 1
    assert "damaged" in done.stderr
    assert not host.directory.exists()


def test_removing_leaves_nothing_and_says_how_to_bar_it(host: Host) -> None:
    host.launch()
    done = host.run("./remove.sh")
    assert done.returncode == 0, done.stderr
    assert not (host.stub / "words").exists()
    assert [path for path in host.home.rglob("*") if path.is_file()] == []
    assert "sitectl --site here revoke-access --link " in done.stderr
    again = host.run("./remove.sh")
    assert again.returncode == 0
    assert "nothing to remove" in again.stderr


def test_an_image_that_is_not_here_is_named(host: Host) -> None:
    (host.stub / "image").unlink()
    done = host.launch()
    assert done.returncode == 1
    assert f"image {IMAGE} is not on this host" in done.stderr


def test_the_type_is_a_service_unless_said_otherwise_which_needs_sitectl(host: Host) -> None:
    done = host.run("./launch.sh")
    assert done.returncode == 1
    assert "sitectl, which is not installed" in done.stderr
    assert "python3.12" in done.stderr and "-t podman" in done.stderr
    assert not host.directory.exists()


def test_pythons_of_rhel_9_are_told_apart(host: Host) -> None:
    host.program("python3", '#!/bin/sh\n[ "$1" = --version ] && echo "Python 3.9.18" || exit 1\n')
    done = host.run("./launch.sh")
    assert "Python 3.9.18 is too old" in done.stderr
    assert "dnf install python3.12 (RHEL 9), then sh install.sh" in done.stderr
    host.program("python3.12", "#!/bin/sh\nexit 0\n")
    done = host.run("./launch.sh")
    assert "Next: sh install.sh of a release (docs/image.md), then type this again" in done.stderr


def test_a_service_is_started_by_sitectl(host: Host) -> None:
    host.program("sitectl", NOTES)
    done = host.launch("-t", "service")
    assert done.returncode == 0, done.stderr
    assert host.calls()[-1] == f"sitectl --state {host.directory.parent} --site db-host start"
    spec = read_spec(DirectorySite(host.directory))
    assert spec.kind == "systemd"
    assert spec.scope == ("system" if os.geteuid() == 0 else "user")


def test_words_that_mean_no_type_are_refused(host: Host) -> None:
    for words in (("-t", "lxc"), ("-x",)):
        done = host.launch(*words)
        assert done.returncode in (1, 2)
        assert "usage:" in done.stderr


def test_a_place_that_cannot_be_mounted_is_refused(host: Host) -> None:
    for bad in ("a:b", "a,b", 'a"b', "a$b", "a%b", "a'b", "a\\b"):
        done = host.launch("-t", "podman", SITECTL_STATE=str(host.home / bad))
        assert done.returncode == 1, bad
        assert "cannot be mounted" in done.stderr
    assert host.launch("-t", "podman", SITECTL_STATE=str(host.home / "a&b |c")).returncode == 0
    (volume,) = [word for word in host.words() if word.startswith("--volume=")]
    assert volume.startswith(f"--volume={host.home}/a&b |c/gateways.d/db-host:")


def test_docker_runs_it_as_whom_the_state_belongs_to(host: Host) -> None:
    shutil.copy(host.bin / "podman", host.bin / "docker")
    host.program("podman", "#!/bin/sh\nexit 1\n")
    done = host.launch("-t", "docker")
    assert done.returncode == 0, done.stderr
    status = host.directory.stat()
    assert f"--user={status.st_uid}:{status.st_gid}" in host.words()
    assert "--restart=always" in host.words()


@pytest.fixture
def users(here: CommandLine, definition: Path) -> Iterator[Host]:
    """A host of a user who is not root."""
    with tempfile.TemporaryDirectory() as folder:  # pytest's own are closed to others.
        Path(folder).chmod(0o755)
        base = Path(folder, "host")
        base.mkdir()
        host = Host(base, bundle_of(here, definition), SHELLS[0])
        if os.geteuid() == 0:
            host.give_to(SOMEBODY)
        yield host


def test_a_bundle_that_another_user_unpacked_says_so(users: Host) -> None:
    if os.geteuid() == 0:
        os.chown(users.here / "site/secrets/identity.key", 0, 0)
    else:
        (users.here / "site/secrets/identity.key").chmod(0)
    done = users.launch()
    assert done.returncode == 1
    assert "identity.key cannot be read" in done.stderr
    assert "unpack the bundle as the user who shall run the gateway" in done.stderr


def test_systemd_runs_it_where_it_runs_by_the_unit_that_sitectl_would_write(users: Host) -> None:
    host = users
    (host.home / "run/systemd").mkdir(parents=True)
    (host.home / "run/systemd/private").touch()
    host.program("systemctl", NOTES)
    if host.user is not None:
        host.give_to(host.user)
    done = host.launch()
    assert done.returncode == 0, done.stderr
    unit = host.home / ".config/systemd/user/spillway-gateway-db-host.service"
    site = DirectorySite(host.directory)
    unified = Path("/sys/fs/cgroup/cgroup.controllers").exists()
    own = host.user if host.user is not None else os.geteuid()
    group = host.user if host.user is not None else os.getegid()
    wanted = planned(
        *(site, read_spec(site)),
        user=f"{own}:{group}",
        keep_id=True,
        limits=unified,
        timers=True,
    )
    assert unit.read_text() == unit_text(wanted, "user", str(host.bin / "podman"), unified=unified)
    assert "systemctl --user start spillway-gateway-db-host.service" in host.calls()
    assert "loginctl enable-linger" in done.stderr
    host.launch()
    assert "systemctl --user daemon-reload" not in host.calls()
    assert host.run("./remove.sh").returncode == 0
    assert not unit.exists()


@pytest.mark.root("be attacked by a router")
@pytest.mark.parametrize("place", ["run", "config", "secrets", "secrets/links/site"])
def test_root_lays_nothing_where_a_router_leads_it(host: Host, tmp_path: Path, place: str) -> None:
    assert host.launch().returncode == 0
    there = host.directory / place
    assert there.stat().st_uid != 0
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o755)
    elsewhere.chmod(0o755)
    (elsewhere / "kept.new1").write_text("root's")
    owner = host.directory.stat()
    there.rename(there.with_name("moved"))
    there.symlink_to(elsewhere)
    refused = host.launch()
    assert refused.returncode == 1
    assert "symbolic link" in refused.stderr
    assert stat.S_IMODE(elsewhere.stat().st_mode) == 0o755
    assert [path.name for path in elsewhere.iterdir()] == ["kept.new1"]
    assert elsewhere.stat().st_uid == 0
    given = {path.lstat().st_uid for path in (host.directory, *host.directory.rglob("*"))}
    assert given == {owner.st_uid}  # It goes on as it was.


def test_what_a_router_writes_into_its_lists_removes_nothing_else(
    host: Host, tmp_path: Path
) -> None:
    assert host.launch().returncode == 0
    other = tmp_path / "other"
    other.write_text("kept")
    digest_of = subprocess.run(["sha256sum", other], capture_output=True, text=True, check=True)
    up = "../" * 30
    with (host.directory / ".bundle").open("a") as file:
        file.write(f"{digest_of.stdout.split()[0]} {up}{other.relative_to('/')}\n")
    (host.directory / ".image").write_text("--all\n")
    assert host.launch().returncode == 0
    assert other.read_text() == "kept"
    host.calls()
    assert host.run("./remove.sh").returncode == 0
    assert not [call for call in host.calls() if call.startswith("image rm")]
