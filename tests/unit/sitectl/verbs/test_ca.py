"""`sitectl ca`: the changes that it starts and its output, with and without a router."""

import json
import time
from pathlib import Path
from typing import Any

from certs.ca import rotation
from certs.ca.authority import Authority
from certs.ca.ca_files import CaFiles
from certs.certificates import to_der
from certs.links.register import DIRECTORY, Register
from certs.token_files.tokens import read_file
from tests.unit.sitectl.conftest import CommandLine
from tests.unit.sitectl.fakes import FakeAdmin


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


def rotated(secrets: Path) -> None:
    """The CA is replaced, as by a router after `ca rotate --now` beside sites that are away."""
    files = CaFiles(secrets)
    for step in (lambda state: rotation.switched(state, time.time()), rotation.retired):
        before = files.load()
        assert files.change(before, step(before))


def test_what_was_given_out_before_the_ca_was_replaced_is_not_valid(
    here: CommandLine, tmp_path: Path
) -> None:
    secrets = here.state / "here" / "secrets"
    made_at = time.time() - 5
    register, paths = Register(secrets / DIRECTORY), {}
    for kind in ("cert", "claim"):
        paths[kind] = str(tmp_path / f"{kind}.yaml")
        here.ok("token", "create", paths[kind], "--token-type", kind, "--name", kind)
    register.seen("a" * 32, "west", to_der(read_file(Path(paths["cert"])).certificate_pem), made_at)

    def states() -> tuple[str, ...]:
        files = [here.json("token", "status", path)["state"] for path in paths.values()]
        (access,), (token,) = here.json("link", "access"), here.json("token", "list")
        return (*files, token["state"], access["state"])

    good = ("valid", "valid", "open", "valid")
    assert states() == good
    here.ok("ca", "rotate", "--now")
    assert states() == good, "the old CA issues yet"
    rotated(secrets)
    assert states() == ("old-ca",) * 4, "also in the second in which the new CA was made"
    shown = here.ok("token", "status", paths["claim"]).stdout
    assert "State:     old-ca: here has replaced its CA since, and refuses it. Make" in shown
    here.ok("token", "create", paths["claim"], "--name", "later")
    assert here.json("token", "status", paths["claim"])["state"] == "valid"
    here.ok("init", "away")
    shown = here.ok("--site", "away", "token", "status", paths["cert"]).stdout
    assert "Make another there: sitectl token create FILE" in shown, "not at away"


def kept(here: CommandLine) -> dict[str, Any]:
    """What `ca status` shows without a router."""
    result = here("-o", "json", "ca", "status")
    assert result.exit_code == 3, "as other `status` verbs"
    assert "stopped: " in result.stderr
    item: dict[str, Any] = json.loads(result.stdout)["item"]
    return item


def test_status_tells_without_a_router_what_is_kept(here: CommandLine) -> None:
    one = kept(here)
    assert (one["phase"], [c["role"] for c in one["certificates"]]) == ("one", ["issuing"])
    here.ok("ca", "rotate")
    two = kept(here)
    assert (two["phase"], two["waiting"]) == ("announced", [])
    assert [c["role"] for c in two["certificates"]] == ["issuing", "next"]
    assert two["certificates"][0] == one["certificates"][0]
    shown = here("ca", "status").stdout
    assert "announced: both CAs are trusted" in shown
    assert two["certificates"][1]["fingerprint"] in shown


def test_who_waits_for_a_site_is_told_how_not_to(here: CommandLine, admin: FakeAdmin) -> None:
    item = {"phase": "announced", "next": "the next CA issues", "certificates": []}
    away = {"site": {"name": "kiosk", "id": "k1"}, "connected": False, "renews": False}
    for hurried in (False, True):
        admin.item("/api/v1/ca", {**item, "waiting": [away], "hurried": hurried})
        shown = here.ok("ca", "status").stdout
        assert "kiosk" in shown
        assert ("sitectl ca rotate --now" in shown) is not hurried


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
