import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from certs import certificates, keys, names
from certs.errors import CertError
from certs.names import Endpoint
from certs.token_files import tokens
from certs.token_files.tokens import Token
from router.model.ids import SITE_NAME
from tests.unit.certs.sites import Site

# One changed digit can make a certificate that the library only warns of.
pytestmark = pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")

LABELS = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,9}[a-z0-9])?", fullmatch=True)
NAMES = st.lists(LABELS, min_size=1, max_size=3).map(".".join).filter(names.is_name)
SITE_NAMES = st.from_regex(SITE_NAME, fullmatch=True)
HOSTS = st.one_of(
    LABELS.filter(names.is_host),
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).map(str),
)
ENDPOINTS = st.tuples(HOSTS, st.integers(1, 65_535))


class Material:
    """A real CA and key pair, made once: these tests are not about making them."""

    def __init__(self, root: Path) -> None:
        self.east = Site(root)
        self.claim = self.east.claim()
        self.certificate = self.east.certificate_token()


@pytest.fixture(scope="module")
def material() -> Iterator[Material]:
    with tempfile.TemporaryDirectory() as root:
        yield Material(Path(root))


@given(
    name=NAMES,
    site_name=SITE_NAMES,
    site_id=st.from_regex(r"[0-9a-f]{32}", fullmatch=True),
    endpoints=st.lists(ENDPOINTS, min_size=1, max_size=16),
    cost=st.none() | st.integers(1, 65_535),
    expires_at=st.integers(0, 2**37),
    is_claim=st.booleans(),
)
def test_every_token_survives_its_file(
    material: Material,
    name: str,
    site_name: str,
    site_id: str,
    endpoints: list[Endpoint],
    cost: int | None,
    expires_at: int,
    is_claim: bool,
) -> None:
    base = material.claim if is_claim else material.certificate
    token = msgspec.structs.replace(
        base,
        name=name,
        site_name=site_name,
        site_id=site_id,
        endpoints=tuple(endpoints),
        cost=cost,
        expires_at=expires_at if is_claim else base.expires_at,
        secret=tokens.new_secret() if is_claim else "",
    )
    assert tokens.load(tokens.dump(token), "t.yaml") == token


@given(data=st.data(), is_claim=st.booleans())
def test_a_changed_character_never_yields_another_claim(
    material: Material, data: st.DataObject, is_claim: bool
) -> None:
    """In a certificate token the key pair and its CA are protected, not the text around them."""
    token = material.claim if is_claim else material.certificate
    text = tokens.dump(token)
    place = data.draw(st.integers(0, len(text) - 1))
    put = data.draw(st.characters(codec="utf-8"))
    assume(text[place] != put)
    loaded = load_or_refuse(text[:place] + put + text[place + 1 :])
    if loaded is None:
        return
    if is_claim:
        assert loaded == token  # White space, a comment, a field that is not read.
    else:
        loaded_key, key = (keys.from_pem(one.key_pem, "key") for one in (loaded, token))
        assert loaded_key.private_numbers() == key.private_numbers()
        loaded_der, der = map(certificates.to_der, (loaded.certificate_pem, token.certificate_pem))
        assert loaded_der == der


@given(data=st.binary(max_size=400))
def test_any_bytes_are_a_token_or_a_precise_error(data: bytes) -> None:
    with pytest.raises(CertError) as refused:
        tokens.load_bytes(data, "t.yaml")
    assert refused.value.subject == "t.yaml"
    assert refused.value.reason and refused.value.hint


@given(text=st.text(alphabet="ab:-?[]{}&*!|>'\"#%@,\n\t \\~.0\x85\u2028", max_size=200))
def test_any_yaml_is_a_token_or_a_precise_error(text: str) -> None:
    assert load_or_refuse(text) is None
    assert load_or_refuse(f"apiVersion: v1\nkind: Secret\nmetadata: {text}") is None


@given(data=st.data())
def test_a_cut_file_is_never_a_token(material: Material, data: st.DataObject) -> None:
    text = tokens.dump(material.claim).rstrip()
    end = data.draw(st.integers(0, len(text) - 8))
    assert load_or_refuse(text[:end]) is None


@given(endpoint=ENDPOINTS)
def test_every_endpoint_survives_its_text(endpoint: Endpoint) -> None:
    assert names.parse_endpoint(names.format_endpoint(endpoint)) == endpoint


@given(text=st.text(max_size=30))
def test_what_parses_as_an_endpoint_is_one(text: str) -> None:
    endpoint = names.parse_endpoint(text)
    if endpoint is not None:
        assert names.is_host(endpoint[0]) and 1 <= endpoint[1] <= 65_535
        assert names.format_endpoint(endpoint) == text


def load_or_refuse(text: str) -> Token | None:
    try:
        return tokens.load(text, "t.yaml")
    except CertError as error:
        assert error.subject.startswith("t.yaml")
        return None
