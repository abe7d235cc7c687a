"""Backups that were made, or come back, while the CA of the site is replaced."""

import time
from pathlib import Path

import msgspec
import pytest

from certs.ca import rotation
from certs.ca.authority import Authority
from certs.ca.rotation import CaState
from certs.identity import SiteIdentity
from certs.joining import claims
from sitectl.backup.content import BackupOrigin, Content, ca_files, ca_of, decode, encode, revived

NOW = time.time()
IDENTITY, IDENTITY_PEM = SiteIdentity.generate()


def fresh(now: float) -> CaState:
    made, key_pem = Authority.generate(IDENTITY.site_id, now)
    return CaState(key_pem, made.ca_pem)


OLD, NEW = fresh(NOW - 1_000), fresh(NOW)
ANNOUNCED = rotation.announced(OLD, NEW, NOW)
SWITCHED = rotation.switched(ANNOUNCED, NOW + 1)
PHASES = {
    "before": OLD,
    "announced": ANNOUNCED,
    "taken": rotation.with_taken(ANNOUNCED, ["ab" * 16]),
    "switched": SWITCHED,
    "retired": rotation.retired(SWITCHED),
}
ORDER = list(PHASES)


def content(phase: str, **further: object) -> Content:
    ca_key, ca_certificate, ca_rotation = ca_files(PHASES[phase])
    made = Content(
        name="east",
        site_id=IDENTITY.site_id,
        origin=BackupOrigin(),
        identity_key=IDENTITY_PEM.encode(),
        ca_key=ca_key,
        ca_certificate=ca_certificate,
        ca_rotation=ca_rotation,
        documents={},
    )
    return msgspec.structs.replace(made, **further)


@pytest.mark.parametrize("phase", PHASES)
def test_what_is_backed_up_in_any_phase_comes_back_as_it_was(phase: str) -> None:
    read = decode(encode(content(phase)), "f")
    assert ca_of(read) == PHASES[phase]
    assert ca_of(revived(read, None, NOW)) == PHASES[phase]


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("at", PHASES)
def test_a_backup_never_takes_a_rotation_back_to_a_ca_that_was_left(phase: str, at: str) -> None:
    back = ca_of(revived(content(phase), content(at), NOW))
    issuing = max(PHASES[phase], PHASES[at], key=lambda state: state.ca_pem == NEW.ca_pem)
    assert back.ca_pem == issuing.ca_pem
    if PHASES[phase].ca_pem == PHASES[at].ca_pem:
        assert back == PHASES[at]


def test_claims_used_here_since_the_backup_stay_used_across_a_rotation() -> None:
    here = claims.Grant(
        name="t", salt="", digest="", checksum="", expires_at=int(NOW) + 900, uses_left=0
    )
    grants = {"t": claims.encode(here)}
    back = revived(content("switched"), content("announced", grants=grants), NOW)
    assert back.grants == grants


def test_a_backup_without_a_rotation_says_nothing_of_one_so_that_older_versions_read_it() -> None:
    assert b"ca_rotation" not in encode(content("before"))
    assert b"ca_rotation" in encode(content("announced"))


def test_a_backup_whose_rotation_is_damaged_is_refused(tmp_path: Path) -> None:
    from sitectl.base.failure import Failure

    with pytest.raises(Failure) as failed:
        decode(encode(content("announced", ca_rotation=b"{")), "f")
    assert failed.value.code == "SW0659"
