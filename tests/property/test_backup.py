"""The sealed file: what goes in comes out, and no other byte is taken for it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sitectl.backup import seal
from sitectl.backup.content import decode
from sitectl.base.failure import Failure
from tests.examples import examples

QUICK = seal.Cost("scrypt", seal.SCRYPT_WORK_MIN)
KEY = b"correct horse battery"
SEALED = seal.seal(b"what is in it", KEY, QUICK)
CODES = {"SW0655", "SW0656", "SW0657"}


@settings(max_examples=examples(15))
@given(contents=st.binary(max_size=2_000), passphrase=st.binary(min_size=1, max_size=64))
def test_what_is_sealed_comes_out_again(contents: bytes, passphrase: bytes) -> None:
    assert seal.unseal(seal.seal(contents, passphrase, QUICK), passphrase, "f") == contents


@settings(max_examples=examples(15))
@given(at=st.integers(0, len(SEALED) - 1), bits=st.integers(1, 255))
def test_any_changed_byte_is_found(at: int, bits: int) -> None:
    changed = SEALED[:at] + bytes([SEALED[at] ^ bits]) + SEALED[at + 1 :]
    with pytest.raises(Failure) as failed:
        seal.unseal(changed, KEY, "f")
    assert failed.value.code in CODES


@given(length=st.integers(0, len(SEALED) - 1))
def test_any_cut_file_is_found_before_a_key_is_made(length: int) -> None:
    with pytest.raises(Failure) as failed:
        seal.unseal(SEALED[:length], KEY, "f")
    assert failed.value.code == "SW0656"


@given(more=st.binary(min_size=1, max_size=20))
def test_bytes_behind_the_end_are_found(more: bytes) -> None:
    with pytest.raises(Failure):
        seal.unseal(SEALED + more, KEY, "f")


@settings(max_examples=examples(15))
@given(passphrase=st.binary(min_size=1, max_size=64).filter(lambda other: other != KEY))
def test_no_other_passphrase_opens_it(passphrase: bytes) -> None:
    with pytest.raises(Failure) as failed:
        seal.unseal(SEALED, passphrase, "f")
    assert failed.value.code == "SW0655"


@given(file=st.binary(max_size=200))
def test_no_bytes_make_the_reader_fail_otherwise(file: bytes) -> None:
    for data in (file, seal.MAGIC + file):
        with pytest.raises(Failure):
            seal.unseal(data, KEY, "f")


@given(data=st.binary(max_size=200))
def test_contents_that_make_no_site_are_refused(data: bytes) -> None:
    with pytest.raises(Failure) as failed:
        decode(data, "f")
    assert failed.value.code == "SW0659"


@pytest.mark.parametrize("work", [0, 13, 20, 31, 2**31])
def test_a_file_cannot_ask_for_more_memory_than_the_bound(work: int) -> None:
    """16384 * 2^k * 8 * 128 bytes would be asked for: refused before anything is derived."""
    at = len(seal.MAGIC) + 3
    asking = SEALED[:at] + work.to_bytes(4, "big") + SEALED[at + 4 :]
    with pytest.raises(Failure) as failed:
        seal.unseal(asking, KEY, "f")
    assert failed.value.code == "SW0657"


def test_a_host_in_fips_mode_can_open_what_is_sealed_for_it() -> None:
    sealed = seal.seal(b"x", KEY, seal.Cost("pbkdf2", seal.PBKDF2_ROUNDS_MIN))
    assert seal.unseal(sealed, KEY, "f") == b"x"


def test_what_is_too_large_or_asks_for_too_many_threads_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cost = seal.Cost("scrypt", seal.SCRYPT_WORK_MIN, seal.SCRYPT_PARALLEL_MAX + 1)
    file = seal.seal(b"a", b"passphrase", cost)
    with pytest.raises(Failure, match="key derivation"):
        seal.unseal(file, b"passphrase", "f")
    monkeypatch.setattr(seal, "CONTENTS_BYTES_MAX", 10)
    with pytest.raises(Failure, match="11 bytes"):
        seal.seal(bytes(11), b"passphrase", QUICK)
