"""What a router of a plain site has not imported though it serves: it would stay for good."""

from tests.scenario.clients import fetch
from tests.scenario.harness import SHOP_PORT, Network

ABSENT = (
    # Room or library, and when it comes.
    "cryptography.hazmat.primitives.ciphers.aead",  # Sealed backups, of sitectl.
    "h2",  # A client or target that speaks HTTP/2.
    "httpx2",  # Kubernetes.
    "hypothesis",
    "lightkube",
    "opentelemetry",  # Tracing that is switched on.
    "rich",
    "click",
    "router.kubernetes.client",
    "simulator",
    "sitectl",
)
"""Packages that an idle router does not use: 8 MiB the Kubernetes client alone."""


def test_a_router_that_serves_has_imported_nothing_that_it_does_not_need(net: Network) -> None:
    east, west = net.site("east"), net.site("west")
    east.declare("shop")
    west.connect("shop", net.http("west"))
    net.link(east, west, token="cert")
    logs = [(site, net.state / f"{site.name}.imports") for site in (east, west)]
    for site, log in logs:
        redirected = ("sh", "-c", f'exec 2>"{log}" "$@"', "sh")
        site.run({"PYTHONPROFILEIMPORTTIME": "1"}, redirected)
        site.note_pid()
    net.ready("shop", {"west": 1}, east)
    assert east.ctl("status").out
    assert "spillway_" in east.metrics()
    assert fetch(east.address, SHOP_PORT).status == 200
    for _, log in logs:
        imported = {line.rpartition("|")[2].strip() for line in log.read_text().splitlines()}
        assert "router.process.router_process" in imported, "Python tells what it imports"
        found = [name for name in ABSENT if name in imported]
        assert not found, f"{log.name}: imported for nothing"
