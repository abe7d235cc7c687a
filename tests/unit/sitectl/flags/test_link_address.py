"""Where a site accepts links when --ingress-bind-ip does not say so."""

import pytest

from sitectl.flags.links.address import EVERYWHERE, link_address
from tests.unit.sitectl.conftest import CommandLine


@pytest.mark.parametrize(
    ("given", "bind_ip", "hosts", "expected"),
    [
        (None, None, (), EVERYWHERE),
        (None, "127.0.0.12", (), "127.0.0.12"),
        (None, "::1", (), "::1"),
        (None, "10.0.0.5", (), EVERYWHERE),
        (None, None, ("127.0.0.1:55672",), "127.0.0.1"),
        (None, "127.0.0.12", ("127.0.0.1:55672",), "127.0.0.1"),
        (None, "127.0.0.12", ("10.0.0.7",), EVERYWHERE),
        (None, "127.0.0.12", ("east.example.org:443",), EVERYWHERE),
        (None, None, ("127.0.0.1", "127.0.0.2"), EVERYWHERE),
        (None, None, ("127.0.0.1", "10.0.0.7"), EVERYWHERE),
        ("0.0.0.0", "127.0.0.12", ("127.0.0.1",), "0.0.0.0"),
    ],
)
def test_what_only_this_host_reaches_listens_on_loopback(
    given: str | None, bind_ip: str | None, hosts: tuple[str, ...], expected: str
) -> None:
    assert link_address(given, bind_ip, hosts) == expected


def test_init_writes_it_into_the_document_and_again_changes_nothing(sitectl: CommandLine) -> None:
    sitectl.ok("init", "near", "--bind-ip", "127.0.0.12")
    (text,) = [text for name, text in sitectl.config("near").items() if name.startswith("site-")]
    assert "ingressBindIp: 127.0.0.12" in text and "bindIp: 127.0.0.12" in text
    assert sitectl.json("init", "near", "--bind-ip", "127.0.0.12")["change"] == "unchanged"
    assert sitectl.json("init", "near")["change"] == "unchanged"
