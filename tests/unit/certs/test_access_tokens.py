"""Claims as AccessTokens of Skupper v2: the same claim, in three fields."""

from pathlib import Path

import msgspec
import pytest
import yaml

from certs.errors import CertError
from certs.joining.redeem import ClaimDesk, make_request, read_answer
from certs.token_files import access_tokens, tokens
from router.documents.skupper2 import links
from router.model import limits as router_limits
from tests.unit.certs.sites import NOW, OTHER_SITE_ID, Site


def fields(east: Site) -> tuple[str, str, str]:
    spec = access_tokens.as_object(east.claim(), "shop")["spec"]
    return spec["url"], spec["code"], spec["ca"]


def test_a_claim_survives_its_three_fields_and_its_file(east: Site, tmp_path: Path) -> None:
    for token in (east.claim(), east.claim("free", cost=None)):
        made = access_tokens.as_object(token, "shop")
        assert (made["kind"], made["metadata"]) == ("AccessToken", {"name": "shop"})
        spec = made["spec"]
        assert spec.get("linkCost") == token.cost
        assert access_tokens.read(spec["url"], spec["code"], spec["ca"], "shop") == token
        text = access_tokens.dump(token, "shop")
        assert "ca: |\n" in text and yaml.safe_load(text) == made
        assert access_tokens.load(text, "shop.yaml") == token
        (tmp_path / "shop.yaml").write_text(text)
        assert access_tokens.read_file(tmp_path / "shop.yaml") == token


def test_a_token_file_of_the_other_form_is_read_too(east: Site) -> None:
    token = east.claim()
    assert access_tokens.load(tokens.dump(token), "east.yaml") == token


def test_its_url_bears_our_mark_and_leads_to_the_first_endpoint(east: Site) -> None:
    url, _, _ = fields(east)
    assert url.startswith("https://east.example:55671/spillway/claims/to-east?")
    assert access_tokens.is_ours(url) and links.is_ours(url)
    assert links.ACCESS_PATH == access_tokens.PATH
    assert "[fd00::7]:55671" in url, "people can read where it leads"


def test_the_claim_in_it_is_redeemed_as_any_other(east: Site) -> None:
    token = access_tokens.read(*fields(east), "shop")
    key_pem, body = make_request(token, OTHER_SITE_ID, "west")
    answer = ClaimDesk(east.grants).answer(token.name, body, "10.0.0.9", NOW + 1)
    assert answer.outcome == "redeemed"
    assert read_answer(answer.status, answer.body, key_pem, token).leaf.key_pem == key_pem


def test_the_private_key_stays_with_the_site_that_redeems(east: Site) -> None:
    assert "PRIVATE KEY" not in access_tokens.dump(east.claim(), "shop")


@pytest.mark.parametrize("cut", ["", "\n\n"])
def test_how_a_tool_ends_the_block_of_the_ca_does_not_matter(east: Site, cut: str) -> None:
    url, code, ca = fields(east)
    assert access_tokens.read(url, code, ca.strip() + cut, "shop").site_name == "east"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("name=east", "name=oast"),
        ("east.example", "other.example"),
        ("until=17", "until=27"),
        ("cost=3", "cost=1"),
        ("&sum=", "&sum=0"),
        ("[fd00::7]", "[fd00::8]"),
        ("/to-east", "/to-west"),
        ("site=", "site=g"),
        ("until=", "until=-"),
        ("sum=", "sun="),
        ("?", "/"),
        ("https", "http"),
        ("/spillway/", "/"),
    ],
)
def test_one_that_was_edited_is_refused(east: Site, old: str, new: str) -> None:
    url, code, ca = fields(east)
    assert old in url
    with pytest.raises(CertError) as refused:
        access_tokens.read(url.replace(old, new, 1), code, ca, "shop")
    assert "not whole" in refused.value.reason or "was changed" in refused.value.reason
    assert code not in str(refused.value)


def test_another_code_or_ca_is_refused(east: Site, tmp_path: Path) -> None:
    url, code, ca = fields(east)
    other = Site(tmp_path / "o", "other").claim().ca_pem
    for told in ((url, code[:-1] + "!", ca), (url, tokens.new_secret(), ca), (url, code, other)):
        with pytest.raises(CertError, match="was changed"):
            access_tokens.read(*told, "shop")


def test_a_token_of_a_skupper_site_is_named_with_the_next_step() -> None:
    text = "apiVersion: skupper.io/v2alpha1\nkind: AccessToken\nmetadata: {name: t}\nspec:\n"
    text += "  url: https://10.0.0.1:9090/9f3a\n  code: c\n  ca: c\n"
    with pytest.raises(CertError) as refused:
        access_tokens.load(text, "t.yaml")
    assert "no token of a Spillway site" in str(refused.value) and refused.value.line == 5
    assert "sitectl token create FILE" in refused.value.hint


def test_a_grant_may_have_as_many_redemptions_as_a_claim(east: Site) -> None:
    most = router_limits.ACCESS_REDEMPTIONS_MAX
    assert east.claim("most", uses=most).name == "most"
    with pytest.raises(CertError, match="uses"):
        east.claim("more", uses=most + 1)


def test_costs_of_people_do_not_change_the_claim(east: Site) -> None:
    token = east.claim(cost=None)
    text = access_tokens.dump(token, "shop") + "  linkCost: 7\n"
    assert access_tokens.load(text, "shop.yaml") == msgspec.structs.replace(token, cost=None)
