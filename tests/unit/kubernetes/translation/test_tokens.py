"""Secrets with tokens: links, requests, and others."""

from typing import Any

import pytest

from certs.errors import CertError
from certs.token_files import tokens
from router.model import limits
from router.model.specs import LinkSpec
from tests.unit.kubernetes.namespace_objects import (
    OWN_SITE,
    documents,
    links_of,
    made,
    picture,
    told,
)


def token(name: str = "east", kind: str = "token-claim") -> dict[str, Any]:
    annotations = {"skupper.io/generated-by": "f" * 32, "spillway.dev/site-name": "east"}
    data = {"ca.crt": "Y2E=", "password": "c2VjcmV0"}
    return made(
        "Secret",
        name,
        annotations,
        labels={"skupper.io/type": kind},
        data=data,
        type="Opaque",
    )


@pytest.mark.parametrize("kind", ["token-claim", "connection-token"])
def test_a_token_is_a_link_of_the_secrets_name(kind: str) -> None:
    found = picture(token(kind=kind))
    assert links_of(found) == {"east": LinkSpec()}
    assert found.tokens["east"].uid == "uid-east"
    assert found.errors == ()
    assert "c2VjcmV0" not in repr(found)


def test_its_text_is_a_token_file() -> None:
    text = picture(token()).tokens["east"].text
    with pytest.raises(CertError) as refused:
        tokens.load(text, "east")
    assert "YAML" not in str(refused.value)  # It parses; its content is no real token.


def test_what_tools_write_onto_a_secret_is_no_part_of_the_token() -> None:
    marked = made_with({"kubectl.kubernetes.io/last-applied-configuration": "x" * 70_000})
    marked["metadata"]["labels"]["app.kubernetes.io/instance"] = "argo"
    assert picture(marked).tokens == picture(token()).tokens


def test_cost_and_state_are_live_annotations() -> None:
    links = links_of(picture(made_with({"skupper.io/cost": "7"})))
    assert links == {"east": LinkSpec(cost=7)}
    links = links_of(picture(made_with({"internal.skupper.io/disabled": "true"})))
    assert links == {"east": LinkSpec(disabled=True)}


def test_the_proxy_of_a_link_is_an_annotation_and_its_password_never_is() -> None:
    notes = {"spillway.dev/link-proxy": "http://Proxy:3128/", "spillway.dev/link-proxy-secret": "p"}
    found = picture(made_with(notes))
    assert links_of(found) == {"east": LinkSpec(proxy="http://proxy:3128")}
    assert found.tokens["east"].proxy_secret == "p"
    for wrong in ("http://me:planted@proxy:3128", "socks://planted"):
        found = picture(made_with({"spillway.dev/link-proxy": wrong}))
        assert links_of(found) == {"east": LinkSpec()}
        (error,) = found.errors
        assert "planted" not in f"{error} {error.hint}"


def made_with(notes: dict[str, str]) -> dict[str, Any]:
    found = token()
    found["metadata"]["annotations"].update(notes)
    return found


@pytest.mark.parametrize("cost", ["0", "x", str(limits.COST_WRITTEN_MAX + 1), "1.5", "-3"])
def test_a_wrong_cost_is_told_and_the_tokens_own_is_used(cost: str) -> None:
    found = picture(made_with({"skupper.io/cost": cost}))
    assert links_of(found) == {"east": LinkSpec()}
    assert told(found) == [("SW0416", "Secret/east", "[skupper.io/cost]")]


@pytest.mark.parametrize("cost", ["65536", "99999", str(limits.COST_WRITTEN_MAX)])
def test_a_cost_above_the_highest_counts_as_the_highest_with_a_warning(cost: str) -> None:
    found = picture(made_with({"skupper.io/cost": cost}))
    assert links_of(found) == {"east": LinkSpec(cost=65_535)}
    assert told(found) == [("SW0416", "Secret/east", "[skupper.io/cost]")]
    (error,) = found.errors
    assert error.severity == "warning"
    assert f"{cost} is above 65535" in error.reason


def test_a_request_is_named() -> None:
    found = picture(token("wanted", "connection-token-request"))
    assert (found.requests, found.tokens, found.documents) == (("wanted",), {}, ())


def test_a_request_that_another_site_has_filled_is_a_token_whatever_its_label_says() -> None:
    """It was copied here, and a tool put back the label of the manifest."""
    copied = token("wanted", "connection-token-request")
    assert picture(copied).requests == ("wanted",)
    copied["data"]["tls.crt"] = "bm8="
    found = picture(copied)
    assert (found.requests, list(found.tokens)) == ((), ["wanted"])
    assert '"connection-token"' in found.tokens["wanted"].text
    copied["metadata"]["annotations"]["skupper.io/generated-by"] = OWN_SITE
    assert (picture(copied).requests, picture(copied).tokens) == (("wanted",), {})


def test_an_answered_request_of_this_site_makes_no_link() -> None:
    own = made_with({"skupper.io/generated-by": OWN_SITE, "spillway.dev/filled": "uid-east"})
    own["metadata"]["labels"]["skupper.io/type"] = "connection-token"
    assert (picture(own).documents, picture(own).errors) == ((), ())


@pytest.mark.parametrize("kind", ["token-claim", "connection-token"])
@pytest.mark.parametrize("filled", [{}, {"spillway.dev/filled": "uid-of-the-request"}])
def test_a_token_that_is_applied_at_the_site_that_made_it_makes_no_link_and_is_told(
    kind: str, filled: dict[str, str]
) -> None:
    own = made_with({"skupper.io/generated-by": OWN_SITE} | filled)
    own["metadata"]["labels"]["skupper.io/type"] = kind
    found = picture(own)
    assert found.documents == ()
    assert told(found) == [("SW0416", "Secret/east", "[skupper.io/generated-by]")]
    assert [error.severity for error in found.errors] == ["info"]


def test_a_name_that_no_link_can_have_is_told() -> None:
    found = picture(token("east.example"))
    assert (found.documents, found.tokens) == ((), {})
    assert told(found) == [("SW0416", "Secret/east.example", "metadata.name")]


def test_other_secrets_and_those_being_deleted_are_nothing() -> None:
    going = token()
    going["metadata"]["deletionTimestamp"] = "2024-01-01T00:00:00Z"
    other = made("Secret", "tls", data={"tls.crt": ""})
    record = token("record", "token-claim-record")
    assert picture(going, other, record).documents == ()


def test_a_link_document_comes_before_annotations() -> None:
    text = "apiVersion: spillway/v1\nkind: Link\nname: east\nspec: {cost: 3}\n"
    found = picture(documents("own", text), token())
    assert links_of(found) == {"east": LinkSpec(cost=3)}
    assert list(found.tokens) == ["east"]
    assert found.errors == ()
    both = picture(documents("own", text), made_with({"skupper.io/cost": "9"}))
    assert told(both) == [("SW0416", "Secret/east", "[skupper.io/cost]")]


def test_a_half_written_secret_is_no_crash() -> None:
    half = {"kind": "Secret", "metadata": {"name": "east", "labels": {"skupper.io/type": 3}}}
    assert picture(half).documents == ()
    no_data = made("Secret", "east", labels={"skupper.io/type": "token-claim"}, data=None)
    assert list(picture(no_data).tokens) == ["east"]
