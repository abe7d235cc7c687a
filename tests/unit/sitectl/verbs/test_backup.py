"""`backup` and `restore` on site directories."""

import fcntl
import json
import os
import stat
import time
from pathlib import Path

import pytest

from certs.ca import signing_requests
from certs.files import locked
from certs.identity import restored_at
from certs.joining.claims import ClaimRefused, ClaimRequest, GrantStore, Redeemed
from certs.links.revocation import Revocations
from router.model.ids import SiteId
from router.model.persisted import HeldListener
from router.model.rights.owners import Owner
from router.node.services.ports import OfferingSite
from router.process.state import FileKeeper
from sitectl.backup import folder_backup, folder_restore, seal
from sitectl.site.directory import DirectorySite
from sitectl.site.directory_trust import DirectoryTrust
from tests.unit.sitectl.conftest import CommandLine

WORDS = "correct horse battery"
ALPHA, BETA = SiteId("1" * 32), SiteId("2" * 32)
PINS = {"alpha": ALPHA}
LISTENERS = (HeldListener("mail", 25, ALPHA), HeldListener("shop", 8080, BETA))
OFFERS = {"mail": (OfferingSite(ALPHA), OfferingSite(BETA, 60.0))}
OWNERS = {"mail": Owner((SiteId("0" * 32),), "0123456789abcdef")}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A guess need not be dear in tests."""
    monkeypatch.setattr(seal, "USUAL", seal.Cost("scrypt", seal.SCRYPT_WORK_MIN))


def saved(here: CommandLine, *flags: str) -> Path:
    """A backup of the site of ``here``."""
    file = here.state.parent / "here.backup"
    here.ok("backup", str(file), "--passphrase-file", "-", *flags, stdin=WORDS + "\n")
    return file


def restored(place: CommandLine, file: Path, *flags: str, code: int = 0) -> str:
    """All that is said when ``file`` is restored into ``place``."""
    words = ("restore", str(file), "--passphrase-file", "-", *flags)
    result = place(*words, stdin=WORDS + "\n")
    assert result.exit_code == code, result.output
    return result.output


def change_of(place: CommandLine, file: Path, *flags: str) -> str:
    words = ("restore", str(file), "--passphrase-file", "-", "-o", "json", *flags)
    change: str = json.loads(place.ok(*words, stdin=WORDS).stdout)["item"]["change"]
    return change


def files_of(directory: Path) -> dict[str, bytes]:
    """Every file of a site that its router does not make again."""
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file() and not path.name.endswith(".lock") and path.name != "state.json"
    }


@pytest.fixture
def elsewhere(tmp_path: Path) -> CommandLine:
    """A command line of another host."""
    return CommandLine(tmp_path / "elsewhere")


@pytest.fixture
def full(here: CommandLine, tmp_path: Path) -> CommandLine:
    """A site with something of everything."""
    other = CommandLine(tmp_path / "other")
    other.ok("init", "east", "--ingress-host", "10.0.0.7")
    for kind in ("claim", "cert"):
        token = str(tmp_path / f"{kind}.token")
        other.ok("token", "create", token, "--token-type", kind)
        here.ok("link", "create", token, "--name", f"to-east-{kind}")
    here.ok("service", "create", "db", "5432", "--generate-tls-secrets")
    (here.state / "here" / "config" / "own.yaml").write_text("# mine\n")
    webhooks = here.state / "here" / "secrets" / "webhooks"
    webhooks.mkdir(mode=0o700)
    (webhooks / "cloud").touch(0o600)
    (webhooks / "cloud").write_text("s3cret\n")
    here.ok("update", "--enable-console", "--console-user", "Eve.Doe")
    Revocations(here.state / "here" / "secrets").add(sites=("ab" * 16,))
    FileKeeper(here.state / "here" / "state.json").declared_at("db")
    return here


def test_a_restored_site_has_every_file_of_the_original(
    full: CommandLine, elsewhere: CommandLine
) -> None:
    before = files_of(full.state / "here")
    restored(elsewhere, saved(full))
    after = files_of(elsewhere.state / "here")
    assert int(after.pop("secrets/restored")) > 0
    assert after == before
    assert {path.split("/")[0] for path in after} == {"config", "secrets"}
    for path in (elsewhere.state / "here").rglob("*"):
        mode = stat.S_IMODE(path.stat().st_mode)
        if "secrets" in path.parts:
            assert mode == (0o700 if path.is_dir() else 0o600), path
    assert elsewhere.json("get", "link")[0]["name"] == "to-east-cert"


def test_a_backup_is_the_owners_alone_and_no_secret_stands_in_it(full: CommandLine) -> None:
    file = saved(full)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    sealed = file.read_bytes()
    assert b"PRIVATE KEY" not in sealed
    assert b"to-east" not in sealed
    assert sealed.startswith(seal.MAGIC)


def test_restored_again_nothing_changes(full: CommandLine, elsewhere: CommandLine) -> None:
    file = saved(full)
    assert change_of(elsewhere, file) == "created"
    assert change_of(elsewhere, file) == "unchanged"
    assert change_of(full, file) == "unchanged"


def test_a_dry_run_says_what_is_inside_and_writes_nothing(
    full: CommandLine, elsewhere: CommandLine
) -> None:
    words = ("restore", str(saved(full)), "--dry-run", "--passphrase-file", "-", "-o", "json")
    item = json.loads(elsewhere.ok(*words, stdin=WORDS).stdout)["item"]
    assert item["change"] == "created"
    assert item["links"] == ["to-east-cert", "to-east-claim"]
    assert item["credentials"] == ["db"]
    assert item["revoked"] == {"sites": ["ab" * 16], "certificates": 0}
    assert not elsewhere.state.exists()


def test_an_open_claim_is_void_after_a_restore(here: CommandLine, elsewhere: CommandLine) -> None:
    here.ok("token", "create", str(here.state / "t"), "--name", "open", "--ingress-host", "h:1")
    said = restored(elsewhere, saved(here))
    assert "Void now, make new tokens: open" in said
    assert DirectoryTrust(elsewhere.state / "here" / "secrets").granted() == []


def claimed(place: CommandLine, name: str, request: ClaimRequest) -> Redeemed | ClaimRefused:
    trust = DirectoryTrust(place.state / "here" / "secrets")
    grants = trust.grants()
    assert isinstance(grants, GrantStore)
    return grants.redeem(name, request, time.time())


def test_who_redeemed_a_claim_keeps_its_certificate_and_nobody_else_gets_one(
    here: CommandLine, elsewhere: CommandLine
) -> None:
    token_file = here.state / "t"
    words = ("--name", "two", "--uses", "2", "--ingress-host", "h:1")
    here.ok("token", "create", str(token_file), *words)
    first, second = request_of(token_file, "1"), request_of(token_file, "2")
    once = claimed(here, "two", first)
    assert isinstance(once, Redeemed)
    restored(elsewhere, saved(here))
    again = claimed(elsewhere, "two", first)
    assert isinstance(again, Redeemed)
    assert (again.serial, again.repeated) == (once.serial, True)
    assert claimed(elsewhere, "two", second) == ClaimRefused("used")


def request_of(token_file: Path, digit: str) -> ClaimRequest:
    from certs import keys
    from certs.token_files import tokens

    token = tokens.read_file(token_file)
    return ClaimRequest(
        secret=token.secret,
        csr=signing_requests.make_csr(keys.generate()),
        checksum=tokens.checksum(token),
        site_id=digit * 32,
        site_name="x",
    )


def test_over_the_same_site_revocations_grow_and_its_own_grants_count(here: CommandLine) -> None:
    file = saved(here)
    secrets = here.state / "here" / "secrets"
    Revocations(secrets).add(sites=("cd" * 16,), serials=("1f",))
    here.ok("token", "create", str(here.state / "t"), "--name", "later", "--ingress-host", "h:1")
    here.ok("service", "create", "late", "80")
    assert "config/service-late.yaml" in restored(here, file, code=5)
    assert "service-late.yaml" in here.config()
    assert change_of(here, file, "--force") == "updated"
    assert set(here.config()) == {"site-here.yaml"}
    assert Revocations(secrets).is_revoked("1f", "")
    assert Revocations(secrets).is_revoked("", "cd" * 16)
    assert [grant.uses_left for grant in DirectoryTrust(secrets).granted()] == [1]
    assert not list((here.state / folder_restore.STAGING).glob("here*"))


def test_an_authority_that_was_given_up_does_not_come_back(here: CommandLine) -> None:
    file = saved(here)
    secrets = here.state / "here" / "secrets"
    DirectoryTrust(secrets).renew(time.time() + 4_000)
    renewed = (secrets / "ca.crt").read_bytes()
    here.ok("service", "create", "late", "80")
    restored(here, file, "--force")
    assert (secrets / "ca.crt").read_bytes() == renewed


def test_the_routers_epoch_goes_beyond_what_it_was(
    full: CommandLine, elsewhere: CommandLine
) -> None:
    original = FileKeeper(full.state / "here" / "state.json")
    original.keep_owners(OWNERS)
    original.keep_rule_pins(PINS)
    original.keep_listeners(LISTENERS)
    original.keep_known_offers(OFFERS)
    epoch, declared = original.next_epoch() + 10_000_000, original.declared_at("db")
    original.keep_epoch(epoch)
    restored(elsewhere, saved(full))
    copy = FileKeeper(elsewhere.state / "here" / "state.json")
    assert copy.router_id == original.router_id
    assert copy.declared_at("db") == declared
    assert (copy.owners(), copy.rule_pins()) == (OWNERS, PINS)
    assert tuple(copy.listeners()) == LISTENERS
    known = copy.known_offers()
    assert known is not None and [one.site for one in known["mail"]] == [ALPHA, BETA]
    assert [one.new_for_s is None for one in known["mail"]] == [True, False]
    assert copy.next_epoch() > epoch


def test_over_the_same_site_both_know_its_offers_and_its_listeners_stay(here: CommandLine) -> None:
    keeper = FileKeeper(here.state / "here" / "state.json")
    keeper.keep_listeners(LISTENERS)
    keeper.keep_known_offers(OFFERS)
    file = saved(here)
    here.ok("service", "create", "late", "80")
    keeper.keep_listeners((HeldListener("news", 25, BETA), HeldListener("news", 26, BETA)))
    keeper.keep_known_offers({"mail": (OfferingSite(BETA),), "news": (OfferingSite(ALPHA),)})
    restored(here, file, "--force")
    now = FileKeeper(here.state / "here" / "state.json")
    assert [(one.port, one.service) for one in now.listeners()] == [
        (25, "news"),
        (26, "news"),
        (8080, "shop"),
    ]
    assert now.known_offers() == {
        "mail": (OfferingSite(ALPHA), OfferingSite(BETA)),
        "news": (OfferingSite(ALPHA),),
    }


def test_a_site_that_never_learnt_of_offers_learns_them_after_a_restore(
    here: CommandLine, elsewhere: CommandLine
) -> None:
    restored(elsewhere, saved(here))
    assert FileKeeper(elsewhere.state / "here" / "state.json").known_offers() is None


def test_another_site_of_that_name_is_never_overwritten(
    here: CommandLine, elsewhere: CommandLine
) -> None:
    elsewhere.ok("init", "here")
    before = files_of(elsewhere.state / "here")
    said = restored(elsewhere, saved(here), "--force", code=5)
    assert "another site" in said
    assert files_of(elsewhere.state / "here") == before


def test_a_site_whose_router_runs_is_not_restored(here: CommandLine) -> None:
    file = saved(here)
    here.ok("service", "create", "late", "80")
    with locked(here.state / "here" / "run" / "lock"):
        said = restored(here, file, "--force", code=5)
    assert "runs here" in said
    assert "sitectl --site here stop" in said


def test_a_command_that_checks_for_a_router_stops_no_restore(
    here: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has the lock of routers for a moment."""
    file = saved(here)
    here.ok("service", "create", "late", "80")
    with (here.state / "here" / "run" / "lock").open("w") as check:
        fcntl.flock(check, fcntl.LOCK_SH)
        waits: list[float] = []

        def sleep(wait_s: float) -> None:
            waits.append(wait_s)
            fcntl.flock(check, fcntl.LOCK_UN)

        monkeypatch.setattr(time, "sleep", sleep)
        restored(here, file, "--force")
    assert len(waits) == 1


def test_a_dry_run_names_what_a_restore_would_be_refused_for(here: CommandLine) -> None:
    file = saved(here)
    assert "refused" not in restored(here, file, "--dry-run")
    here.ok("service", "create", "late", "80")
    differs = "It would be refused now, without --force, as it differs in: config/service-late.yaml"
    assert differs in restored(here, file, "--dry-run")
    assert "refused" not in restored(here, file, "--force", "--dry-run")
    with locked(here.state / "here" / "run" / "lock"):
        said = restored(here, file, "--force", "--dry-run")
    assert "It would be refused now, its router runs here: sitectl --site here stop" in said


def test_a_restore_that_was_killed_between_its_two_steps_is_finished(here: CommandLine) -> None:
    file = saved(here)
    staging = here.state / folder_restore.STAGING
    staging.mkdir()
    os.rename(here.state / "here", staging / "here.before")
    (staging / "here" / "secrets").mkdir(parents=True)
    assert change_of(here, file) == "unchanged"
    assert not list(staging.glob("here*"))


def test_how_a_site_is_run_stays_that_of_the_host(here: CommandLine) -> None:
    (here.state / "here" / "runtime.yaml").write_text("kind: process\nname: a\n")
    file = saved(here)
    (here.state / "here" / "runtime.yaml").write_text("kind: process\nname: b\n")
    here.ok("service", "create", "late", "80")
    restored(here, file, "--force")
    assert "name: b" in (here.state / "here" / "runtime.yaml").read_text()


def test_a_gateway_comes_back_as_a_gateway(here: CommandLine, elsewhere: CommandLine) -> None:
    gateways = CommandLine(here.state / "gateways.d")
    gateways.ok("init", "db1", "--router-mode", "edge")
    (here.state / "gateways.d" / "db1" / "gateway.yaml").write_text("site: here\n")
    file = here.state / "db1.backup"
    here.ok(
        "--site", "db1", "backup", str(file), "--gateway", "--passphrase-file", "-", stdin=WORDS
    )
    said = restored(elsewhere, file)
    assert "Next: sitectl gateway init --name db1 --type process\n" in said
    gateway = elsewhere.state / "gateways.d" / "db1"
    assert (gateway / "config").is_dir()
    assert (gateway / "gateway.yaml").read_text() == "site: here\n"


def test_what_is_wrong_with_a_file_or_passphrase_is_told_and_nothing_is_written(
    here: CommandLine, elsewhere: CommandLine, tmp_path: Path
) -> None:
    file = saved(here)
    sealed = file.read_bytes()
    cases = {
        "SW0655": sealed[:-1] + bytes([sealed[-1] ^ 1]),
        "SW0656": sealed[:-1],
        "SW0657": sealed[:17] + b"\x09" + sealed[18:],
    }
    broken = tmp_path / "broken.backup"
    for code, data in cases.items():
        broken.write_bytes(data)
        words = ("restore", str(broken), "--passphrase-file", "-", "-o", "json")
        result = elsewhere(*words, stdin=WORDS)
        assert result.exit_code == 1
        assert json.loads(result.stderr)["code"] == code
    result = elsewhere("restore", str(file), "--passphrase-file", "-", stdin="something else")
    assert result.exit_code == 1
    assert "passphrase" in result.stderr
    assert elsewhere("restore", "none", "--passphrase-file", "-", stdin="x").exit_code == 4
    assert not elsewhere.state.exists()


def test_a_file_that_is_there_is_not_overwritten(here: CommandLine) -> None:
    file = saved(here)
    before = file.read_bytes()
    result = here("backup", str(file), "--passphrase-file", "-", stdin=WORDS)
    assert result.exit_code == 5
    assert file.read_bytes() == before
    saved(here, "--force")
    assert file.read_bytes() != before


def test_a_passphrase_is_needed_and_not_short(here: CommandLine) -> None:
    file = str(here.state / "x.backup")
    assert "--passphrase-file" in here("backup", file).stderr
    result = here("backup", file, "--passphrase-file", "-", stdin="short\n")
    assert result.exit_code == 2
    assert "fewer than 8" in result.stderr
    assert not Path(file).exists()


def test_the_name_of_a_restored_site_stays(here: CommandLine, elsewhere: CommandLine) -> None:
    words = ("--site", "other", "restore", str(saved(here)), "--passphrase-file", "-")
    result = elsewhere(*words, stdin=WORDS)
    assert result.exit_code == 2
    assert "keeps its name" in result.stderr


def test_a_damaged_site_is_not_backed_up(here: CommandLine) -> None:
    (here.state / "here" / "secrets" / "revoked.json").write_text("{")
    (here.state / "here" / "secrets" / "revoked.json").chmod(0o600)
    result = here("backup", str(here.state / "x"), "--passphrase-file", "-", stdin=WORDS)
    assert result.exit_code == 1
    assert "revoked.json" in result.stderr


def test_a_backup_is_the_same_content_whether_read_or_restored(full: CommandLine) -> None:
    site = DirectorySite(full.state / "here")
    content = folder_backup.read_folder(site)
    assert "PRIVATE" not in repr(content) + repr(content.links)


@pytest.mark.parametrize(
    ("runtime", "words"),
    [
        ("kind: podman", "sitectl --platform podman init here"),
        ("kind: systemd", "sitectl init here --run-by systemd && sitectl --site here start"),
        ("", "sitectl --site here start"),
    ],
)
def test_restore_says_what_has_the_router_run_as_it_did(
    here: CommandLine, elsewhere: CommandLine, runtime: str, words: str
) -> None:
    if runtime:
        (here.state / "here" / "runtime.yaml").write_text(f"{runtime}\n")
    assert f"Next: {words}\n" in restored(elsewhere, saved(here))


def test_a_restore_to_where_the_backup_was_made_warns_of_no_original(
    here: CommandLine, elsewhere: CommandLine
) -> None:
    file = saved(here)
    assert "must not run any more" in restored(elsewhere, file)
    here.ok("service", "create", "shop", "8080")
    assert "must not run any more" not in restored(here, file, "--force")


def test_a_replica_is_another_router_as_old_as_the_original(
    full: CommandLine, elsewhere: CommandLine
) -> None:
    original = FileKeeper(full.state / "here" / "state.json")
    file = saved(full)
    told = restored(elsewhere, file, "--as-replica")
    assert "--peer OTHER:PORT" in told and "must not run" not in told
    place = elsewhere.state / "here"
    replica = FileKeeper(place / "state.json")
    assert replica.router_id != original.router_id
    assert replica.declared_at("db") == original.declared_at("db")
    assert replica.next_epoch() <= original.next_epoch() + 2, "not ahead as a restored one is"
    assert restored_at(place / "secrets") == restored_at(full.state / "here" / "secrets") == 0
    assert change_of(elsewhere, file, "--as-replica") == "unchanged"
    assert FileKeeper(place / "state.json").router_id == replica.router_id


def test_addresses_of_the_originals_host_are_named_where_it_is_restored_elsewhere(
    here: CommandLine, elsewhere: CommandLine
) -> None:
    usual = saved(here)
    assert "to change in" not in restored(elsewhere, usual, "--as-replica")
    own = CommandLine(here.state / "own")
    own.ok("init", "here", "--bind-ip", "127.0.0.7", "--ingress-bind-ip", "10.0.0.7")
    file = saved(own)
    named = "config/site-here.yaml before the start on another one: ingressBindIp 10.0.0.7, bindIp"
    for flags in ((), ("--as-replica",)):
        other = CommandLine(here.state / f"other{len(flags)}")
        assert f"{named} 127.0.0.7\n" in restored(other, file, *flags)
    assert "to change in" not in restored(own, file)


def test_a_replica_of_a_site_that_was_restored_shares_its_age(
    here: CommandLine, elsewhere: CommandLine, tmp_path: Path
) -> None:
    restored(elsewhere, saved(here))
    age = restored_at(elsewhere.state / "here" / "secrets")
    assert age
    third = CommandLine(tmp_path / "third")
    restored(third, saved(elsewhere, "--force"), "--as-replica")
    assert restored_at(third.state / "here" / "secrets") == age


def test_an_edge_has_no_replica(here: CommandLine, elsewhere: CommandLine) -> None:
    edge = CommandLine(here.state / "edges")
    edge.ok("init", "here", "--router-mode", "edge")
    assert "interior" in restored(elsewhere, saved(edge), "--as-replica", code=2)


def test_peers_of_a_site_are_in_its_document_and_an_odd_one_is_refused(here: CommandLine) -> None:
    here.ok("init", "two", "--peer", "west2.example:55671", "--peer", "[fd00::1]:1")
    text = (here.state / "two" / "config" / "site-two.yaml").read_text()
    assert "peers:" in text and "west2.example:55671" in text
    result = here("init", "three", "--peer", "west2.example")
    assert result.exit_code == 2 and "HOST:PORT" in result.output


def test_peers_and_addresses_of_a_site_are_changed_by_update(here: CommandLine) -> None:
    document = here.state / "here" / "config" / "site-here.yaml"
    said = here.ok("update", "--ingress-host", "w2.example", "--peer", "w1.example:55671").stdout
    assert said == "site here is dialed at w2.example and has routers at w1.example:55671 too\n"
    assert "w2.example" in document.read_text() and "w1.example:55671" in document.read_text()
    assert "unchanged" in here.ok("update", "--peer", "w1.example:55671").stdout
    assert "no other routers" in here.ok("update", "--peer", "none").stdout
    assert "w1.example" not in document.read_text() and "w2.example" in document.read_text()
    result = here("update", "--peer", "w1.example")
    assert result.exit_code == 2 and "HOST:PORT" in result.output
