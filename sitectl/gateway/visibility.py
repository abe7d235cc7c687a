"""Whether a gateway's site knows what the gateway offers, so that clients there are served."""

from certs.errors import CertError
from router.model.errors import ConfigError
from sitectl.base.failure import Failure
from sitectl.base.options import Settings
from sitectl.gateway.home import HostGateway, site_of
from sitectl.runtimes.presence import wait_until
from sitectl.site.site import Site


def is_seen(settings: Settings, gateway: HostGateway, service: str, wait_s: float) -> bool:
    """Whether the site knows of a ready target of ``service`` here, within ``wait_s``.

    The news takes a moment from the gateway to its site, and a client that comes in between is
    reset. True also when the site cannot be asked from here.
    """
    try:
        site = site_of(settings, gateway)
        if site is None:
            return True
        return wait_until(
            lambda: _knows(site, gateway.site.trust.site_id, service), wait_s, site.poll_s
        )
    except (Failure, CertError, ConfigError):
        return True


def _knows(site: Site, gateway_id: str, service: str) -> bool:
    """Failure: its router does not answer."""
    items = [item for item in site.admin.get("/api/v1/services") if item["name"] == service]
    return bool(items) and all(
        any(one["id"] == gateway_id and one["targets_ready"] for one in item["sites"])
        for item in items
    )
