"""Proxies as people write them, and whom NO_PROXY leaves out."""

import pytest

from router.documents import read
from router.documents.proxies import is_left_out, split_url
from router.model.specs import LinkSpec

MARKER = "planted"


@pytest.mark.parametrize(
    ("text", "url", "user", "password"),
    [
        ("http://proxy:3128", "http://proxy:3128", None, None),
        ("HTTPS://Proxy.Corp/", "https://proxy.corp:443", None, None),
        ("http://proxy", "http://proxy:80", None, None),
        ("http://[2001:db8::1]:3128", "http://[2001:db8::1]:3128", None, None),
        ("http://me@p:1", "http://p:1", "me", None),
        ("http://me:a%40b:c@p:1", "http://p:1", "me", "a@b:c"),
        ("http://me:a@b@p:1", "http://p:1", "me", "a@b"),
    ],
)
def test_a_url_is_taken_apart(text: str, url: str, user: str | None, password: str | None) -> None:
    found = split_url(text)
    assert found is not None
    assert (found.url, found.user, found.password) == (url, user, password)
    assert password is None or password not in repr(found)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "proxy:3128",
        "ftp://p:1",
        "http://",
        "http://p:0",
        "http://p:1/x",
        "http://p:1?q",
        "http://p:1:1",
    ],
)
def test_what_is_no_proxy(text: str) -> None:
    assert split_url(text) is None


@pytest.mark.parametrize(
    ("host", "words", "left_out"),
    [
        ("east.corp", "corp", True),
        ("east.corp", ".corp", True),
        ("east.corp", "*.corp", True),
        ("EAST.corp.", "east.corp", True),
        ("eastcorp", "corp", False),
        ("10.1.2.3", "10.0.0.0/8", True),
        ("10.1.2.3", "10.1.2.3", True),
        ("11.1.2.3", "10.0.0.0/8, other", False),
        ("2001:db8::7", "2001:db8::/32", True),
        ("anything", "*", True),
        ("anything", "", False),
        ("anything", " , ,", False),
    ],
)
def test_no_proxy(host: str, words: str, left_out: bool) -> None:
    assert is_left_out(host, words) is left_out


@pytest.mark.parametrize(
    "said", [f"http://me:{MARKER}@p:1", f"htp://me:{MARKER}@p:1", f"x {MARKER}"]
)
def test_a_document_with_a_password_is_refused_and_not_repeated(said: str) -> None:
    text = f"apiVersion: spillway/v1\nkind: Link\nname: east\nspec: {{proxy: '{said}'}}\n"
    documents, errors = read(text, "file")
    assert errors and not documents
    assert all(MARKER not in f"{error} {error.hint} {error.reason}" for error in errors)


def test_documents_keep_one_way_of_writing() -> None:
    for said, kept in (("HTTP://P:1/", "http://p:1"), ("none", "none"), ("env", "env")):
        text = f"apiVersion: spillway/v1\nkind: Link\nname: east\nspec: {{proxy: '{said}'}}\n"
        (document,), _ = read(text, "file")
        assert document.spec == LinkSpec(proxy=kept)
