"""Hosts and ports as people write them."""

import pytest

from router.documents.addresses import is_host, split_host_port


@pytest.mark.parametrize(
    ("written", "parts"),
    [
        ("shop.example", ("shop.example", None)),
        ("shop.example:80", ("shop.example", 80)),
        ("10.0.0.1:80", ("10.0.0.1", 80)),
        ("::1", ("::1", None)),
        ("[::1]:80", ("::1", 80)),
        ("[fe80::1%eth0]:80", ("fe80::1%eth0", 80)),
        ("::ffff:10.0.0.1", ("::ffff:10.0.0.1", None)),
        ("a:b:c", None),
        ("1:2:3:4:5:6:7:8:9", None),
        ("[a:b:c]:80", None),
        ("fe80::1%e th0", None),
        ("[fe80::1%eth0\n]:80", None),
        ("[fe80::1%'eth0']:80", None),
        ("[10.0.0.1]:80", None),
        ("shop..example:80", None),
        ("shop.example..", None),
        ("shop.example.:80", ("shop.example.", 80)),
        ("shop.example:0", None),
        ("shop.example:65536", None),
        ("", None),
    ],
)
def test_a_host_and_its_port_are_taken_apart(
    written: str, parts: tuple[str, int | None] | None
) -> None:
    assert split_host_port(written) == parts
    if parts is not None:
        assert is_host(parts[0])
