"""One way to write an address with its port."""

import pytest

from router.model.addresses import join, metadata_kind, source_of, split


def test_only_an_ipv6_address_stands_in_brackets() -> None:
    assert join("::1", 80) == "[::1]:80"
    assert join("10.0.0.1", 80) == "10.0.0.1:80"
    assert join("db.example", 5432) == "db.example:5432"


def test_addresses_split_into_host_and_port() -> None:
    assert split("10.0.0.1:80") == ("10.0.0.1", 80)
    assert split("[::1]:80") == ("::1", 80)
    assert split("db.local:5432") == ("db.local", 5432)


@pytest.mark.parametrize(
    "host", ["169.254.169.254", "169.254.0.1", "fe80::1", "[fe80::1%eth0]", "::ffff:169.254.1.1"]
)
def test_what_is_link_local_is_known_in_each_dress(host: str) -> None:
    assert metadata_kind(host) == "link-local"


@pytest.mark.parametrize(
    "host", ["fd00:ec2::254", "[fd00:ec2::254%eth0]", "::ffff:100.100.100.200", "192.0.0.192"]
)
def test_where_else_clouds_tell_credentials_is_known(host: str) -> None:
    assert metadata_kind(host) == "a cloud's metadata address"


@pytest.mark.parametrize("host", ["169.253.1.1", "127.0.0.1", "fd00::1", "::1", "db.local", ""])
def test_what_is_not_link_local_is_not(host: str) -> None:
    assert not metadata_kind(host)


@pytest.mark.parametrize(
    ("address", "source"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("fe80::1%eth0", "fe80::"),
        ("no:address", "no:address"),
        ("", ""),
    ],
)
def test_a_source_is_an_address_or_a_network_that_one_has(address: str, source: str) -> None:
    assert source_of(address) == source
