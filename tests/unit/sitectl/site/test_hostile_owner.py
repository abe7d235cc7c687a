"""Root's command line over a site whose owner was taken over: nothing in it rules root."""

import os
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from certs.errors import CertError
from sitectl.base.failure import Exit, Failure
from sitectl.base.options import Settings
from sitectl.gateway.home import GatewayRecord, HostGateway, read_record, site_of
from sitectl.runtimes import presence
from sitectl.runtimes.host_site import HostSite
from sitectl.runtimes.process import ProcessRuntime
from sitectl.runtimes.spec_file import read_spec
from sitectl.site import admin as admin_module
from sitectl.site.admin import Admin
from sitectl.site.directory import DirectorySite
from tests.scenario.waiting import own_time
from tests.unit.sitectl.conftest import CommandLine
from tests.unit.sitectl.fakes import FakeAdmin

OWNER = 65_533

pytestmark = pytest.mark.root("be attacked by an owner")


@pytest.fixture
def state() -> Iterator[Path]:
    """A directory of sites that everybody may enter."""
    place = Path(tempfile.mkdtemp(prefix="spillway-"))
    place.chmod(0o755)
    yield place
    shutil.rmtree(place)


@pytest.fixture
def sitectl(state: Path) -> CommandLine:
    """Root's command line over it."""
    return CommandLine(state)


@pytest.fixture
def site(sitectl: CommandLine, state: Path) -> DirectorySite:
    """``here``, whose owner is not root."""
    sitectl.ok("init", "here", "--ingress", "none")
    give_away(state / "here")
    return DirectorySite(state / "here")


def give_away(directory: Path, owner: int = OWNER) -> None:
    for path in (directory, *directory.rglob("*")):
        os.chown(path, owner, owner, follow_symlinks=False)


def link(path: Path, target: Path) -> None:
    path.unlink(missing_ok=True)
    path.symlink_to(target)
    os.chown(path, OWNER, OWNER, follow_symlinks=False)


def runtime(site: DirectorySite, text: str) -> None:
    (site.directory / "runtime.yaml").write_text(text)
    give_away(site.directory)


_IDS = f"os.setresgid(*{[OWNER] * 3})\nos.setresuid(*{[OWNER] * 3})\n"
_BECOME = f"import fcntl, os, socket, sys, time\n{_IDS}"
_STAY = "\nprint('on', flush=True)\nsys.stdin.read()"


def as_owner(script: str, *words: str) -> "subprocess.Popen[str]":
    """A process of the owner's, which has said that it is on its way."""
    process = subprocess.Popen(
        [sys.executable, "-c", f"{_BECOME}{script}{_STAY}", *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "on\n"
    return process


def end(process: "subprocess.Popen[str]") -> None:
    process.communicate("")


def test_root_runs_no_router_as_root_for_another(
    sitectl: CommandLine, site: DirectorySite, state: Path
) -> None:
    victim = state / "victim"
    victim.write_text("root's")
    link(site.log, victim)
    for verb in ("start", "run"):
        refused = sitectl("--site", "here", verb)
        assert refused.exit_code == Exit.NOT_ALLOWED
        assert f"'#{OWNER}'" in refused.output
    assert victim.read_text() == "root's"
    assert not ProcessRuntime(site).stop(1.0)


def test_the_log_of_a_site_that_is_roots_again_leads_nowhere(
    sitectl: CommandLine, site: DirectorySite, state: Path
) -> None:
    victim = state / "victim"
    victim.write_text("root's")
    link(site.log, victim)
    give_away(site.directory, 0)
    assert sitectl("--site", "here", "start").exit_code == Exit.FAILED
    assert victim.read_text() == "root's"


@pytest.mark.parametrize(
    "text",
    [
        "kind: systemd\nname: sshd\nscope: system\n",
        "kind: systemd\nname: ../../../tmp/spillway-x\nscope: system\n",
        "kind: systemd\nname: spillway-a/../../x\nscope: system\n",
        "kind: podman\nname: --all\n",
        "kind: podman\nname: sshd\n",
        'kind: podman\nname: "spillway-x\\n[Service]\\nExecStart=/bin/sh"\n',
        'kind: podman\nimage: "a\\nPodmanArgs=--privileged"\n',
        "kind: podman\nimage: --privileged\n",
        "kind: podman\nnetwork: container:other\n",
        'kind: podman\npublish: ["0.0.0.0:1:1 --privileged"]\n',
        'kind: podman\npublishIp: "::1\\nx"\n',
        "kind: podman\nextra: [--privileged]\n",
        "kind: systemd\nname: spillway-here\nscope: user\n",
        "[" * 60_000,
        "a: &a [x]\nb: [*a, *a]\n",
        "kind: " + "x" * 100_000,
    ],
)
def test_no_word_of_runtime_yaml_reaches_past_the_router(site: DirectorySite, text: str) -> None:
    runtime(site, text)
    with pytest.raises((Failure, CertError)) as caught:
        read_spec(site)
    assert "runtime.yaml" in str(caught.value)


def test_a_pipe_or_a_link_in_place_of_a_file_is_neither_awaited_nor_followed(
    sitectl: CommandLine, site: DirectorySite, state: Path
) -> None:
    secret = state / "secret"
    secret.write_text("kind: nothing of yours\n")
    link(site.directory / "runtime.yaml", secret)
    refused = sitectl("--site", "here", "start")
    assert refused.exit_code == Exit.FAILED
    assert "symbolic link" in refused.output
    (site.directory / "runtime.yaml").unlink()
    os.mkfifo(site.directory / "runtime.yaml")
    assert "no regular file" in sitectl("--site", "here", "start").output
    (site.directory / "runtime.yaml").unlink()
    os.mkfifo(site.run / "lock")
    assert "does not run" in sitectl("--site", "here", "stop").output


def test_a_backup_takes_nothing_along_that_lies_elsewhere(
    sitectl: CommandLine, site: DirectorySite, state: Path
) -> None:
    secret = state / "secret"
    secret.write_text("root's own\n")
    link(site.config / "service-x.yaml", secret)
    words = ("--site", "here", "backup", str(state / "b"), "--passphrase-file", "-")
    refused = sitectl(*words, stdin="eight or more\n")
    assert refused.exit_code == Exit.FAILED
    assert "symbolic link" in refused.output
    assert not (state / "b").exists()
    (site.config / "service-x.yaml").unlink()
    theirs = state / "theirs"
    shutil.copytree(site.secrets, theirs)
    shutil.rmtree(site.secrets)
    link(site.secrets, theirs)
    assert "symbolic link" in sitectl(*words, stdin="eight or more\n").output


def test_stop_ends_no_process_that_the_owner_only_names(site: DirectorySite) -> None:
    """The lock's holder writes any number into it."""
    script = (
        "lock = open(sys.argv[1], 'w'); fcntl.flock(lock, fcntl.LOCK_EX)\n"
        "print(sys.argv[2], file=lock, flush=True)"
    )
    victim = subprocess.Popen(["sleep", "60"])
    attacker = as_owner(script, str(site.run / "lock"), str(victim.pid))
    try:
        assert site.is_locked()
        assert presence.running_pid(site) is None
        assert ProcessRuntime(site).stop(1.0) is False
        assert victim.poll() is None
        (site.run / "lock").write_text(f"{attacker.pid}\n")
        assert presence.running_pid(site) == attacker.pid  # One that is theirs is theirs to lose.
    finally:
        end(attacker)
        victim.kill()
        victim.wait()


def test_root_says_nothing_to_another_daemon_behind_the_socket(
    site: DirectorySite, state: Path
) -> None:
    """The owner lays a link to a socket of the system's there."""
    (state / "system" / "run").mkdir(parents=True)
    with FakeAdmin(state / "system" / "run" / "admin.sock") as system:
        link(site.run / "admin.sock", state / "system" / "run" / "admin.sock")
        assert Admin(state / "system" / "run" / "admin.sock", "system").is_ready()
        assert not site.admin.is_ready()
        assert not site.admin.is_running()
        assert site.admin.process_id() is None
        with pytest.raises(Failure) as caught:
            site.admin.command("reload")
        assert caught.value.exit_code is Exit.NOT_ALLOWED
        assert system.commands == []


def test_a_hostile_answer_is_an_error_and_moves_no_cursor(
    sitectl: CommandLine, site: DirectorySite
) -> None:
    with FakeAdmin(site.run / "admin.sock") as admin:
        admin.answers["/api/v1/status"] = (500, {"code": "x", "message": "\x1b[2J\x07gone"})
        refused = sitectl("--site", "here", "status")
        assert refused.exit_code != 0
        assert "\x1b" not in refused.output


def test_an_answer_nested_without_end_is_an_error(site: DirectorySite) -> None:
    body = b"[" * 200_000
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(site.run / "admin.sock"))
        os.seteuid(OWNER)
        listener.listen()
        os.seteuid(0)
        child = os.fork()
        if child == 0:
            peer, _ = listener.accept()
            peer.recv(65_536)
            peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
            os._exit(0)
        try:
            with pytest.raises(Failure) as caught:
                site.admin.get("/api/v1/status")
        finally:
            os.waitpid(child, 0)
    assert caught.value.code == "bad-answer"


def test_an_answer_that_drips_ends_with_the_call(
    site: DirectorySite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admin_module, "WHOLE_CALL_S", 0.3)
    script = (
        "listener = socket.socket(socket.AF_UNIX)\n"
        "listener.bind(sys.argv[1]); listener.listen()\n"
        "if os.fork() == 0:\n"
        "    peer, _ = listener.accept(); peer.recv(65536)\n"
        "    peer.sendall(b'HTTP/1.1 200 OK\\r\\nContent-Length: 1000\\r\\n\\r\\n')\n"
        "    try:\n        for _ in range(100): peer.sendall(b' '); time.sleep(0.05)\n"
        "    finally: os._exit(0)\n"
    )
    began = own_time()
    attacker = as_owner(script, str(site.run / "admin.sock"))
    try:
        with pytest.raises(Failure) as caught:
            site.admin.get("/api/v1/status")
    finally:
        end(attacker)
    assert caught.value.exit_code is Exit.UNREACHABLE
    assert own_time() - began < 3


def test_a_gateways_record_runs_no_program_as_root(site: DirectorySite, state: Path) -> None:
    """A kubeconfig names credential plugins, which are programs."""
    proof = state / "proof"
    kubeconfig = site.directory / "config.yaml"
    kubeconfig.write_text(
        "apiVersion: v1\nkind: Config\ncurrent-context: x\n"
        "contexts: [{name: x, context: {cluster: c, user: u, namespace: shop}}]\n"
        "clusters: [{name: c, cluster: {server: 'http://127.0.0.1:1'}}]\n"
        "users: [{name: u, user: {exec: {apiVersion: client.authentication.k8s.io/v1, "
        f"command: touch, args: [{proof}]}}}}]\n"
    )
    (site.directory / "gateway.yaml").write_text(
        f"platform: kubernetes\nsite: shop\nkubeconfig: {kubeconfig}\nnamespace: shop\n"
    )
    for owner in (OWNER, 0):  # Root's again, as when the last unit is gone and its account too.
        give_away(site.directory, owner)
        gateway = HostGateway(HostSite(site.directory), read_record(site.directory))
        with pytest.raises(Failure) as caught:
            site_of(Settings(), gateway)
        assert "root's alone" in caught.value.message
    assert not proof.exists()


def test_what_a_record_says_is_one_word_where_it_is_shown() -> None:
    assert GatewayRecord(platform="process", site="a", state="/s; rm -rf /").flags == (
        "--state '/s; rm -rf /' --site a "
    )


def test_a_second_name_of_a_file_is_not_given_away_as_a_lock(
    sitectl: CommandLine, site: DirectorySite, state: Path
) -> None:
    (state / "shadow").write_text("")
    os.link(state / "shadow", site.directory / ".lock")
    sitectl("--site", "here", "service", "create", "shop", "8080")
    assert (state / "shadow").stat().st_uid == 0
    assert stat.S_IMODE((state / "shadow").stat().st_mode) == 0o644
