"""`sitectl ca`: what it begins, what it tells, with and without a router."""

from pathlib import Path

from certs.ca.authority import Authority
from certs.ca.ca_files import CaFiles
from tests.unit.sitectl.conftest import CommandLine


def files_of(here: CommandLine) -> CaFiles:
    (secrets,) = (path.parent for path in Path(here.state).rglob("ca.crt"))
    return CaFiles(secrets)


def test_a_rotation_begins_once_and_is_hurried_once(here: CommandLine) -> None:
    files = files_of(here)
    before = files.load()
    assert "replaces its CA" in here.ok("ca", "rotate").stdout
    begun = files.load()
    assert begun.rotation is not None and not begun.rotation.hurried
    assert begun.ca_pem == before.ca_pem
    assert "already, unchanged" in here.ok("ca", "rotate").stdout
    assert files.load() == begun
    assert "waits no more" in here.ok("ca", "rotate", "--now").stdout
    hurried = files.load()
    assert hurried.rotation is not None and hurried.rotation.hurried
    assert hurried.trusted_pem == begun.trusted_pem
    assert "already, unchanged" in here.ok("ca", "rotate", "--now").stdout


def test_status_tells_without_a_router_what_is_kept(here: CommandLine) -> None:
    one = here.json("ca", "status")
    assert (one["phase"], [c["role"] for c in one["certificates"]]) == ("one", ["issuing"])
    here.ok("ca", "rotate")
    two = here.json("ca", "status")
    assert (two["phase"], two["waiting"]) == ("announced", [])
    assert [c["role"] for c in two["certificates"]] == ["issuing", "next"]
    assert two["certificates"][0] == one["certificates"][0]
    shown = here.ok("ca", "status").stdout
    assert "announced: both CAs are trusted" in shown
    assert two["certificates"][1]["fingerprint"] in shown


def test_waiting_for_a_router_that_does_not_run_says_what_starts_it(here: CommandLine) -> None:
    result = here("ca", "rotate", "--wait", "1")
    assert result.exit_code == 8
    assert "begins when it starts" in result.stderr and "start" in result.stderr


def test_revoking_all_access_in_mid_rotation_leaves_one_new_ca(here: CommandLine) -> None:
    files = files_of(here)
    here.ok("ca", "rotate")
    before = files.load()
    here.ok("--yes", "revoke-access")
    after = files.load()
    assert after.rotation is None
    assert after.ca_pem not in (before.ca_pem, before.other_pem)
    assert Authority.of_state(after, "test").trusted_pem == after.ca_pem
