"""`gateway init` and `delete`: whose they are, what refuses, and what a crash leaves."""

import contextlib
import os
import shutil
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from certs.identity import SiteIdentity
from certs.joining.claims import GrantStore, Redemption, encode
from certs.links.credentials import LinkStore
from certs.links.revocation import Revocations
from certs.token_files.tokens import read_file
from sitectl.gateway import gateway_init, home
from sitectl.gateway.home import GatewayRecord, read_record
from sitectl.runtimes.outcomes import still_draining
from sitectl.runtimes.process import ProcessRuntime
from tests.unit.sitectl.conftest import CommandLine
from tests.unit.sitectl.gateway.conftest import Host
from tests.unit.sitectl.runtimes.fake_systemd import FakeSystemd

INIT = ("gateway", "init", "--name", "gw", "--type", "process")


def usable(grants: GrantStore) -> list[str]:
    """Claims that could still be redeemed."""
    found = [grants.get(name) for name in grants.names()]
    return [one.name for one in found if one is not None and one.uses_left and not one.revoked]


def test_a_gateway_is_an_edge_site_with_a_claim_of_its_own(host: Host) -> None:
    assert host.line.json(*INIT)["change"] == "created"
    gateway = host.gateway()
    site = gateway.wanted().site
    assert (site.router_mode, site.ingress, site.service_sync) == ("edge", "none", False)
    token = LinkStore(gateway.secrets / "links").load("site").token
    assert token.name == "gateway-gw"
    assert usable(host.grants()) == ["gateway-gw"]
    assert 0 < token.expires_at - time.time() <= 15 * 60
    state = str(host.line.state)
    assert read_record(gateway.directory) == GatewayRecord(
        platform="process",
        site="here",
        site_id=token.site_id,
        state=state,
        grant="gateway-gw",
    )
    assert token.secret not in (gateway.directory / "gateway.yaml").read_text()
    assert host.line.json(*INIT)["change"] == "unchanged"
    assert host.line.json("gateway", "init")["change"] == "unchanged"
    assert usable(host.grants()) == ["gateway-gw"]
    assert host.running == {"gw"}


def test_a_site_and_its_gateways_are_told_apart(host: Host) -> None:
    host.line.ok("gateway", "init", "--name", "config", "--type", "process")
    assert host.line.json("status", code=3)["name"] == "here"
    host.line.ok("gateway", "delete")


def test_the_default_name_is_of_host_and_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "DB_1." + "x" * 70)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert home.default_name() == "db-1-root"
    monkeypatch.setattr(socket, "gethostname", lambda: "h" * 70)
    assert home.default_name() == "h" * 58 + "-root"
    monkeypatch.setattr(os, "geteuid", lambda: 4_000_000_123)
    assert home.default_name().endswith("h-4000000123")


def test_with_one_gateway_its_name_may_be_left_out_and_of_several_all_are_named(
    gw: CommandLine, host: Host
) -> None:
    assert gw.json("gateway", "bind", "db", "127.0.0.1", "1")["change"] == "created"
    gw.ok("gateway", "init", "--name", "two", "--type", "process")
    for words in (("bind", "db", "127.0.0.1", "1"), ("delete",), ("unforward", "x")):
        result = gw("gateway", *words)
        assert result.exit_code == 2
        assert "gw, two" in result.stderr and "--name" in result.stderr
    assert gw("gateway", "bind", "db", "h", "1", "--name", "three").exit_code == 4
    assert {one["name"] for one in gw.json("gateway", "status", code=3)} == {"gw", "two"}
    assert [one["name"] for one in gw.json("gateway", "status", "two", code=3)] == ["two"]
    assert gw("gateway", "status", "three").exit_code == 4


def test_without_a_gateway_verbs_say_how_to_make_one(host: Host) -> None:
    result = host.line("gateway", "bind", "db", "127.0.0.1", "5432")
    assert result.exit_code == 4
    assert "sitectl gateway init" in result.stderr
    assert "Try: sitectl gateway init" in host.line.ok("gateway", "status").stdout
    assert host.line.json("gateway", "delete")["change"] == "unchanged"


def test_without_systemd_or_podman_nothing_is_made(
    host: Host, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(gateway_init, "_BOOTED", tmp_path / "nowhere")
    monkeypatch.setattr(shutil, "which", lambda name: None)
    for kind, code in (("service", "SW0631"), ("podman", "SW0632"), ("docker", "SW0632")):
        result = host.line("gateway", "init", "--type", kind, "-o", "json")
        assert result.exit_code == 7
        assert code in result.stderr and "--type process" in result.stderr
    assert "SW0631" in host.line("gateway", "init", "-o", "json").stderr  # Skupper's default.
    assert not (host.line.state / "gateways.d").exists()


def test_without_a_manager_of_the_user_nothing_is_made(
    host: Host, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fake = FakeSystemd(tmp_path / "systemd", tmp_path / "units")
    fake.set(refused="Failed to connect to bus: No medium found")
    monkeypatch.setenv("PATH", f"{fake.bin}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(gateway_init, "_BOOTED", tmp_path)
    result = host.line("gateway", "init", "--type", "service", "-o", "json")
    assert result.exit_code == 7
    assert "SW0600" in result.stderr
    assert ": sitectl gateway init --type process" in result.stderr
    assert not (host.line.state / "gateways.d").exists()


def test_without_dockers_daemon_nothing_is_made(
    host: Host, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    said = "Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?"
    (programs / "docker").write_text(f"#!/bin/sh\necho '{said}' >&2\nexit 1\n")
    (programs / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    result = host.line("gateway", "init", "--type", "docker")
    assert result.exit_code == 1
    assert result.stderr.count(said) == 1 and "systemctl start docker" in result.stderr
    assert not (host.line.state / "gateways.d").exists()


def test_ports_are_published_from_a_network_of_its_own_alone(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    result = host.line("gateway", "init", "--type", "podman", "--publish", "6379:6379")
    assert result.exit_code == 2 and "--network NAME" in result.stderr
    assert not (host.line.state / "gateways.d").exists()


def test_another_type_is_a_conflict(gw: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    result = gw("gateway", "init", "--name", "gw", "--type", "podman")
    assert result.exit_code == 5
    assert "gateway delete --name gw" in result.stderr
    assert gw("gateway", "init", "--image", "x").exit_code == 2


def test_a_private_site_gives_no_gateway(sitectl: CommandLine, host: Host) -> None:
    sitectl.ok("init", "closed", "--ingress", "none")
    result = sitectl("--site", "closed", "gateway", "init", "--type", "process", "-o", "json")
    assert result.exit_code == 7
    assert "SW0633" in result.stderr
    assert not (sitectl.state / "gateways.d").exists()


def test_a_host_without_a_site_is_told_of_tokens(
    sitectl: CommandLine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    result = sitectl("gateway", "init", "--type", "process")
    assert result.exit_code == 4
    assert "gateway init --token" in result.stderr


def test_a_token_file_makes_a_gateway_where_the_site_is_not(host: Host, tmp_path: Path) -> None:
    token, other = str(tmp_path / "t.yaml"), str(tmp_path / "o.yaml")
    host.line.ok("token", "create", token)
    host.line.ok("token", "create", other)
    (host.line.state / "here").rename(host.line.state.parent / "far")
    words = (*INIT, "--token", token)
    assert host.line.json(*words)["change"] == "created"
    assert host.line.json(*words)["change"] == "unchanged"
    record = read_record(host.gateway().directory)
    assert record is not None
    assert (record.platform, record.site) == ("", "here")
    host.line.ok(*INIT, "--token", other)  # The first one is not redeemed.
    stored = LinkStore(host.gateway().secrets / "links").load("site").token
    assert stored == read_file(Path(other))
    site_id = host.gateway().trust.site_id
    ended = host.line.ok("gateway", "delete")
    assert f"There type: sitectl revoke-access --link {site_id}" in ended.stderr


def test_an_expired_token_is_refused_before_anything_is_made(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = str(tmp_path / "t.yaml")
    host.line.ok("token", "create", token)
    later = time.time() + 3_600
    monkeypatch.setattr(time, "time", lambda: later)
    result = host.line(*INIT, "--token", token)
    assert result.exit_code == 1
    assert "expired" in result.stderr and "token create" in result.stderr
    assert not host.gateway().directory.exists()


def test_a_claim_that_expired_unused_is_replaced_by_the_next_init(
    gw: CommandLine, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = LinkStore(host.gateway().secrets / "links").load("site").token
    later = time.time() + 3_600
    monkeypatch.setattr(time, "time", lambda: later)
    assert gw.json(*INIT)["change"] == "created"
    second = LinkStore(host.gateway().secrets / "links").load("site").token
    assert second.secret != first.secret
    assert second.expires_at > later
    assert usable(host.grants()) == [second.name]


def test_a_gateway_stays_with_its_site(gw: CommandLine) -> None:
    gw.ok("init", "other")
    result = gw("--site", "other", *INIT)
    assert result.exit_code == 5
    assert "linked to site here" in result.stderr
    assert gw.json("--site", "here", *INIT)["change"] == "unchanged"


def test_delete_revokes_its_own_claim_alone_and_leaves_nothing(gw: CommandLine, host: Host) -> None:
    gw.ok("gateway", "init", "--name", "two", "--type", "process")
    gateway_id = host.gateway().trust.site_id
    assert gw.json("gateway", "delete", "--name", "gw")["change"] == "deleted"
    assert not host.gateway().directory.exists()
    assert usable(host.grants()) == ["gateway-two"]
    revoked = Revocations(gw.state / "here" / "secrets")
    assert revoked.is_revoked("-", gateway_id)
    assert not revoked.is_revoked("-", host.gateway("two").trust.site_id)
    assert gw.json("gateway", "delete", "--name", "gw")["change"] == "unchanged"
    gw.ok("gateway", "init", "--name", "gw", "--type", "process")
    assert set(usable(host.grants())) == {"gateway-two", "gateway-gw-2"}


@pytest.mark.parametrize("words", [("gateway", "delete"), INIT])
def test_a_command_that_a_gateway_is_advised_is_for_it_and_not_for_a_site(
    gw: CommandLine, host: Host, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    """`sitectl stop` alone would stop the site that is on the same host."""

    def drains(runtime: ProcessRuntime, timeout_s: float) -> bool:
        raise still_draining(runtime.site.name, timeout_s)

    monkeypatch.setattr(ProcessRuntime, "start", drains)
    monkeypatch.setattr(ProcessRuntime, "stop", drains)
    monkeypatch.setattr("sitectl.runtimes.presence.is_running", lambda site: True)
    result = gw.ended(6, *words)
    place = f"--state {host.gateway().directory.parent} --site gw"
    assert result.stderr.endswith(f"or end it now: sitectl {place} stop --now\n")


def test_delete_bars_who_redeemed_its_claim_whatever_key_lies_there_now(
    gw: CommandLine, host: Host
) -> None:
    """Who took the router over took its key along, and may have left another."""
    taken = "c" * 32
    grant = host.grants().get("gateway-gw")
    assert grant is not None
    use = Redemption(key="k", site_id=taken, site_name="gw", serial="5e", chain="")
    used = msgspec.structs.replace(grant, uses_left=0, redeemed=(use,))
    path = host.line.state / "here/secrets/grants/gateway-gw.json"
    path.write_bytes(encode(used))
    (host.gateway().secrets / "identity.key").unlink()
    SiteIdentity.create(host.gateway().secrets)
    gw.ok("gateway", "delete", "--name", "gw")
    revoked = Revocations(host.line.state / "here/secrets")
    assert revoked.is_revoked("", taken) and revoked.is_revoked("5e", "")


def test_delete_goes_on_when_the_site_is_gone_and_says_what_is_left_to_type(
    gw: CommandLine, host: Host
) -> None:
    gateway_id = host.gateway().trust.site_id
    shutil.rmtree(gw.state / "here")
    ended = gw.ok("gateway", "delete")
    assert f"--site here revoke-access --link {gateway_id}" in ended.stderr
    assert not host.gateway().directory.exists()


def test_delete_of_a_gateway_of_a_token_says_where_its_access_ends(
    gw: CommandLine, host: Host
) -> None:
    gateway_id = host.gateway().trust.site_id
    path = host.gateway().directory / "gateway.yaml"
    kept = [line for line in path.read_text().splitlines() if line.startswith(("site", "grant"))]
    path.write_text("\n".join(kept))
    (why, next_step) = gw.ok("gateway", "delete").stderr.splitlines()[-2:]
    assert why.endswith(
        "was not revoked: the gateway came with a token file, which does not say how to manage "
        "that site"
    )
    assert next_step == f"There type: sitectl revoke-access --link {gateway_id}"


def test_delete_says_when_the_site_of_that_name_is_another_one(gw: CommandLine, host: Host) -> None:
    path = host.gateway().directory / "gateway.yaml"
    lines = [line for line in path.read_text().splitlines() if not line.startswith("siteId")]
    path.write_text("\n".join([*lines, f"siteId: {'f' * 32}"]))
    ended = gw.ok("gateway", "delete").stderr
    assert "was not revoked: the site of that name is another one now" in ended


def test_a_gateway_goes_when_the_kubeconfig_of_its_site_is_gone(
    gw: CommandLine, host: Host, tmp_path: Path
) -> None:
    path = host.gateway().directory / "gateway.yaml"
    gone = f"kubeconfig: {tmp_path}/gone.yaml\nnamespace: west\n"
    kept = [line for line in path.read_text().splitlines() if line.startswith(("site", "grant"))]
    path.write_text("\n".join(["platform: kubernetes", gone, *kept]))
    gw.ended(3, "gateway", "status")
    result = gw.ok("gateway", "delete")
    assert "was not revoked" in result.stderr and "-n west revoke-access --link" in result.stderr
    assert not host.gateway().directory.exists()


def test_access_is_revoked_by_token_or_id_whether_it_is_linked_or_not(
    gw: CommandLine, host: Host
) -> None:
    revoked = Revocations(gw.state / "here" / "secrets")
    gateway_id = host.gateway().trust.site_id
    assert "it was never used" in gw.ok("revoke-access", "--link", "gateway-gw").stdout
    assert usable(host.grants()) == []
    assert not revoked.is_revoked("-", gateway_id)
    (gw.state / "here" / "run" / "admin.sock").unlink(missing_ok=True)
    result = gw("revoke-access", "--link", gateway_id)
    assert revoked.is_revoked("-", gateway_id), result.output
    assert gw("revoke-access", "--link", "ghost").exit_code == 4


@pytest.fixture
def unsynced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing here loses power: hundreds of commands need not wait for the disk."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


class Crash(BaseException):
    """The machine stops here."""


class Crashing:
    """Ends the process before the ``at``-th change of the file system."""

    def __init__(self, patch: pytest.MonkeyPatch, at: int) -> None:
        self._left = at
        self.happened = False
        for name in ("mkdir", "rename", "replace", "link", "rmdir", "unlink"):
            patch.setattr(os, name, self._counted(getattr(os, name)))

    def _counted(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def step(*words: Any, **named: Any) -> Any:
            self._left -= 1
            self.happened = self._left < 0
            if self.happened:
                raise Crash  # Again and again: what would tidy up has no time to.
            return real(*words, **named)

        return step


def test_init_typed_again_finishes_what_any_crash_left(
    host: Host, unsynced: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    crashes = 0
    while True:
        with monkeypatch.context() as patch:
            crashing = Crashing(patch, crashes)
            with contextlib.suppress(Crash):
                host.line.ok(*INIT)
        if not crashing.happened:
            break
        crashes += 1
        assert host.line("gateway", "status").exit_code in (0, 3)
        host.line.ok(*INIT)
        token = LinkStore(host.gateway().secrets / "links").load("site").token
        assert usable(host.grants()) == [token.name], f"crash {crashes}"
        assert host.gateway().wanted().links.keys() == {"site"}
        assert host.line.json("gateway", "status", code=3)[0]["state"] == "stopped"
        host.line.ok("gateway", "delete")
        assert usable(host.grants()) == []
        assert os.listdir(host.line.state / "gateways.d") == []
    assert crashes > 10


def test_delete_typed_again_finishes_what_any_crash_left(
    host: Host, unsynced: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    crashes = 0
    while True:
        host.line.ok(*INIT)
        host.line.ok("gateway", "bind", "db", "127.0.0.1", "5432")
        with monkeypatch.context() as patch:
            crashing = Crashing(patch, crashes)
            with contextlib.suppress(Crash):
                host.line.ok("gateway", "delete")
        crashes += 1
        host.line.ok("gateway", "delete")
        assert os.listdir(host.line.state / "gateways.d") == []
        assert usable(host.grants()) == []
        if not crashing.happened:
            break
    assert crashes > 10
