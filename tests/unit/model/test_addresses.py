"""One way to write an address with its port."""

from router.model.addresses import join, split


def test_only_an_ipv6_address_stands_in_brackets() -> None:
    assert join("::1", 80) == "[::1]:80"
    assert join("10.0.0.1", 80) == "10.0.0.1:80"
    assert join("db.example", 5432) == "db.example:5432"


def test_addresses_split_into_host_and_port() -> None:
    assert split("10.0.0.1:80") == ("10.0.0.1", 80)
    assert split("[::1]:80") == ("::1", 80)
    assert split("db.local:5432") == ("db.local", 5432)
