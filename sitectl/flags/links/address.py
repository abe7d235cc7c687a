"""Where a site on a host accepts links, from the flags of `init`. Pure."""

from collections.abc import Sequence
from ipaddress import ip_address
from typing import Final

EVERYWHERE: Final = "0.0.0.0"


def link_address(given: str | None, bind_ip: str | None, hosts: Sequence[str]) -> str:
    """``given``: --ingress-bind-ip; ``bind_ip`` None: not given; ``hosts`` of --ingress-host.

    The addresses that others dial decide, else the addresses of services: a site that only this
    host can reach accepts links on that loopback address alone.
    """
    if given:
        return given
    if not hosts:
        return bind_ip if bind_ip and _is_loopback(bind_ip) else EVERYWHERE
    from router.documents.addresses import split_host_port

    named = {parts[0] if (parts := split_host_port(text)) else "" for text in hosts}
    only = next(iter(named))
    return only if len(named) == 1 and _is_loopback(only) else EVERYWHERE


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
