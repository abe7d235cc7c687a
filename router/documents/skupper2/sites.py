"""Site and RouterAccess of Skupper v2: their requests for the site itself."""

from typing import Final, Literal

import msgspec

from router.documents.addresses import is_host, is_ip
from router.documents.readers import nearest
from router.documents.skupper2.objects import V2Object
from router.documents.skupper2.spec_reader import SpecReader

Place = Literal["host", "namespace"]
_ANY_ACCESS: Final = ("default", "route", "loadbalancer")
_OTHER_ACCESS: Final = {
    "local": "none",
    "nodeport": "nodeport",
    "ingress-nginx": "nginx-ingress-v1",
    "ingress": "ingress",
    "contour-http-proxy": "contour-http-proxy",
}


class SiteRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The request of a Site, and on hosts of its RouterAccess. ``ingress`` ``none``: no incoming
    links.

    ``port``, ``bind_ip`` and ``hosts`` of a RouterAccess: 0 and empty if not given.
    """

    name: str
    ingress: str = "none"
    edge: bool = False
    routers: int = 1
    port: int = 0
    bind_ip: str = ""
    hosts: tuple[str, ...] = ()
    source: str = ""
    line: int = 0


class SiteReader:
    """Reads both kinds; the first Site counts."""

    __slots__ = ("_access", "_place", "_site")

    def __init__(self, place: Place) -> None:
        self._place = place
        self._site: SiteRequest | None = None
        self._access: tuple[int, str, tuple[str, ...]] | None = None  # From a RouterAccess.

    def result(self) -> SiteRequest | None:
        """The Site with its RouterAccess; the latter alone also makes a site accept links."""
        if self._site is None or self._access is None:
            return self._site
        port, bind_ip, hosts = self._access
        return msgspec.structs.replace(
            self._site, ingress="host", port=port, bind_ip=bind_ip, hosts=hosts
        )

    def take_site(self, one: V2Object, reader: SpecReader) -> None:
        """A Site."""
        if self._site is not None:
            reader.wrong(
                "metadata.name",
                f"a second Site; {self._site.name!r} comes first",
                "A namespace has one site: remove one of them",
            )
            return
        access = (reader.text("linkAccess") or "none").strip()
        edge, ha = reader.boolean("edge"), reader.boolean("ha")
        if edge and ha:
            reader.wrong(
                "spec.edge", "an edge site has one router, and ha asks for two", "Remove ha"
            )
        ingress = self._ingress(access, reader)
        routers = 2 if ha and not edge else 1
        if ha and self._place == "host":
            reader.note("spec.ha", "a host has one router; others of the site: sitectl init --peer")
            routers = 1
        if reader.errors:
            return
        self._site = SiteRequest(
            name=one.name,
            ingress=ingress,
            edge=edge,
            routers=routers,
            source=one.source,
            line=one.line,
        )

    def _ingress(self, access: str, reader: SpecReader) -> str:
        """Our value for ``linkAccess``."""
        if access == "none":
            if self._place == "namespace":
                reader.note(
                    "spec.linkAccess",
                    "none: other namespaces of this cluster can still link to the site, with a "
                    "token",
                )
            return "none"
        known = (*_ANY_ACCESS, *_OTHER_ACCESS)
        if access not in known:
            hint = nearest(access, known) or f"Expected one of {', '.join(known)}, or none"
            reader.wrong("spec.linkAccess", f"{access[:60]!r} is not possible here", hint)
            return "none"
        if self._place == "host":
            return "host"
        if access == "default":
            return "loadbalancer"
        return _OTHER_ACCESS.get(access, access)

    def take_access(self, one: V2Object, reader: SpecReader) -> None:
        """A RouterAccess: where a host accepts links."""
        if self._place == "namespace":
            reader.note("", "how links reach this site is an option of it: sitectl init --ingress")
            return
        port = 0
        for at, role in enumerate(reader.mappings("roles")):
            name, number = role.get("name"), role.get("port")
            if name == "inter-router":
                port = reader.port_value(f"spec.roles[{at}].port", number) if number else 55_671
            elif name == "edge":
                reader.note(f"spec.roles[{at}]", "edge sites link to the same port as others")
            else:
                reader.note(f"spec.roles[{at}]", f"role {str(name)[:40]!r} has no effect")
        bind = reader.text("bindHost") or ""
        if bind and not is_ip(bind):
            reader.wrong("spec.bindHost", f"{bind[:60]!r} is no IP address", "Give an address")
        hosts = reader.texts("subjectAlternativeNames")
        for at, host in enumerate(hosts):
            if not is_host(host):
                path = f"spec.subjectAlternativeNames[{at}]"
                reader.wrong(path, f"{host[:60]!r} is no host", "Give a name or an address")
        if not reader.errors:
            self._access = (port, bind, hosts)
