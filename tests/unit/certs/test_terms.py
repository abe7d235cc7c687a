"""Terms in certificates."""

import msgspec
import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from certs import certificates, keys, limits
from certs.ca import terms
from certs.ca.authority import Authority
from certs.ca.terms import FREE, TokenTerms
from certs.errors import CertError

NOW = 1_800_000_000.0
PATTERNS = st.none() | st.lists(
    st.from_regex(r"[a-z0-9*?][a-z0-9.*?-]{0,62}", fullmatch=True), max_size=4
).map(tuple)


def certificate(agreed: TokenTerms) -> str:
    authority, _ = Authority.generate("0" * 32, NOW)
    return authority.issue_client_leaf(keys.generate().public_key(), "shop", NOW, terms=agreed)


@given(st.builds(TokenTerms, declare=PATTERNS, export=PATTERNS, import_=PATTERNS))
def test_a_certificate_states_the_terms_that_it_was_issued_on(agreed: TokenTerms) -> None:
    assert terms.of_certificate(certificate(agreed)) == agreed


def test_a_certificate_without_terms_limits_nothing() -> None:
    pem = certificate(FREE)
    assert terms.of_certificate(pem) == FREE
    with pytest.raises(x509.ExtensionNotFound):
        certificates.read(pem).extensions.get_extension_for_oid(terms.OID)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"[]",
        b'{"declare": ["shop"], "relay": []}',
        b'{"declare": ["Shop"]}',
        b'{"export": ["' + b"a" * 64 + b'"]}',
        msgspec.json.encode({"import": ["a"] * (limits.TERMS_PATTERNS_MAX + 1)}),
    ],
)
def test_terms_that_cannot_be_read_are_not_taken_for_none(
    value: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as later:
        made = x509.UnrecognizedExtension(terms.OID, value)
        later.setattr("certs.ca.authority.extension", lambda _: made)
        pem = certificate(TokenTerms(declare=()))
    with pytest.raises(CertError, match="terms that this version cannot read"):
        terms.of_certificate(pem, "leaf")


def test_as_many_patterns_as_the_limit_are_readable() -> None:
    agreed = TokenTerms(import_=("a",) * limits.TERMS_PATTERNS_MAX)
    assert terms.of_certificate(certificate(agreed)) == agreed
