from pathlib import Path

import pytest

from certs import files, keys
from certs.errors import CertError
from certs.joining.redeem import ClaimDesk, make_request, read_answer
from certs.links.credentials import Credential, LinkStore
from tests.unit.certs.sites import NOW, OTHER_SITE_ID, Site


@pytest.fixture
def links(tmp_path: Path) -> LinkStore:
    return LinkStore(tmp_path / "west" / "secrets" / "links")


def redeemed(east: Site, links: LinkStore, name: str) -> Credential:
    token = links.load(name).token
    key_pem = links.redeeming_key(name)
    _, body = make_request(token, OTHER_SITE_ID, "west", key_pem)
    answer = ClaimDesk(east.grants).answer(token.name, body, "::1", NOW)
    return read_answer(answer.status, answer.body, key_pem, token)


def test_a_claim_has_a_credential_once_it_is_redeemed(east: Site, links: LinkStore) -> None:
    token = east.claim()
    assert links.add("link1", token)
    assert links.load("link1").token == token
    assert links.load("link1").credential is None
    credential = redeemed(east, links, "link1")
    links.complete("link1", credential)
    assert links.load("link1").credential == credential
    assert links.names() == ["link1"]


def test_an_answer_that_was_lost_is_fetched_again_with_the_same_key(
    east: Site, links: LinkStore, tmp_path: Path
) -> None:
    links.add("link1", east.claim())
    lost = redeemed(east, links, "link1")
    reopened = LinkStore(tmp_path / "west" / "secrets" / "links")
    assert redeemed(east, reopened, "link1") == lost


def test_a_certificate_token_is_its_own_credential(east: Site, links: LinkStore) -> None:
    token = east.certificate_token()
    links.add("link1", token)
    credential = links.load("link1").credential
    assert credential is not None
    assert (credential.leaf.key_pem, credential.ca_pem) == (token.key_pem, token.ca_pem)


def test_a_renewed_pair_replaces_that_of_the_token(east: Site, links: LinkStore) -> None:
    links.add("link1", east.certificate_token())
    fresh = east.certificate_token("fresh")
    links.add("other", fresh)
    renewed = links.load("other").credential
    assert renewed is not None
    links.complete("link1", renewed)
    assert links.load("link1").credential == renewed


@pytest.mark.parametrize("left", [b"", b"{", b'{"key":"a","chain":"b","cas":"c"}', b"\xff\x00"])
def test_a_damaged_renewed_pair_leaves_the_one_before(
    east: Site, links: LinkStore, tmp_path: Path, left: bytes
) -> None:
    links.add("link1", east.claim())
    before = redeemed(east, links, "link1")
    links.complete("link1", before)
    renewed = links.load("link1")
    assert renewed.credential is not None
    links.renewed("link1", renewed.credential)
    directory = tmp_path / "west" / "secrets" / "links" / "link1"
    files.write_secret(directory / "renewed.json", left)
    found = links.load("link1")
    assert found.credential == before
    assert "renewed.json" in found.damage
    links.set_aside("link1")
    assert links.load("link1").damage == ""
    assert (directory / "renewed.json.damaged").read_bytes() == left
    files.write_secret(directory / "renewed.json", left)
    (directory / "client.crt").write_text("-----BEGIN CERTIFICATE-----\nAAAA\n")
    assert links.load("link1").credential is None


def test_the_same_token_again_changes_nothing_and_another_is_a_conflict(
    east: Site, links: LinkStore
) -> None:
    token = east.claim()
    assert links.add("link1", token)
    assert not links.add("link1", token)
    with pytest.raises(CertError, match="sitectl link delete link1"):
        links.add("link1", east.claim("second"))


def test_all_files_of_a_link_are_private_and_go_with_it(
    east: Site, links: LinkStore, tmp_path: Path
) -> None:
    directory = tmp_path / "west" / "secrets" / "links" / "link1"
    links.add("link1", east.claim())
    links.complete("link1", redeemed(east, links, "link1"))
    found = {path.name: path.stat().st_mode & 0o777 for path in directory.iterdir()}
    assert found == dict.fromkeys(("token.yaml", "client.key", "client.crt", "ca.crt"), 0o600)
    assert directory.stat().st_mode & 0o777 == 0o700
    assert links.remove("link1")
    assert not directory.exists()
    assert not links.remove("link1")
    assert links.names() == []


def test_leftovers_of_an_old_link_do_not_reach_a_new_one(
    east: Site, links: LinkStore, tmp_path: Path
) -> None:
    links.add("link1", east.claim())
    links.complete("link1", redeemed(east, links, "link1"))
    (tmp_path / "west" / "secrets" / "links" / "link1" / "token.yaml").unlink()
    assert links.names() == []
    links.add("link1", east.claim("second"))
    assert links.load("link1").credential is None


def test_a_missing_link_or_a_wrong_name_is_named(links: LinkStore) -> None:
    with pytest.raises(CertError, match="nobody: has no token here"):
        links.load("nobody")
    for name in ("../x", "", ".hidden", "A", "a/b", "a" * 64):
        with pytest.raises(CertError, match="is no name"):
            links.load(name)


def test_a_key_that_does_not_fit_its_certificate_is_an_error_with_the_next_step(
    east: Site, links: LinkStore, tmp_path: Path
) -> None:
    links.add("link1", east.claim())
    links.complete("link1", redeemed(east, links, "link1"))
    directory = tmp_path / "west" / "secrets" / "links" / "link1"
    files.write_secret(directory / "client.key", keys.to_pem(keys.generate()).encode())
    with pytest.raises(CertError, match="sitectl link delete link1"):
        links.load("link1")
