"""Whatever an AccessToken says, it is a claim of ours as it was made, or refused by `CertError`."""

import contextlib

from hypothesis import given, settings
from hypothesis import strategies as st

from certs.errors import CertError
from certs.token_files import access_tokens

PARTS = st.sampled_from(
    [
        "https://", "http://", "h.test:1", "[::1]:9", "[", "/spillway/claims/", "x", "?", "&",
        "site=", "0" * 32, "name=east", "until=9", "also=", "cost=1", "sum=", "%", "%zz", "#", ",",
    ]
)  # fmt: skip
URLS = st.one_of(
    st.lists(PARTS, max_size=16).map("".join),
    st.text(max_size=40).map("https://h.test:1/spillway/claims/x?".__add__),
    st.text(max_size=40),
)


@settings(deadline=None)
@given(url=URLS, code=st.text(max_size=40) | st.just("a" * 32), ca=st.text(max_size=40))
def test_no_text_is_taken_for_a_token_that_nobody_made(url: str, code: str, ca: str) -> None:
    access_tokens.is_ours(url)
    with contextlib.suppress(CertError):
        raise AssertionError(access_tokens.read(url, code, ca, "t"))


@settings(deadline=None)
@given(text=st.text(max_size=200))
def test_any_file_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(CertError):
        access_tokens.load("apiVersion: skupper.io/v2alpha1\nkind: AccessToken\n" + text, "t.yaml")
