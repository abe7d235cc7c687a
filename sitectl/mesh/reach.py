"""From a site in a mesh file to the site on this host or in a cluster."""

import socket
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from router.documents import readers
from sitectl.base.failure import Failure, not_found
from sitectl.base.options import Settings
from sitectl.mesh.values import Mesh, MeshPlace
from sitectl.site.places import state_dir

if TYPE_CHECKING:
    from sitectl.kubernetes.site import KubernetesSite
    from sitectl.site.site import ManagedSite


class Reached(NamedTuple):
    """A site of the file that can be looked at and changed from here."""

    name: str
    place: MeshPlace
    site: "ManagedSite"
    settings: Settings
    """As if its own flags had been given."""


def is_here(place: MeshPlace) -> bool:
    """Whether who uses the file at this machine reaches that site."""
    if place.runtime == "elsewhere":
        return False
    return place.host in ("", *own_hosts())


def own_hosts() -> tuple[str, str]:
    """The name of this machine, whole and without its domain."""
    whole = socket.gethostname().lower()
    return whole, whole.partition(".")[0]


def reached(settings: Settings, mesh: Mesh) -> list[Reached]:
    """The sites that are meant: the one of ``--site``, wherever it is, else all that are here.

    Failure: the file has no such site, or none of its sites is here.
    """
    if settings.site is not None:
        if settings.site not in mesh.sites:
            hint = readers.nearest(settings.site, mesh.sites)
            raise not_found(f"no site {settings.site!r} in the file", hint)
        return [reach(settings, settings.site, mesh.sites[settings.site].at)]
    found = [
        reach(settings, name, site.at) for name, site in mesh.sites.items() if is_here(site.at)
    ]
    if not found:
        raise not_found(
            f"no site of the file is at {own_hosts()[0]}", "Say which one this is: --site NAME"
        )
    return found


def out_of_reach(mesh: Mesh, those: Iterable[Reached]) -> list[str]:
    """Names of the sites that another operator, or another run, manages."""
    names = {one.name for one in those}
    return [name for name in mesh.sites if name not in names]


def reach(settings: Settings, name: str, place: MeshPlace) -> Reached:
    own = copied(settings)
    own.site = name
    if place.runtime == "kubernetes":
        from sitectl.kubernetes.site import KubernetesSite

        own.platform, own.namespace = "kubernetes", place.namespace
        own.context, own.site = place.context or settings.context, None
        return Reached(name, place, KubernetesSite.of(own), own)
    from sitectl.runtimes.host_site import HostSite

    own.platform = "podman" if place.runtime == "podman" else "process"
    own.namespace = own.context = own.kubeconfig = None
    return Reached(name, place, HostSite(state_dir(own) / name), own)


def copied(settings: Settings) -> Settings:
    """The same flags, to be changed for one site."""
    own = Settings()
    for attribute in Settings.__slots__:
        setattr(own, attribute, getattr(settings, attribute))
    return own


def is_made(one: Reached) -> bool:
    """Whether there is a site at that place already."""
    if one.place.runtime != "kubernetes":
        return (state_dir(one.settings) / one.name / "config").is_dir()
    return namespace_site(one).reading.picture.options is not None


def namespace_site(one: Reached) -> "KubernetesSite":
    """The site as a namespace, for what only namespaces have."""
    from sitectl.kubernetes.site import KubernetesSite

    assert isinstance(one.site, KubernetesSite), "its place is of kubernetes"
    return one.site


def shown_place(one: Reached) -> str:
    """The place of the site, human-readable."""
    if one.place.runtime == "kubernetes":
        context = f" of context {one.settings.context}" if one.settings.context else ""
        return f"namespace {one.place.namespace}{context}"
    return str(state_dir(one.settings) / one.name)


def named(failure: Failure, one: Reached) -> Failure:
    """``failure`` with the name of its site, of which there are several."""
    failure.message = f"site {one.name}: {failure.message}"
    return failure
