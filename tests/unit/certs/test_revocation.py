import json
import threading
from pathlib import Path

import pytest

from certs.errors import CertError
from certs.links import revocation
from certs.links.revocation import Revocation, Revocations, Revoked

SITE = "ab" * 16


def test_nobody_is_revoked_at_first(tmp_path: Path) -> None:
    assert not Revocations(tmp_path / "secrets").is_revoked("1f", SITE)


def test_a_serial_or_a_site_is_revoked_for_every_process_at_once(tmp_path: Path) -> None:
    one, two = Revocations(tmp_path / "secrets"), Revocations(tmp_path / "secrets")
    one.add(serials=("1f",))
    assert two.is_revoked("1f", SITE)
    assert not two.is_revoked("2f", SITE)
    two.add(sites=(SITE,))
    assert one.is_revoked("2f", SITE)
    assert one.is_revoked("1f", "cd" * 16)
    assert (tmp_path / "secrets" / "revoked.json").stat().st_mode & 0o777 == 0o600
    assert Revocations(tmp_path / "secrets").is_revoked("2f", SITE)


def test_refresh_tells_whether_the_list_changed(tmp_path: Path) -> None:
    one, two = Revocations(tmp_path / "secrets"), Revocations(tmp_path / "secrets")
    assert not two.refresh()
    one.add(serials=("1f",))
    assert two.refresh()
    assert not two.refresh()
    one.add(serials=("1f",))
    assert not two.refresh()


def test_a_site_may_be_admitted_again_but_its_old_certificates_may_not(tmp_path: Path) -> None:
    revocations = Revocations(tmp_path / "secrets")
    revocations.add(serials=("1f",), sites=(SITE,))
    revocations.apply(Revocation(readmitted=frozenset({SITE})))
    assert not revocations.is_revoked("2f", SITE)
    assert revocations.is_revoked("1f", SITE)


def test_a_damaged_or_open_list_lets_nobody_in(tmp_path: Path) -> None:
    revocations = Revocations(tmp_path / "secrets")
    revocations.add(serials=("1f",))
    path = tmp_path / "secrets" / "revoked.json"
    path.write_bytes(b'{"serials":')
    for _ in range(2):
        with pytest.raises(CertError, match="is damaged"):
            revocations.is_revoked("1f", SITE)
    path.chmod(0o644)
    with pytest.raises(CertError, match="chmod 0600"):
        Revocations(tmp_path / "secrets")


def test_revocations_made_at_once_are_all_kept(tmp_path: Path) -> None:
    def revoke(first: int) -> None:
        mine = Revocations(tmp_path / "secrets")
        for number in range(first, first + 10):
            mine.add(serials=(f"{number:x}",))

    threads = [threading.Thread(target=revoke, args=(first,)) for first in (0, 100, 200, 300)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = Revocations(tmp_path / "secrets")
    assert all(
        found.is_revoked(f"{number:x}", SITE)
        for first in (0, 100, 200, 300)
        for number in range(first, first + 10)
    )


def test_a_list_says_its_format_and_one_of_a_newer_version_is_not_called_damaged() -> None:
    listed = revocation.encode(Revoked(frozenset({"0a"})))
    assert json.loads(listed)["version"] == 1
    assert revocation.decode(b'{"serials": ["0a"]}', "x") == revocation.decode(listed, "x")
    with pytest.raises(CertError, match="written by a newer version \\(format 2, known here: 1"):
        revocation.decode(b'{"version": 2, "keys": []}', "revoked.json")
