"""Which protocol the first bytes of a server are, as real servers send them."""

import pytest

from router.model.wording.other_protocol import Spoken, no_http2, of_target, spoken


@pytest.mark.parametrize(
    ("first", "found"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n", "HTTP/1"),
        (bytes.fromhex("15030100020246"), "TLS"),
        (bytes.fromhex("1603030050"), "TLS"),
        (bytes.fromhex("000000040000000000"), "HTTP/2"),
        (bytes.fromhex("0000120400000000000003") + bytes(16), "HTTP/2"),
        (bytes.fromhex("000008070000000000"), "HTTP/2"),
        (bytes.fromhex("0000080700000000"), ""),
        (bytes.fromhex("000008070000000001"), ""),
        (bytes.fromhex("000008000000000000"), ""),
        (b"SSH-2.0-OpenSSH_9.2\r\n", ""),
        (bytes.fromhex("15"), ""),
        (b"", ""),
    ],
)
def test_a_protocol_is_told_by_its_first_bytes(first: bytes, found: Spoken) -> None:
    assert spoken(first) == found


def test_a_reason_names_the_flag_that_fits() -> None:
    reason = "TLS handshake with h:1 failed: the other end does not speak TLS"
    assert of_target(reason) == f'{reason}. A target without TLS is bound with --tls-trust ""'
    assert of_target("h:1 refused") == "h:1 refused"
    assert no_http2("") == "does not speak HTTP/2"
    assert no_http2("HTTP/1").endswith("A service whose targets speak HTTP/1 has --protocol http")
    assert no_http2("TLS").endswith("A target that speaks TLS is bound with --tls-trust FOLDER")
