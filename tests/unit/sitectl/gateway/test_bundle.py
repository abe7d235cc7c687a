"""What `generate-bundle` packs: whose identity, which credential, and how it is barred."""

import hashlib
import io
import json
import os
import stat
import sys
import tarfile
import time
from pathlib import Path

import pytest

from certs import certificates
from certs.identity import SiteIdentity
from certs.links.revocation import Revocations
from certs.token_files import tokens
from router.documents.gateway import read_gateway
from sitectl.base.failure import Failure
from sitectl.gateway.bundle import archive
from tests.unit.sitectl.conftest import CommandLine
from tests.unit.sitectl.fakes import FakeAdmin

GATEWAY = """\
name: DB Host
bindings:
- {host: 127.0.0.1, service: {address: "db:5432"}}
"""
YEAR_S = 365 * 86_400
TOKEN = "site/secrets/links/site/token.yaml"


@pytest.fixture
def definition(tmp_path: Path) -> Path:
    """Gateway YAML with a human-readable name."""
    path = tmp_path / "db.yaml"
    path.write_text(GATEWAY)
    return path


def packed(here: CommandLine, definition: Path, out: str = "out", *words: str) -> dict[str, bytes]:
    """The files of the bundle that is made."""
    folder = definition.parent / out
    flags = ("--ingress-host", "10.9.8.7") if "--token" not in words else ()
    here.ok("gateway", "generate-bundle", str(definition), str(folder), *flags, *words)
    found = archive.read(folder / "db-host.tar.gz")
    assert found is not None
    return found


def identity(files: dict[str, bytes]) -> str:
    """The gateway's site id."""
    return SiteIdentity.from_pem(files["site/secrets/identity.key"].decode(), "").site_id


def test_a_bundle_is_for_its_owner_alone_and_its_sums_are_right(
    here: CommandLine, definition: Path
) -> None:
    files = packed(here, definition)
    path = definition.parent / "out" / "db-host.tar.gz"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["db-host.tar.gz"]
    with tarfile.open(path) as tar:
        for member in tar:
            expected = 0o700 if member.isdir() or member.name.endswith(".sh") else 0o600
            assert member.mode == expected, member.name
    lines = [line.split("  ") for line in files["SHA256SUMS"].decode().splitlines()]
    sums = {name: digest for digest, name in lines}
    named = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    del named["SHA256SUMS"]
    assert sums == named


def test_its_credential_admits_this_gateway_alone_and_the_site_knows_it(
    here: CommandLine, definition: Path
) -> None:
    files = packed(here, definition)
    token = tokens.load_bytes(files[TOKEN], "token.yaml")
    assert token.kind == "certificate"
    assert certificates.site_in_certificate(token.certificate_pem) == identity(files)
    assert token.endpoints == (("10.9.8.7", 55671),)
    (path,) = (here.state / "here/secrets/grants").glob("*.json")
    grant = json.loads(path.read_text())
    assert grant["name"] == "gateway-db-host"
    assert grant["uses_left"] == 0
    (use,) = grant["redeemed"]
    assert (use["site_id"], use["site_name"]) == (identity(files), "db-host")
    assert token.key_pem not in path.read_text()


def test_the_gateway_is_an_edge_that_offers_what_its_yaml_says(
    here: CommandLine, definition: Path
) -> None:
    files = packed(here, definition)
    assert b"routerMode: edge" in files["site/config/site-db-host.yaml"]
    assert b"ports: [5432]" in files["site/config/service-db.yaml"]
    assert b"listen: none" in files["site/config/listener-db.yaml"]
    gateway, findings = read_gateway(files["definition.yaml"].decode(), "")
    assert findings == [] and gateway is not None
    assert gateway.bindings[0].address == "db"
    assert b"db:5432 is served by 127.0.0.1:5432" in files["README.txt"]


def test_a_service_that_the_site_declares_is_left_to_it(
    here: CommandLine, definition: Path
) -> None:
    here.ok("service", "create", "db", "5432")
    assert "site/config/service-db.yaml" not in packed(here, definition)


def test_its_yaml_has_protocol_and_port_of_a_service_that_the_site_declares(
    here: CommandLine, definition: Path
) -> None:
    here.ok("service", "create", "text", "8304", "--protocol", "http")
    definition.write_text(
        "name: DB Host\n"
        "bindings:\n"
        '- {host: 127.0.0.1, service: {address: "text:8304", protocol: http}, '
        "targetPorts: [9014]}\n"
        "forwards:\n"
        '- {service: {address: "text:8304", protocol: http, ports: [8400]}, host: 127.0.0.1}\n'
    )
    files = packed(here, definition)
    assert "site/config/service-text.yaml" not in files
    gateway, _ = read_gateway(files["definition.yaml"].decode(), "")
    assert gateway is not None
    (binding,), (forward,) = gateway.bindings, gateway.forwards
    assert (binding.address_port, binding.protocol, binding.target_ports) == (8304, "http", (9014,))
    assert (forward.address_port, forward.protocol, forward.ports) == (8304, "http", (8400,))
    assert b"text:8304 is served by 127.0.0.1:9014" in files["README.txt"]


def test_made_again_it_is_the_same_bundle_and_elsewhere_another_gateway(
    here: CommandLine, definition: Path
) -> None:
    first = packed(here, definition)
    path = definition.parent / "out" / "db-host.tar.gz"
    before = path.stat()
    again = here.json(
        *("gateway", "generate-bundle", str(definition), str(path.parent)),
        *("--ingress-host", "10.9.8.7"),
    )
    assert again["change"] == "unchanged"
    assert path.stat().st_ino == before.st_ino
    assert len(list((here.state / "here/secrets/grants").glob("*.json"))) == 1
    other = packed(here, definition, "elsewhere")
    assert identity(other) != identity(first)


def test_a_changed_definition_keeps_identity_and_credential(
    here: CommandLine, definition: Path
) -> None:
    first = packed(here, definition)
    definition.write_text(GATEWAY.replace("5432", "5433"))
    second = packed(here, definition)
    for name in ("site/secrets/identity.key", TOKEN):
        assert first[name] == second[name]
    assert b"5433" in second["site/config/service-db.yaml"]


def test_another_expiry_is_another_credential_of_the_same_gateway(
    here: CommandLine, definition: Path
) -> None:
    first, second = packed(here, definition), packed(here, definition, "out", "--expiry", "30d")
    assert identity(first) == identity(second)
    old, new = (tokens.load_bytes(files[TOKEN], "") for files in (first, second))
    assert old.expires_at - new.expires_at == pytest.approx(YEAR_S - 30 * 86_400, abs=60)


def test_a_leaked_bundle_is_barred_by_the_words_that_it_says(
    here: CommandLine, definition: Path
) -> None:
    files = packed(here, definition)
    other = packed(here, definition, "elsewhere")
    item = here.json("gateway", "generate-bundle", str(definition), str(definition.parent / "x"))
    assert item["revoke"] == f"sitectl --site here revoke-access --link {item['id']}"
    ambiguous = here("revoke-access", "--link", "db-host")
    assert ambiguous.exit_code == 2
    assert "is the name of 3 sites" in ambiguous.output
    here.ok("revoke-access", "--link", identity(files))
    revoked = Revocations(here.state / "here/secrets")
    token = tokens.load_bytes(files[TOKEN], "")
    serial = certificates.serial_of(token.certificate_pem)
    assert revoked.is_revoked(serial, "") and revoked.is_revoked("", identity(files))
    assert not revoked.is_revoked("", identity(other))
    assert "unchanged" in here.ok("revoke-access", "--link", identity(files)).output
    assert "is the name of 2 sites" in here("revoke-access", "--link", "db-host").output, "left"
    here.ok("revoke-access", "--link", identity(other))
    here.ok("revoke-access", "--link", "db-host")
    assert Revocations(here.state / "here/secrets").is_revoked("", item["id"])
    assert "unchanged" in here.ok("revoke-access", "--link", "db-host").output


def test_barring_the_linked_gateway_names_the_bundle_of_its_name_that_still_admits(
    here: CommandLine, definition: Path
) -> None:
    files, linked = packed(here, definition), "a" * 32
    link = {"name": "db-host", "direction": "incoming"}
    with FakeAdmin(here.state / "here" / "run" / "admin.sock") as admin:
        admin.items("/api/v1/links", {**link, "neighbour": {"name": "db-host", "id": linked}})
        done = here.ok("revoke-access", "--link", "db-host")
    revoked = Revocations(here.state / "here/secrets")
    assert revoked.is_revoked("", linked) and not revoked.is_revoked("", identity(files))
    assert done.stderr.splitlines()[-2:] == [
        f"Note: another site named db-host may still link here: {identity(files)}",
        f"Next: sitectl revoke-access --link {identity(files)}",
    ]
    rest = here.ok("revoke-access", "--link", identity(files))
    assert "may still link" not in rest.stderr


def test_barring_a_linked_site_does_not_give_its_name_to_one_that_a_token_of_that_name_admitted(
    here: CommandLine, definition: Path
) -> None:
    files, name = packed(here, definition), "gateway-db-host"
    link = {"name": name, "direction": "incoming", "neighbour": {"name": name, "id": "a" * 32}}
    with FakeAdmin(here.state / "here" / "run" / "admin.sock") as admin:
        admin.items("/api/v1/links", link)
        done = here.ok("revoke-access", "--link", name)
    assert done.stderr.splitlines()[-2:] == [
        f"Note: site db-host, which token {name} admitted, may still link here: {identity(files)}",
        f"Next: sitectl revoke-access --link {identity(files)}",
    ]


def test_a_barred_gateway_does_not_come_back_by_being_packed_again(
    here: CommandLine, definition: Path
) -> None:
    first = packed(here, definition)
    here.ok("revoke-access", "--link", "db-host")
    assert identity(packed(here, definition)) != identity(first)


@pytest.mark.parametrize("kind", ["cert", "claim"])
def test_without_its_site_a_bundle_is_made_of_a_token(
    here: CommandLine, definition: Path, kind: str
) -> None:
    token = definition.parent / "token.yaml"
    words = ("--token-type", kind, "--ingress-host", "10.9.8.7")
    here.ok("token", "create", str(token), *words)
    away = CommandLine(definition.parent / "away")
    files = packed(away, definition, "out", "--token", str(token))
    assert tokens.load_bytes(files[TOKEN], "") == tokens.read_file(token)
    says = b"at the first launch" if kind == "claim" else b"its holder"
    assert says in files["README.txt"]
    result = away(
        *("gateway", "generate-bundle", str(definition), str(definition.parent), "--expiry", "1d"),
        *("--token", str(token)),
    )
    assert result.exit_code == 2


def test_what_cannot_be_packed_is_said_before_anything_is_granted(
    here: CommandLine, definition: Path
) -> None:
    out = definition.parent / "out"
    definition.write_text("name: g\nbindings:\n- {service: {address: 'DB:1'}}\n")
    result = here("gateway", "generate-bundle", str(definition), str(out))
    assert result.exit_code == 1
    assert (
        "SW0640"
        in here("gateway", "generate-bundle", str(definition), str(out), "-o", "json").output
    )
    assert f"{definition}:3:" in result.output
    definition.write_text(GATEWAY)
    (out / "db-host.tar.gz").parent.mkdir(exist_ok=True)
    (out / "db-host.tar.gz").write_text("something else")
    result = here("gateway", "generate-bundle", str(definition), str(out))
    assert result.exit_code == 5
    assert "is no bundle" in result.output
    result = here("gateway", "generate-bundle", str(definition), str(out / "a" / "b"))
    assert result.exit_code == 2
    assert not (here.state / "here/secrets/grants").exists()


def test_the_image_in_an_archive_is_known_by_its_configuration(tmp_path: Path) -> None:
    path = tmp_path / "image.tar"
    manifest = json.dumps([{"Config": "ab12.json"}]).encode()
    with tarfile.open(path, "w") as tar:
        member = tarfile.TarInfo("manifest.json")
        member.size = len(manifest)
        tar.addfile(member, io.BytesIO(manifest))
    assert archive.image_digest(path) == "ab12"


def test_keys_that_a_killed_command_left_in_the_clear_are_removed(
    here: CommandLine, definition: Path
) -> None:
    out = definition.parent / "out"
    left, under_way = out / ".spillway-bundle-left", out / ".spillway-bundle-young"
    for folder in (left, under_way):
        (folder / "state").mkdir(parents=True)
        (folder / "state" / "identity.key").write_text("secret")
    half = out / f".db-host.tar.gz.{'0' * 12}.tmp"
    half.write_text("secret")
    for path in (left, half):
        os.utime(path, (0, 0))
    packed(here, definition)
    assert {path.name for path in out.iterdir()} == {"db-host.tar.gz", under_way.name}


def test_an_archive_that_would_fill_our_memory_is_no_bundle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "db.tar.gz"
    archive.write(path, {name: bytes(1000) for name in "abc"}, None, 0)
    assert archive.read(path) is not None
    monkeypatch.setattr(archive, "FILES_BYTES_MAX", 2500)
    with pytest.raises(Failure, match="too long"):
        archive.read(path)


def test_a_credential_is_new_where_the_sites_authority_is_or_little_is_left_of_it(
    here: CommandLine, definition: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = packed(here, definition)
    here.ok("--yes", "revoke-access")  # All: another authority.
    second = packed(here, definition)
    assert identity(second) == identity(first)
    assert tokens.load_bytes(second[TOKEN], "").ca_pem != tokens.load_bytes(first[TOKEN], "").ca_pem
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + YEAR_S / 2)
    assert packed(here, definition)[TOKEN] == second[TOKEN]
    monkeypatch.setattr(time, "time", lambda: real() + 3 * YEAR_S / 4)
    assert packed(here, definition)[TOKEN] != second[TOKEN]


def test_an_archive_that_is_no_bundle_of_ours_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "big.tar.gz"
    archive.write(path, {"big": bytes(archive.MEMBER_BYTES_MAX + 1)}, None, 0)
    with pytest.raises(Failure, match="big is too long"):
        archive.read(path)
    archive.write(path, {str(n): b"" for n in range(archive.MEMBERS_MAX + 1)}, None, 0)
    with pytest.raises(Failure, match="more than"):
        archive.read(path)


_PODMAN = """\
import io, sys, tarfile
if sys.argv[1] == "save":
    path = next(word for word in sys.argv if word.startswith("--output=")).removeprefix("--output=")
    with tarfile.open(path, "w") as tar:
        text = b'[{"Config": "ab12.json"}]'
        member = tarfile.TarInfo("manifest.json")
        member.size = len(text)
        tar.addfile(member, io.BytesIO(text))
"""


def test_the_image_is_saved_where_outdir_is_by_podman_that_stands_elsewhere(
    here: CommandLine, definition: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "podman").write_text(f"#!{sys.executable}\n{_PODMAN}")
    (programs / "podman").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path)
    words = ("--with-image", "--image", "registry.test/router:1", "--ingress-host", "10.9.8.7")
    here.ok("gateway", "generate-bundle", definition.name, "./out", *words)
    with tarfile.open(tmp_path / "out" / "db-host.tar.gz") as bundle:
        assert "image.tar" in [name.removeprefix("./") for name in bundle.getnames()]
