"""Where a service port listens at this site, and which clients it lets in, by its declaration and
this site's documents. Pure."""

from typing import Final

from router.documents import Wanted
from router.model.errors import WANTED_SO
from router.model.ids import ServiceKey
from router.model.messages.adverts import Declaration
from router.model.specs import ListenerSpec

NO_SERVICE: Final = "no Kubernetes Service leads here"
"""In a namespace: none was made, or another one of that name keeps the name."""
NONE_IS_MADE: Final = f'{WANTED_SO} (service-controller is "false": no Service is made)'
SYNC_IS_OFF: Final = f"{WANTED_SO} (service sync is off at this site)"


def place_of(
    key: ServiceKey, declaration: Declaration, wanted: Wanted, *, is_served: bool = False
) -> tuple[tuple[str, int] | None, str]:
    """Host and port; None: it does not listen here, with the reason.

    ``is_served``: this site has a connector of the service. In a namespace that asks for it, too.
    """
    override = override_of(key, declaration, wanted)
    if wanted.inner_ports is not None:
        inner = wanted.inner_ports.get(key)
        if inner is not None:
            return (wanted.site.bind_ip, inner), ""
        is_own = is_served or override is not None or key.name in wanted.services
        why_none = NO_SERVICE if is_own or wanted.site.service_sync else SYNC_IS_OFF
        if not wanted.makes_services:
            why_none = NONE_IS_MADE
        return None, not_asked(key, declaration, wanted) or why_none
    if why_not := not_asked(key, declaration, wanted):
        return None, why_not
    if override is None:
        return (wanted.site.bind_ip, key.port), ""
    host, _, port = override.listen.rpartition(":")
    number = key.port if port == "auto" else int(port)
    return (host.strip("[]") or wanted.site.bind_ip, number), ""


def client_trust_of(key: ServiceKey, declaration: Declaration, wanted: Wanted) -> str:
    """The credential whose CA certifies clients of this service port; empty: any client may
    connect.

    A Listener without a port requires certificates at every port without a Listener for it, even if
    its number can apply to only one port: no client gets in past it.
    """
    override = override_of(key, declaration, wanted)
    if override is not None:
        return override.tls_client_trust
    of_all = (
        one.tls_client_trust
        for one in wanted.listeners.values()
        if one.service == key.name and one.port is None
    )
    return next(filter(None, of_all), "")


def not_asked(key: ServiceKey, declaration: Declaration, wanted: Wanted) -> str:
    """Why the documents of this site ask for no listener; empty: they ask for one."""
    override = override_of(key, declaration, wanted)
    if wanted.inner_ports is not None and declaration.spec.headless == key.name:
        return f"{WANTED_SO} (headless: its pods are reached by their names)"
    if override is not None:
        return f"{WANTED_SO} (listen: none)" if override.listen == "none" else ""
    if declaration.spec.routing_key:
        shared = (n for n, one in wanted.listeners.items() if key.name in one.services)
        if (name := next(shared, None)) is not None:
            return f"{WANTED_SO} (its clients come by Listener {name})"
        return f"{WANTED_SO} (a routing key: no Listener of this site says where)"
    if wanted.inner_ports is None and not (wanted.site.service_sync or key.name in wanted.services):
        return SYNC_IS_OFF
    return ""


def override_of(key: ServiceKey, declaration: Declaration, wanted: Wanted) -> ListenerSpec | None:
    """The Listener document for this service port: one that names the port wins over one for all
    ports. A number without a port is where the first port listens."""
    general = None
    for listener in wanted.listeners.values():
        if listener.service != key.name:
            continue
        if listener.port == key.port:
            return listener
        has_number = listener.listen.rpartition(":")[2].isdecimal()
        if listener.port is None and (key.port == declaration.spec.ports[0] or not has_number):
            general = general or listener
    return general
