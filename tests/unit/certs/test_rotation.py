import ssl
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from certs import certificates, files, keys, limits
from certs.ca import rotation
from certs.ca.authority import CA_FILES, Authority, Leaf, load_state
from certs.ca.ca_files import CaFiles
from certs.ca.rotation import CaState, Dialer, Rotation
from certs.errors import CertError
from certs.tls import contexts
from tests.unit.certs.sites import NOW, Site

DAY = limits.DAY_S


def fresh(now: float = NOW) -> CaState:
    """A new CA, as `Authority.generate` makes it."""
    made, key_pem = Authority.generate("ab" * 16, now)
    return CaState(key_pem, made.ca_pem)


def shows(client: ssl.SSLContext, server: ssl.SSLContext) -> bytes | None:
    """The certificate that a listener saw of its client; `ssl.SSLError` if one refuses."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    dialer = client.wrap_bio(to_client, to_server)
    listener = server.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(4):
        for side in (dialer, listener):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return listener.getpeercert(binary_form=True)


def client_of(authority: Authority, trusted_pem: str, now: float = NOW) -> ssl.SSLContext:
    """Of a site that ``authority`` gave its certificate to."""
    key = keys.generate()
    chain = authority.issue_client_leaf(key.public_key(), "west", now)
    return contexts.client_context(Leaf(keys.to_pem(key), chain), trusted_pem)


def server_of(authority: Authority, now: float = NOW) -> ssl.SSLContext:
    leaf = authority.issue_server_leaf("ab" * 16, now)
    return contexts.server_context(leaf, authority.trusted_pem)


def authority_of(state: CaState) -> Authority:
    return Authority.of_state(state, "test")


def test_in_each_phase_who_has_taken_the_phase_before_links_by_strict_verification() -> None:
    now = time.time()
    before = fresh(now)
    announced = rotation.announced(before, fresh(now), now)
    switched = rotation.switched(announced, now)
    retired = rotation.retired(switched)
    states = [before, announced, switched, retired]
    for index, held in enumerate(states):
        for at in (index, min(index + 1, 3)):
            given, here = authority_of(held), authority_of(states[at])
            client = client_of(given, given.trusted_pem, now)
            assert shows(client, server_of(here, now)), (index, at)


def test_who_trusts_the_old_ca_alone_is_not_served_by_the_new_one() -> None:
    now = time.time()
    before = fresh(now)
    switched = rotation.switched(rotation.announced(before, fresh(now), now), now)
    old, new = authority_of(before), authority_of(switched)
    with pytest.raises(ssl.SSLCertVerificationError):
        shows(client_of(old, old.trusted_pem, now), server_of(new, now))
    with pytest.raises(ssl.SSLError):
        shows(
            client_of(old, new.trusted_pem, now),
            server_of(authority_of(rotation.retired(switched)), now),
        )


def test_the_old_ca_issues_until_the_switch_and_the_new_one_since() -> None:
    before, new = fresh(), fresh()
    announced = rotation.announced(before, new, NOW)
    assert (announced.key_pem, announced.ca_pem) == (before.key_pem, before.ca_pem)
    assert announced.trusted_pem == before.ca_pem + new.ca_pem
    switched = rotation.switched(announced, NOW + 1)
    assert (switched.key_pem, switched.ca_pem) == (new.key_pem, new.ca_pem)
    assert switched.trusted_pem == new.ca_pem + before.ca_pem
    assert rotation.retired(switched) == new


def test_a_rotation_under_way_is_hurried_and_never_begun_twice() -> None:
    announced = rotation.announced(fresh(), fresh(), NOW)
    assert rotation.announced(announced, fresh(), NOW + 1) == announced
    hurried = rotation.announced(announced, fresh(), NOW + 1, hurried=True)
    assert hurried.rotation is not None and hurried.rotation.hurried
    assert hurried.trusted_pem == announced.trusted_pem
    assert rotation.announced(hurried, fresh(), NOW + 2, hurried=True) == hurried


def west(**changes: object) -> Dialer:
    base = Dialer(site="w", name="west", ends_at=NOW + 400 * DAY)
    return msgspec.structs.replace(base, **changes)


def rotation_at(state: CaState) -> Rotation:
    assert state.rotation is not None
    return state.rotation


def test_it_goes_on_when_all_have_taken_it_or_their_certificates_have_ended() -> None:
    state = rotation.announced(fresh(), fresh(), NOW)
    found = rotation.plan(rotation_at(state), [west()], NOW + DAY)
    assert (found.step, found.waiting) == ("wait", (west(),))
    assert found.until == NOW + limits.CA_OVERLAP_S
    taken = rotation.with_taken(state, ["w"])
    assert rotation.plan(rotation_at(taken), [west()], NOW + DAY).step == "switch"
    ended = west(ends_at=NOW + DAY)
    assert rotation.plan(rotation_at(state), [ended], NOW + DAY - 1).step == "wait"
    assert rotation.plan(rotation_at(state), [ended], NOW + DAY).step == "switch"
    assert rotation.plan(rotation_at(state), [], NOW).step == "switch"


def test_a_site_is_waited_for_until_all_its_links_show_what_one_of_them_shows() -> None:
    taken = rotation.with_taken(rotation.announced(fresh(), fresh(), NOW), ["w"])
    lags = west(connected=True, renews=True, lags=True)
    assert rotation.plan(rotation_at(taken), [lags], NOW).waiting == (lags,)
    hurried = rotation.announced(taken, fresh(), NOW, hurried=True)
    assert rotation.plan(rotation_at(hurried), [lags], NOW).step == "wait"
    last = rotation.plan(rotation_at(hurried), [lags], NOW + limits.CA_HURRIED_S)
    assert last.step == "switch", "it may hang"


def test_nobody_is_waited_for_beyond_the_overlap() -> None:
    state = rotation.switched(rotation.announced(fresh(), fresh(), NOW), NOW)
    end = NOW + limits.CA_OVERLAP_S
    assert rotation.plan(rotation_at(state), [west()], end - 1).step == "wait"
    last = rotation.plan(rotation_at(state), [west()], end)
    assert (last.step, last.waiting) == ("retire", (west(),))


def test_hurried_it_waits_only_for_who_can_take_it_and_not_for_long() -> None:
    state = rotation.announced(fresh(), fresh(), NOW, hurried=True)
    away, old = west(), west(connected=True)
    assert rotation.plan(rotation_at(state), [away, old], NOW).step == "switch"
    linked = west(connected=True, renews=True)
    end = NOW + limits.CA_HURRIED_S
    assert rotation.plan(rotation_at(state), [linked, away], end - 0.1).step == "wait"
    assert rotation.plan(rotation_at(state), [linked, away], end).step == "switch"


def test_a_phase_waits_anew_for_who_had_taken_the_one_before() -> None:
    state = rotation.with_taken(rotation.announced(fresh(), fresh(), NOW), ["w"])
    assert rotation_at(rotation.switched(state, NOW)).taken == frozenset()


def test_a_clock_that_was_set_far_back_holds_no_rotation() -> None:
    state = rotation.announced(fresh(), fresh(), NOW)
    assert rotation.plan(rotation_at(state), [west()], NOW - 31 * DAY).step == "switch"


def test_it_begins_by_itself_at_two_thirds_of_the_life() -> None:
    ca_pem = fresh().ca_pem
    due = certificates.renewal_at(ca_pem)
    assert NOW + 486 * DAY < due < NOW + 487 * DAY
    assert not rotation.is_due(ca_pem, due - 1)
    assert rotation.is_due(ca_pem, due)


@pytest.mark.parametrize("data", [b"", b"{}", b"\xff", b'{"phase":"over"}'])
def test_a_damaged_rotation_is_named(data: bytes) -> None:
    with pytest.raises(CertError, match="rotation: is damaged"):
        rotation.decode(data, "rotation")


def test_a_rotation_of_a_newer_version_is_refused_with_the_way_out() -> None:
    with pytest.raises(CertError, match="newer version"):
        rotation.decode(b'{"version":2}', "rotation")


def test_no_key_shows_in_what_is_printed_of_a_rotation() -> None:
    state = rotation.announced(fresh(), fresh(), NOW)
    assert "PRIVATE" not in repr(state) + repr(state.rotation)


# On disk ------------------------------------------------------------------------------------


def steps(now: float = NOW) -> list[Callable[[CaState], CaState]]:
    """All changes that a stored CA can see, in order."""
    new = fresh(now)
    return [
        lambda state: rotation.announced(state, new, now),
        lambda state: rotation.with_taken(state, ["w"]),
        lambda state: rotation.announced(state, new, now, hurried=True),
        lambda state: rotation.switched(state, now + 1),
        lambda state: rotation.with_taken(state, ["w"]),
        rotation.retired,
    ]


class Killed(Exception):
    """The process died here."""


def test_killed_at_any_write_what_is_read_is_the_state_before_or_after(
    east: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole_write = files.write_secret
    store = CaFiles(east.secrets)
    left = 0

    def write(path: Path, data: bytes, *, replace: bool = True) -> None:
        nonlocal left
        if not left:
            raise Killed
        left -= 1
        whole_write(path, data, replace=replace)

    for step in steps():
        before = store.load()
        after = step(before)
        for writes in range(5):
            left = writes
            monkeypatch.setattr(files, "write_secret", write)
            try:
                finished = store.change(before, after)
            except Killed:
                finished = False
            monkeypatch.setattr(files, "write_secret", whole_write)
            found = load_state(east.secrets)
            assert found in (before, after)
            Authority.load(east.secrets)  # Key and certificate fit.
            if found == after:
                before = after  # The next change finishes it.
            if finished:
                break
        assert store.change(before, after) and store.load() == after
    for name in CA_FILES[:2]:
        assert (east.secrets / name).stat().st_mode & 0o777 == 0o600
    assert not (east.secrets / CA_FILES[2]).exists()


def test_the_old_key_is_nowhere_once_the_new_ca_issues(east: Site) -> None:
    store = CaFiles(east.secrets)
    state = store.load()
    old_key = state.key_pem
    for step in steps()[:4]:
        state, before = step(state), state
        assert store.change(before, state)
    held = "".join(path.read_text() for path in east.secrets.glob("*") if path.is_file())
    assert "".join(old_key.split()[4:8]) not in "".join(held.split())
    assert state.rotation is not None and state.rotation.key == ""


def test_of_two_who_change_it_at_once_one_is_told_that_it_was_late(east: Site) -> None:
    store = CaFiles(east.secrets)
    before = store.load()
    one, other = (rotation.announced(before, fresh(), NOW) for _ in range(2))
    assert store.change(before, one)
    assert not store.change(before, other)
    assert store.load() == one


def test_a_rotation_of_another_ca_counts_for_nothing(east: Site) -> None:
    store = CaFiles(east.secrets)
    before = store.load()
    announced = rotation.announced(before, fresh(), NOW)
    for state in (announced, rotation.switched(announced, NOW)):
        alien = fresh()
        files.write_secret(east.secrets / "ca-rotation.json", rotation.encode(rotation_at(state)))
        files.write_secret(east.secrets / "ca.key", alien.key_pem.encode())
        files.write_secret(east.secrets / "ca.crt", alien.ca_pem.encode())
        assert store.load() == alien
        assert Authority.load(east.secrets).trusted_pem == alien.ca_pem


def test_another_ca_at_once_ends_a_rotation_too(east: Site) -> None:
    store = CaFiles(east.secrets)
    before = store.load()
    assert store.change(before, rotation.announced(before, fresh(), NOW))
    store.replace(east.identity.site_id, NOW)
    after = store.load()
    assert after.rotation is None and after.ca_pem != before.ca_pem
    assert not (east.secrets / "ca-rotation.json").exists()


def test_a_token_made_during_a_rotation_carries_both_cas(east: Site) -> None:
    store = CaFiles(east.secrets)
    before = store.load()
    assert store.change(before, rotation.announced(before, fresh(), NOW))
    east.authority = Authority.load(east.secrets)
    token = east.certificate_token()
    assert len(certificates.read_all(token.ca_pem)) == 2
    assert token.ca_pem == east.authority.trusted_pem
