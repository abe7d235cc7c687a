"""The register of sites that may link here: its content, its bounds and its integrity."""

import os
from pathlib import Path

import msgspec
import pytest

from certs import certificates, keys, limits
from certs.errors import CertError
from certs.links.register import Admitted, Register, joined
from tests.unit.certs.sites import NOW, Site

WEST = "11" * 16
WEEK_S = limits.LINK_LEAF_LIFE_S


@pytest.fixture
def register(tmp_path: Path) -> Register:
    return Register(tmp_path / "admitted")


def chain_of(east: Site, now: float, site_id: str | None = WEST, token: str = "to-east") -> str:
    key = keys.generate().public_key()
    return east.authority.issue_client_leaf(
        key, token, now, site_id=site_id, expires_at=now + WEEK_S
    )


def test_who_links_is_entered_with_the_token_that_let_it_in(east: Site, register: Register) -> None:
    chain = chain_of(east, NOW, site_id=None, token="shared")
    register.seen(WEST, "west", certificates.to_der(chain), NOW)
    entry = register.get(WEST)
    assert entry is not None
    assert (entry.name, entry.by, entry.since, entry.seen) == ("west", "shared", NOW, NOW)
    assert entry.serials == (certificates.serial_of(chain),)
    assert entry.expires == NOW + WEEK_S and register.sites() == [WEST]


def test_a_site_that_came_by_several_tokens_is_known_by_each(
    east: Site, register: Register
) -> None:
    for token in ("first", "second", "first"):
        chain = chain_of(east, NOW, token=token)
        register.seen(WEST, "west", certificates.to_der(chain), NOW)
    entry = register.get(WEST)
    assert entry is not None and entry.by == "first"
    assert entry.tokens == ("second", "first"), "that of the newest certificate last"


def test_last_seen_is_written_once_a_day_and_a_new_certificate_at_once(
    east: Site, register: Register
) -> None:
    first, second = (certificates.to_der(chain_of(east, NOW)) for _ in range(2))
    register.seen(WEST, "west", first, NOW)
    for after_s, seen in ((limits.SEEN_EACH_S - 1, NOW), (limits.SEEN_EACH_S, None)):
        register.seen(WEST, "west", first, NOW + after_s)
        entry = register.get(WEST)
        assert entry is not None and entry.seen == (seen or NOW + after_s)
    register.seen(WEST, "west", second, NOW + limits.SEEN_EACH_S + 1)
    entry = register.get(WEST)
    assert entry is not None and len(entry.serials) == 2


def test_a_site_that_was_deleted_is_gone_until_it_links_again(
    east: Site, register: Register
) -> None:
    chain = certificates.to_der(chain_of(east, NOW))

    def is_gone() -> bool:
        entry = register.get(WEST)
        assert entry is not None
        return entry.is_gone

    assert not register.deleted(WEST, NOW), "it was never here"
    register.seen(WEST, "west", chain, NOW)
    assert not is_gone()
    assert register.deleted(WEST, NOW - 9.0) and is_gone(), "by a clock that was set back"
    assert not register.deleted(WEST, NOW + 5.0)
    assert register.seen(WEST, "west", chain, NOW + 10.0) and not is_gone()
    assert register.deleted(WEST, NOW + 60.0) and is_gone(), "by a clock that is ahead"
    assert register.seen(WEST, "west", chain, NOW + 20.0) and not is_gone()


def test_both_copies_of_an_entry_know_whether_the_site_is_gone() -> None:
    here = Admitted(site_id=WEST, name="west", by="t", since=1.0, seen=5.0)
    gone = msgspec.structs.replace(here, left=7.0)
    back = msgspec.structs.replace(here, seen=9.0)
    for one, other, is_gone in ((here, gone, True), (gone, back, False), (here, back, False)):
        assert joined(one, other).is_gone == joined(other, one).is_gone == is_gone


def test_a_certificate_that_ended_leaves_when_another_comes(east: Site, register: Register) -> None:
    register.keep(WEST, "west", chain_of(east, NOW), NOW)
    register.keep(WEST, "west", chain_of(east, NOW + WEEK_S), NOW + WEEK_S)
    entry = register.get(WEST)
    assert entry is not None and len(entry.issued) == 1 and entry.renewed == NOW + WEEK_S


def test_of_too_many_certificates_the_oldest_is_given_back_to_be_revoked(
    east: Site, register: Register
) -> None:
    chains = [chain_of(east, NOW) for _ in range(limits.ISSUED_PER_SITE_MAX + 1)]
    dropped = [register.keep(WEST, "west", chain, NOW) for chain in chains]
    assert dropped[:-1] == [()] * limits.ISSUED_PER_SITE_MAX
    assert dropped[-1] == (chains[0],)
    entry = register.get(WEST)
    assert entry is not None and len(entry.issued) == limits.ISSUED_PER_SITE_MAX


def test_the_register_takes_so_many_sites_and_no_more(
    east: Site, register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "ADMITTED_MAX", 3)
    chain = chain_of(east, NOW)
    for number in range(3):
        register.keep(f"{number:032x}", "west", chain, NOW)
    register.keep(f"{0:032x}", "west", chain_of(east, NOW), NOW)  # One that is there.
    with pytest.raises(CertError, match="may link here already"):
        register.keep(f"{3:032x}", "west", chain, NOW)


def test_a_site_id_never_leaves_the_directory(east: Site, register: Register) -> None:
    assert register.get("../../identity") is None


def test_a_damaged_entry_is_named_and_spoils_no_other(
    east: Site, register: Register, tmp_path: Path
) -> None:
    register.keep(WEST, "west", chain_of(east, NOW), NOW)
    other = "22" * 16
    register.keep(other, "north", chain_of(east, NOW, other), NOW)
    path = tmp_path / "admitted" / f"{WEST}.json"
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(CertError, match="is damaged"):
        register.get(WEST)
    assert register.get(other) is not None


def test_a_crash_at_any_write_leaves_the_entry_before_or_after(
    east: Site, register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    register.keep(WEST, "west", chain_of(east, NOW), NOW)
    before = register.get(WEST)

    def crash(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    for call in ("replace", "fsync", "rename"):
        with monkeypatch.context() as broken:
            broken.setattr(os, call, crash)
            try:
                register.keep(WEST, "west", chain_of(east, NOW), NOW)
            except KeyboardInterrupt:
                after = register.get(WEST)
                assert after is not None and before is not None
                assert after == before or after.serials[:-1] == before.serials
                before = after
            else:
                before = register.get(WEST)
