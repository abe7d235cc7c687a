import base64
import os
from pathlib import Path

import msgspec
import pytest

from certs import keys
from certs.errors import CertError
from certs.token_files import tokens
from certs.token_files.tokens import Token
from tests.unit.certs.sites import NOW, OTHER_SITE_ID, Site


def refusal(text: str) -> CertError:
    with pytest.raises(CertError) as refused:
        tokens.load(text, "east.yaml")
    assert refused.value.subject.startswith("east.yaml")
    assert refused.value.hint
    return refused.value


def test_tokens_of_both_kinds_survive_their_file(east: Site, tmp_path: Path) -> None:
    for token in (east.claim(), east.claim("free", cost=None), east.certificate_token()):
        assert tokens.load(tokens.dump(token), "east.yaml") == token
        tokens.write_file(tmp_path / "t.yaml", token)
        assert (tmp_path / "t.yaml").stat().st_mode & 0o777 == 0o600
        assert tokens.read_file(tmp_path / "t.yaml") == token


def test_a_claim_is_the_secret_that_skupper_knows(east: Site) -> None:
    text = tokens.dump(east.claim())
    assert "skupper.io/type: token-claim" in text
    assert "skupper.io/url: https://east.example:55671/claims/to-east" in text
    assert f"skupper.io/generated-by: {east.identity.site_id}" in text
    assert "skupper.io/claim-expiration: '2026-09-21T" in text
    assert "skupper.io/cost: '3'" in text
    assert "spillway.dev/endpoints: east.example:55671,[fd00::7]:55671" in text
    assert "inter-router-port: '55671'" in text


def test_a_certificate_token_is_the_secret_that_skupper_knows(east: Site) -> None:
    text = tokens.dump(east.certificate_token())
    assert "skupper.io/type: connection-token" in text
    for key in ("ca.crt", "tls.crt", "tls.key"):
        assert f"  {key}: " in text
    assert "password" not in text


def test_what_a_cluster_adds_to_a_secret_does_no_harm(east: Site) -> None:
    token = east.claim()
    text = tokens.dump(token).replace(
        "metadata:\n",
        "metadata:\n  namespace: shop\n  resourceVersion: '7'\n  finalizers: [a, b]\n",
    )
    assert tokens.load(text, "east.yaml") == token


@pytest.mark.parametrize(
    ("notes", "told"),
    [
        ("", "is not whole: it has no annotation 'spillway.dev/endpoints'"),
        ("skupper.io/cost: '2'", "is not whole: it has no annotation 'spillway.dev/endpoints'"),
        ("skupper.io/site-version: 1.8.1", "is no token of a Spillway site"),
        ("inter-router-host: there.example", "is no token of a Spillway site"),
    ],
)
def test_half_a_token_is_told_from_one_of_skupper(notes: str, told: str) -> None:
    text = f"""
apiVersion: v1
kind: Secret
metadata: {{name: half, labels: {{skupper.io/type: connection-token}}, annotations: {{{notes}}}}}
data: {{ca.crt: eA==}}
"""
    with pytest.raises(CertError) as raised:
        tokens.load(text, "half.yaml")
    assert told in raised.value.reason and raised.value.hint


def test_a_missing_type_label_is_inferred(east: Site) -> None:
    for token in (east.claim(), east.certificate_token()):
        text = tokens.dump(token)
        label = next(line for line in text.splitlines() if "skupper.io/type" in line)
        bare = text.replace(f"  labels:\n{label}\n", "")
        assert bare != text
        assert tokens.load(bare, "east.yaml") == token


def test_secrets_never_show_in_a_representation_or_an_error(east: Site) -> None:
    claim, certificate = east.claim(), east.certificate_token()
    shown = f"{claim!r}{certificate!r}{[claim]}{claim.__rich_repr__()}"
    assert claim.secret not in shown and "PRIVATE" not in shown
    text = tokens.dump(claim).replace("skupper.io/cost: '3'", "skupper.io/cost: '1'")
    assert claim.secret not in str(refusal(text))


def test_a_claim_whose_secret_was_renamed_is_redeemed_under_its_first_name(east: Site) -> None:
    token = east.claim()
    renamed = tokens.dump(token).replace("name: to-east", "name: link1", 1)
    assert tokens.load(renamed, "t") == token


def test_a_cost_that_a_user_wrote_into_a_claim_does_not_spoil_it(east: Site) -> None:
    plain, dear = east.claim("plain", cost=None), east.claim("dear", cost=3)
    priced = tokens.dump(plain).replace(
        "inter-router-port", "skupper.io/cost: '7'\n    inter-router-port"
    )
    assert tokens.load(priced, "t", costs=(None,)) == plain
    cheaper = tokens.dump(dear).replace("skupper.io/cost: '3'", "skupper.io/cost: '1'")
    assert tokens.load(cheaper, "t", costs=(None, 3)) == dear
    with pytest.raises(CertError, match="checksum"):
        tokens.load(cheaper, "t", costs=(None, 2))
    wrong = tokens.dump(dear).replace("skupper.io/cost: '3'", "skupper.io/cost: much")
    assert tokens.load(wrong, "t", costs=(None, 3)) == dear
    assert tokens.fingerprint(dear) == tokens.fingerprint(msgspec.structs.replace(dear, cost=9))
    assert tokens.fingerprint(dear) != tokens.fingerprint(plain)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("skupper.io/cost: '3'", "skupper.io/cost: '1'"),
        ("  skupper.io/cost: '3'\n  ", "  "),
        ("claims/to-east", "claims/to-west"),
        ("site-name: east", "site-name: west"),
        ("claim-expiration: '2026", "claim-expiration: '2036"),
        ("endpoints: east.example:55671,", "endpoints: "),
        ("endpoints: east.example", "endpoints: evil.example"),
        ("url: https://east", "url: http://east"),
        ("url: https://east", "url: https://evil"),
        ("router-host: east.example", "router-host: evil.example"),
        ("router-port: '55671'", "router-port: '55672'"),
        ("claims/to-east", "claims/../to-east"),
        ("generated-by: ", f"generated-by: {OTHER_SITE_ID} # "),
    ],
)
def test_an_edited_claim_is_refused(east: Site, old: str, new: str) -> None:
    text = tokens.dump(east.claim())
    edited = text.replace(old, new)
    assert edited != text
    assert refusal(edited).line > 1


def test_a_claim_with_another_ca_or_secret_is_refused(east: Site, tmp_path: Path) -> None:
    claim = east.claim()
    evil = Site(tmp_path, "evil").authority.ca_pem
    for was, put in ((claim.ca_pem, evil), (claim.secret, tokens.new_secret())):
        old, new = (base64.b64encode(value.encode()).decode() for value in (was, put))
        error = refusal(tokens.dump(claim).replace(old, new))
        assert "changed after it was made" in error.reason


def test_a_secret_with_zeros_after_it_is_not_the_same_secret(east: Site) -> None:
    claim = east.claim()
    padded = msgspec.structs.replace(claim, secret=f"{claim.secret}\0")
    assert tokens.checksum(padded) == tokens.checksum(claim)  # HMAC pads its key with zeros.
    assert "not a claim's" in refusal(tokens.dump(padded)).reason


def test_a_certificate_token_whose_parts_do_not_belong_together_is_refused(
    east: Site, tmp_path: Path
) -> None:
    token = east.certificate_token()
    other = Site(tmp_path, "other")
    leaf = east.authority.issue_server_leaf(east.identity.site_id, NOW)
    for edited, reason in (
        ({"key_pem": keys.to_pem(keys.generate())}, "tls.key does not belong"),
        ({"key_pem": "torn"}, "tls.key does not belong"),
        ({"ca_pem": other.authority.ca_pem}, "not signed by its ca.crt"),
        ({"certificate_pem": leaf.chain_pem, "key_pem": leaf.key_pem}, "not for linking"),
        ({"certificate_pem": "torn"}, "no readable certificate"),
        ({"ca_pem": "torn"}, "no readable certificate"),
    ):
        text = tokens.dump(msgspec.structs.replace(token, **edited))
        assert reason in refusal(text).reason


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("kind: Secret", "kind: ConfigMap", "not a Secret"),
        ("token-claim", "token-claim-record", "not a token's"),
        ("spillway.dev/endpoints", "other/endpoints", "Skupper"),
        ("  password: ", "  passwort: ", "lacks data password"),
        ("  password: ", "  password: '!!!!' # ", "not base64"),
        ("  password: ", "  password: YQ== # ", "not a claim's"),
        ("  spillway.dev/checksum: ", "  x: ", "lacks the annotation spillway.dev/checksum"),
        ("cost: '3'", "cost: '0'", "skupper.io/cost is not right"),
        ("cost: '3'", "cost: '65536'", "skupper.io/cost is not right"),
        ("cost: '3'", "cost: '03'", "skupper.io/cost is not right"),
        ("cost: '3'", "cost: '٣'", "skupper.io/cost is not right"),
        ("cost: '3'", "cost: -3", "skupper.io/cost is not right"),
        ("cost: '3'", "cost: [3]", "lacks the annotation skupper.io/cost"),
        ("claim-expiration: '", "claim-expiration: 'x", "claim-expiration is not right"),
        ("site-name: east", 'site-name: "ea\\e[1mst"', "site-name is not right"),
        ("endpoints: east.example:55671", "endpoints: east.example:0", "endpoints is not right"),
        ("name: to-east", "name: ../x", "metadata.name is not a name"),
        ("\ndata:", "\ndata: []\nold:", "lacks data"),
        ("metadata:", "metadata: text\nold:", "no type label"),
    ],
)
def test_a_wrong_field_is_named(east: Site, old: str, new: str, reason: str) -> None:
    text = tokens.dump(east.claim())
    indented = text.replace(old, new, 1)
    assert indented != text
    assert reason in refusal(indented).reason


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("", 0, "is not a token file"),
        ("[]", 1, "is not a token file: it is not a Secret"),
        ("just text", 0, "is not a token file"),
        ("\ufeffapiVersion: v1", 1, "byte order mark"),
        ("a: 1\nb: !!python/object/apply:os.system [id]", 2, "YAML tag"),
        ("a: !custom x", 1, "YAML tag"),
        ("a: &x [1]\nb: *x", 1, "anchor"),
        ("a: 1\nb: *x", 2, "anchor"),
        ("a: 1\nb: 2\na: 3", 3, "'a' twice"),
        ("? [a]\n: b", 1, "key that is not text"),
        ("a: 1\n---\nb: 2", 2, "more than one document"),
        ("%YAML 1.1\n---\na: 1", 1, "directives"),
        ("a: {{{{{{{{{{{}}}}}}}}}}}", 1, "nested too deeply"),
        ("a: " + "[" * 20_000, 1, "nested too deeply"),
        ("a: 1\n\tb: 2", 2, "is not a token file: it is not YAML"),
        ("a: 'open", 1, "is not a token file: it is not YAML"),
        ("a: \x00", 0, "is not a token file: it is not YAML"),
        ("a: " + "x" * 70_000, 0, "longer than 65536 bytes"),
        ("a: " + "ü" * 40_000, 0, "longer than 65536 bytes"),
    ],
)
def test_hostile_yaml_is_refused_with_its_line(text: str, line: int, reason: str) -> None:
    error = refusal(text)
    assert reason in error.reason
    assert error.line == line


def test_bytes_that_are_no_text_are_refused_with_their_line() -> None:
    with pytest.raises(CertError, match=r"east\.yaml:2: is not a token file: it is not UTF-8"):
        tokens.load_bytes(b"a: 1\nb: \xff", "east.yaml")


def test_a_file_of_ten_megabytes_is_not_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "big.yaml"
    path.write_bytes(b"a: " + b"x" * 10_000_000)
    with pytest.raises(CertError, match="longer than"):
        tokens.read_file(path)


def test_an_expired_or_own_token_names_the_next_step(east: Site) -> None:
    token: Token = east.claim(life_s=60)
    tokens.check_usable(token, OTHER_SITE_ID, NOW + 59)
    with pytest.raises(CertError, match="On east run: sitectl token create"):
        tokens.check_usable(token, OTHER_SITE_ID, NOW + 60)
    with pytest.raises(CertError, match="made by this very site"):
        tokens.check_usable(token, east.identity.site_id, NOW)


def test_values_that_nobody_could_redeem_are_refused_when_made(east: Site) -> None:
    with pytest.raises(CertError, match="is no name"):
        east.claim("No_Name")
    with pytest.raises(CertError, match="cost 0"):
        east.claim(cost=0)
    with pytest.raises(CertError, match="expired when made"):
        east.claim(life_s=0)
    with pytest.raises(CertError, match="uses"):
        east.claim(uses=0)


def test_a_pipe_is_no_token_and_nobody_waits_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path):
        with pytest.raises(CertError, match="no regular file"):
            tokens.read_file(path)
