"""Flags of Skupper's podman sites: at which place of the host a service is reached.

There each service has a container whose ports are published; here the router listens itself.
"""

from typing import Final

import click
import msgspec

from router.documents.addresses import is_ip
from router.model.addresses import join
from router.model.specs import Document, ListenerSpec
from sitectl.base import output
from sitectl.base.failure import usage
from sitectl.base.options import Settings, accepted, flags_as
from sitectl.flags.services.listeners import listener_of
from sitectl.flags.services.port_pairs import matched, pairs_of

EVERY_ADDRESS: Final = "0.0.0.0"
_NO_CONTAINER: Final = "not needed here, the router listens itself"


class HostFlags(msgspec.Struct, frozen=True):
    """Where clients connect, as in Skupper; None and empty: not given."""

    host_ip: str | None = None
    host_ports: tuple[str, ...] = ()


host_flags = flags_as(
    "host",
    HostFlags,
    click.option("--host-ip", metavar="IP", help="On a host: the address of --host-port."),
    click.option(
        "--host-port",
        "host_ports",
        metavar="[PORT:]HOSTPORT",
        multiple=True,
        help="On a host: where clients connect, for each port of the service.",
    ),
    accepted("not needed here, a service of a host has no labels", "--label="),
    accepted(_NO_CONTAINER, "--container-name="),
)


def host_listeners(
    settings: Settings, name: str, ports: tuple[int, ...], flags: HostFlags
) -> list[Document]:
    """The Listeners that the flags say; none on Kubernetes. Failure: they do not fit the service.

    As with Skupper a host's port without an address is taken on all of them.
    """
    host_ip = flags.host_ip
    if flags == HostFlags():
        return []
    if settings.on_kubernetes():
        output.note("--host-ip, --host-port: not needed here, a Kubernetes Service leads here")
        return []
    if host_ip is not None and not is_ip(host_ip):
        raise usage(f"--host-ip {host_ip!r} is not an IP address")
    given = matched(name, pairs_of(flags.host_ports), ports, all_ports=False)
    if not given:
        assert host_ip is not None
        shown = f"[{host_ip}]" if ":" in host_ip else host_ip
        return [listener_of(name, f"{shown}:auto", ports)]
    found = []
    for port in ports:
        listen = "auto" if port not in given else join(host_ip or EVERY_ADDRESS, given[port])
        is_only = len(ports) == 1
        spec = ListenerSpec(service=name, listen=listen, port=None if is_only else port)
        found.append(Document("Listener", name if is_only else f"{name}-{port}", spec))
    return found
