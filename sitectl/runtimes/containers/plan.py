"""From a site's documents and its ``runtime.yaml`` to the container of its router."""

import hashlib
import os
from typing import Final

from router.control import ConfigDirectory
from router.documents import listening_addresses
from router.documents.wanted import Listening, Wanted
from router.model.addresses import join
from router.model.errors import ConfigError
from sitectl.base.failure import usage
from sitectl.runtimes.containers.words import MOUNTABLE, STOP_MARGIN_S, Container, Engine, run_words
from sitectl.runtimes.image import chosen_image
from sitectl.runtimes.spec import HOST_NETWORK, RuntimeSpec
from sitectl.runtimes.spec_file import require_words
from sitectl.site.directory import DirectorySite
from sitectl.site.workers import AUTO

_LOOPBACK: Final = ("127.", "::1", "localhost")
_ANY: Final = ("0.0.0.0", "::", "[::]", "")
LOW_PORTS: Final = range(1, 1024)


def container_name(site: DirectorySite, spec: RuntimeSpec) -> str:
    """Of the container, and of its unit."""
    return spec.name or f"spillway-{site.name}"


def image_of(spec: RuntimeSpec) -> str:
    """The image of the site's router."""
    return chosen_image(spec.image)


def planned(
    site: DirectorySite,
    spec: RuntimeSpec,
    *,
    user: str,
    keep_id: bool,
    limits: bool,
    timers: bool,
) -> Container:
    """The container that the site's files ask for. Failure: its directory cannot be mounted."""
    directory = str(site.directory.resolve())
    if not MOUNTABLE.fullmatch(directory):
        raise usage(
            f"{directory!r} cannot be mounted into a container: it holds one of : , $ % \" ' \\",
            "Keep sites elsewhere: --state DIR",
            code="SW0613",
        )
    require_words(site, spec)
    wanted = _wanted(site)
    places = listening_addresses(wanted.site, wanted.services, wanted.listeners)
    own_network = spec.network != HOST_NETWORK
    return Container(
        name=container_name(site, spec),
        site=site.name,
        directory=directory,
        image=image_of(spec),
        pull_policy=spec.pull_policy,
        user=user,
        keep_id=keep_id,
        network=spec.network,
        aliases=_aliases(site.name, wanted) if own_network else (),
        publish=_published(wanted, spec, places) if own_network else (),
        low_ports=any(place.port in LOW_PORTS for place in places),
        limits=limits,
        timers=timers,
        workers=_workers(wanted.site.workers),
        stop_s=round(wanted.site.drain_grace_s) + STOP_MARGIN_S,
    )


def _wanted(site: DirectorySite) -> Wanted:
    """As a router that starts reads it: documents in force count in place of wrong files."""
    try:
        return ConfigDirectory(site.directory).load().wanted
    except ConfigError:
        return site.wanted()  # A Failure that has every error.


def _workers(stated: int | str) -> int:
    return len(os.sched_getaffinity(0)) if stated == AUTO else int(stated)


def digest(container: Container, engine: Engine) -> str:
    """A digest that differs between containers made with different words."""
    words = "\0".join(run_words(container, engine))
    return hashlib.sha256(words.encode()).hexdigest()[:16]


def _published(wanted: Wanted, spec: RuntimeSpec, places: list[Listening]) -> tuple[str, ...]:
    """Ports of the host that lead to the container: of ``runtime.yaml``, links, then listeners.

    Listeners of loopback addresses stay inside; a port that ``runtime.yaml`` publishes keeps its
    place.
    """
    found = list(spec.publish)
    taken = {int(text.rpartition(":")[2]) for text in spec.publish}
    for place in places:
        if place.port in taken or place.host.startswith(_LOOPBACK):
            continue
        taken.add(place.port)
        is_link = wanted.site.ingress != "none" and place.port == wanted.site.bind_port
        host = "" if is_link else spec.publish_ip
        host = host if place.host in _ANY else place.host
        outside = str(place.port) if host in _ANY else join(host, place.port)
        found.append(f"{outside}:{place.port}")
    return tuple(found)


def _aliases(site: str, wanted: Wanted) -> tuple[str, ...]:
    """Names of this container in its network: those of its services.

    Except the names of the site's targets: a name must not lead a request back to its origin.
    """
    targets = {t.host for connector in wanted.connectors.values() for t in connector.targets}
    names = {*wanted.services, *(spec.service for spec in wanted.listeners.values())}
    return tuple(sorted(name for name in names - targets if name != site))
