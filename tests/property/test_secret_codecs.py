"""Codecs read back their own output; errors name the missing or spoiled Secret and key."""

import base64
import builtins
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from certs import keys
from certs.ca import rotation
from certs.ca.authority import Authority, Leaf
from certs.ca.rotation import CaState
from certs.identity import SiteIdentity
from certs.joining.claims import Grant, Redemption
from certs.links import proxies
from certs.links.credentials import Credential
from certs.links.proxies import ProxyLogin
from certs.links.register import Admitted, Issued
from certs.links.revocation import Revoked
from certs.tls.service_tls import Contents
from router.kubernetes.codecs import (
    grant,
    identity,
    link,
    proxy,
    register,
    revoked,
    service_tls,
    status,
    token,
)
from router.kubernetes.codecs.secrets import SecretError, data_of, encoded, proxy_secret
from router.model import limits
from tests.unit.certs.sites import NOW, Site

SITE_IDS = st.text("0123456789abcdef", min_size=32, max_size=32)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)
SERIALS = st.text("0123456789abcdef", min_size=1, max_size=40)
LINES = st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=20)

GRANTS = st.builds(
    Grant,
    name=st.text("abc-", min_size=1, max_size=10).map(lambda text: f"a{text}a"),
    salt=SERIALS,
    digest=SERIALS,
    checksum=SERIALS,
    expires_at=st.integers(0, 2**40),
    uses_left=st.integers(0, 100),
    cost=st.none() | st.integers(1, 99),
    tries=st.integers(0, 9),
    revoked=st.booleans(),
    redeemed=st.lists(
        st.builds(
            Redemption, key=SERIALS, site_id=SITE_IDS, site_name=TEXTS, serial=SERIALS, chain=TEXTS
        ),
        max_size=3,
    ).map(tuple),
)
REVOKED = st.builds(Revoked, serials=st.frozensets(SERIALS), sites=st.frozensets(SITE_IDS))
ISSUED = st.builds(
    Issued, key=SERIALS, serial=SERIALS, expires=st.floats(0, 1e11), chain=st.just("")
)
ADMITTED = st.builds(
    Admitted,
    site_id=SITE_IDS,
    name=TEXTS,
    by=TEXTS,
    since=st.floats(0, 1e11),
    issued=st.lists(ISSUED, max_size=3).map(tuple),
)
LOGINS = st.builds(ProxyLogin, proxy=LINES, user=LINES, password=LINES, ca_pem=LINES)
FILES = st.binary(max_size=20)


def new_ca(site_id: str) -> CaState:
    made, key_pem = Authority.generate(site_id, NOW)
    return CaState(key_pem, made.ca_pem)


class Whole(NamedTuple):
    """A Secret of each kind that has keys that must be there, and how it is read."""

    secret: dict[str, Any]
    read: Callable[[dict[str, Any]], object]
    keys: tuple[str, ...]


@pytest.fixture(scope="module")
def who() -> identity.Identity:
    site, key_pem = SiteIdentity.generate()
    return identity.made_of(key_pem, new_ca(site.site_id), b"17")


@pytest.fixture(scope="module")
def a_link(tmp_path_factory: pytest.TempPathFactory) -> link.LinkKey:
    east = Site(tmp_path_factory.mktemp("codecs"))
    leaf = Leaf(key_pem=keys.to_pem(keys.generate()), chain_pem="chain")
    return link.LinkKey(east.claim(), leaf.key_pem, Credential(leaf, "ca"))


@pytest.fixture(scope="module")
def every(who: identity.Identity, a_link: link.LinkKey) -> list[Whole]:
    under_way = rotation.announced(who.ca, new_ca(who.site_id), NOW)
    rotating = identity.with_ca(identity.secret(who), under_way)
    granted = Grant(name="a", salt="", digest="", checksum="", expires_at=1, uses_left=1)
    entry = Admitted(site_id="e" * 32, name="east", by="a", since=1.0)
    (admitted,) = register.secrets({entry.site_id: entry})
    return [
        Whole(rotating, identity.decode, ("identity.key", "ca.key", "ca.crt")),
        Whole(grant.secret(granted), grant.decode, ("grant.json",)),
        Whole(revoked.secret(Revoked()), revoked.decode, ("revoked.json",)),
        Whole(admitted, register.decode, ()),
        Whole(link.secret("west", a_link, "uid"), link.decode, ("token.yaml", "client.key")),
    ]


@given(granted=GRANTS)
def test_a_grant_reads_back(granted: Grant) -> None:
    found = grant.secret(granted)
    assert grant.decode(found) == granted
    marked = {**found, "metadata": {**found["metadata"], "resourceVersion": "7"}}
    marked["data"] = {**found["data"], "other": "bm8="}
    used = msgspec.structs.replace(granted, uses_left=granted.uses_left + 1)
    changed = grant.changed(marked, used)
    assert grant.decode(changed) == used
    assert changed["metadata"] == marked["metadata"] and data_of(changed)["other"] == b"no"


@given(listed=REVOKED, after=REVOKED)
def test_a_list_of_the_revoked_reads_back(listed: Revoked, after: Revoked) -> None:
    found = revoked.secret(listed)
    assert revoked.decode(found) == listed
    assert revoked.decode(revoked.changed(found, after)) == after


@given(entries=st.lists(ADMITTED, max_size=8))
def test_a_register_reads_back(entries: list[Admitted]) -> None:
    by_site = {entry.site_id: entry for entry in entries}
    secrets = register.secrets(by_site)
    read: dict[str, Admitted] = {}
    for found in secrets:
        read |= register.decode(found)
        assert register.usable(found) == list(register.decode(found).values())
    assert read == by_site
    assert len(secrets) <= 16


@given(login=LOGINS, other=LINES)
def test_a_login_of_a_proxy_reads_back(login: ProxyLogin, other: str) -> None:
    read = proxy.decode(proxy_secret("west", proxy.encode(login)), other)
    assert read == msgspec.structs.replace(login, proxy=login.proxy or other)
    assert proxies.decode(proxies.encode(read), "") == read


@given(certificate=FILES, key=FILES, ca=FILES)
def test_a_credential_of_a_service_reads_back(certificate: bytes, key: bytes, ca: bytes) -> None:
    contents = Contents("Secret/shop", certificate, key, ca)
    found = service_tls.secret("shop", contents)
    assert service_tls.decode("shop", found) == contents
    assert (found["type"] == "kubernetes.io/tls") == bool(certificate and key)


def test_an_identity_reads_back_in_a_rotation_or_not(who: identity.Identity) -> None:
    found = identity.secret(who)
    assert identity.decode(found) == who
    assert identity.site_id(found) == who.site_id
    under_way = rotation.announced(who.ca, new_ca(who.site_id), NOW)
    for state in (under_way, rotation.switched(under_way, NOW), new_ca(who.site_id)):
        found = identity.with_ca(found, state)
        assert identity.decode(found) == msgspec.structs.replace(who, ca=state)
        assert identity.ca(found) == state


@given(told=st.dictionaries(TEXTS, TEXTS | st.integers(-99, 99) | st.booleans(), max_size=5))
@example(told={"stopped": ""})
def test_a_status_reads_back(told: dict[str, Any]) -> None:
    """The given fields, beside three that the codec itself sets, whatever value they had."""
    written_at = datetime(2026, 1, 1, tzinfo=UTC)
    until = (written_at + timedelta(seconds=limits.STATUS_VALID_S)).isoformat()[:19] + "Z"
    own = {"stopped": False, "writtenAt": "2026-01-01T00:00:00Z", "validUntil": until}
    found = status.config_map(status.encode(told, written_at))
    read = status.decode(found)
    assert read == {**told, **own}
    assert status.written_at(found) == written_at.timestamp()
    assert status.valid_until(read) == written_at.timestamp() + limits.STATUS_VALID_S
    stopped = status.decode(status.config_map(status.stopped(read, written_at)))
    assert (stopped[status.STOPPED], status.valid_until(stopped)) == (True, None)


@pytest.mark.parametrize("data", [None, [], {}, {"status.json": 1}, {"status.json": "[1"}])
def test_a_status_of_somebody_else_says_nothing(data: object) -> None:
    found = {**status.config_map({}), "data": data}
    assert status.decode(found) == {} == status.decode(None)
    assert status.written_at(found) is None is status.written_at(None)


def test_an_id_can_be_read_while_the_ca_is_damaged(who: identity.Identity) -> None:
    found = identity.secret(who)
    found["data"]["ca.crt"] = "bm8="
    assert identity.site_id(found) == who.site_id


def test_a_links_key_reads_back_with_and_without_a_credential(a_link: link.LinkKey) -> None:
    for held in (a_link, msgspec.structs.replace(a_link, credential=None)):
        assert link.decode(link.secret("west", held, "uid")) == held


@pytest.mark.parametrize("cost", [None, 3])
def test_a_token_reads_back_under_the_name_of_its_link(cost: int | None, tmp_path: Any) -> None:
    east = Site(tmp_path)
    claimed, certified = east.claim(cost=cost), east.certificate_token("other")
    assert token.decode(token.secret(claimed, "west")) == claimed
    renamed = msgspec.structs.replace(certified, name="west")
    assert token.decode(token.secret(certified, "west")) == renamed


def spoiled(found: dict[str, Any], key: str, text: str | None) -> dict[str, Any]:
    data = {**found["data"], key: text}
    return {**found, "data": {k: value for k, value in data.items() if value is not None}}


@pytest.mark.parametrize("text", ["%%%", "bm8=", "/w=="])
def test_what_is_spoiled_is_named_by_secret_and_key(every: list[Whole], text: str) -> None:
    checked = 0
    for whole in every:
        for key in whole.secret["data"]:
            is_links = "client.key" in whole.keys and key in ("client.crt", "ca.crt")
            if is_links or key == "restored":
                continue  # Texts that are passed on as they are.
            with pytest.raises(SecretError) as refused:
                whole.read(spoiled(whole.secret, key, text))
            name = whole.secret["metadata"]["name"]
            assert (refused.value.source, refused.value.path) == (f"Secret/{name}", f"data[{key}]")
            assert refused.value.subject == f"Secret/{name}: data[{key}]"
            finding = refused.value.finding
            assert (finding.source, finding.path) == (refused.value.source, refused.value.path)
            assert finding.hint and finding.code.startswith("SW04")
            checked += 1
    assert checked == 9


def test_what_is_missing_is_named_by_secret_and_key(every: list[Whole]) -> None:
    for whole in every:
        for key in whole.keys:
            with pytest.raises(SecretError, match="is missing") as refused:
                whole.read(spoiled(whole.secret, key, None))
            name = whole.secret["metadata"]["name"]
            assert refused.value.subject == f"Secret/{name}: data[{key}]"
            assert refused.value.hint


def test_no_error_has_what_is_secret(every: list[Whole], who: identity.Identity) -> None:
    marker = base64.b64encode(b"planted-secret").decode()
    for whole in every:
        for key in whole.secret["data"]:
            try:
                whole.read(spoiled(whole.secret, key, marker))
            except SecretError as error:
                assert "planted" not in str(error) + str(error.finding)
    assert "PRIVATE" not in repr(who)


def test_a_damaged_entry_of_the_register_hides_no_other() -> None:
    sites = ["e" * 32, "e" * 31 + "1"]
    entries = {site: Admitted(site_id=site, name="", by="", since=0.0) for site in sites}
    (found,) = register.secrets(entries)
    for text in ("%%%", "bm8="):
        damaged = spoiled(found, sites[0], text)
        assert [entry.site_id for entry in register.usable(damaged)] == sites[1:]


def test_an_entry_in_the_wrong_place_is_damage() -> None:
    entry = Admitted(site_id="e" * 32, name="", by="", since=0.0)
    (found,) = register.secrets({entry.site_id: entry})
    for key in ("e" * 31 + "1", "f" * 32, "x"):
        moved = {**found, "data": encoded({key: register.encode(entry)})}
        with pytest.raises(SecretError):
            register.decode(moved)


def test_codecs_do_no_input_or_output_and_know_no_clock(
    every: list[Whole], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object, **named: object) -> Any:
        raise AssertionError("a codec touched the world")

    with monkeypatch.context() as patched:
        patched.setattr(builtins, "open", refuse)
        patched.setattr(os, "open", refuse)
        patched.setattr(os, "stat", refuse)
        patched.setattr(time, "time", refuse)
        for whole in every:
            whole.read(whole.secret)
        found = every[0].secret
        identity.with_ca(found, identity.decode(found).ca)
        identity.secret(identity.decode(found))
        grant.changed(every[1].secret, grant.decode(every[1].secret))
        revoked.changed(every[2].secret, revoked.decode(every[2].secret))
        register.secrets(register.decode(every[3].secret))
        held = link.decode(every[4].secret)
        link.secret("west", held, "uid")
        token.decode(token.secret(held.token, "west"))
