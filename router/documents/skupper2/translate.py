"""The documents for objects of Skupper v2.

Level-triggered: the same objects give the same translation. Of two contradicting objects the first
in the text counts, and a Listener before a MultiKeyListener.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from router.documents.addresses import is_host, is_ip
from router.documents.readers import is_name, is_routing_key, nearest
from router.documents.skupper2 import fields
from router.documents.skupper2.keys import declaration_of, service_of
from router.documents.skupper2.links import GrantRequest, LinkReader, TokenRequest
from router.documents.skupper2.objects import GROUP, VERSIONS, V2Object
from router.documents.skupper2.sites import Place, SiteReader, SiteRequest
from router.documents.skupper2.spec_reader import SpecReader
from router.documents.skupper2.strategies import read_strategy
from router.model import limits
from router.model.errors import ConfigError
from router.model.specs import ConnectorSpec, Document, Kind, ListenerSpec, TargetSpec

__all__ = [
    "GrantRequest",
    "Place",
    "SiteRequest",
    "TokenRequest",
    "V2Translation",
    "translate",
]

_FOREIGN: Final = "AttachedConnector"
"""The kind that v2 has in another namespace than the site's."""
_BINDING: Final = "AttachedConnectorBinding"
_HALVES: Final = (_FOREIGN, _BINDING)
_LOCAL_NAMES: Final = {"localhost": "127.0.0.1", "": "", "0.0.0.0": "0.0.0.0"}


class V2Translation(msgspec.Struct, frozen=True, kw_only=True):
    """``documents`` are unique by kind and name; ``notes`` name fields without effect.

    ``others``: objects that are not Skupper's, unchanged. ``grants``: claims that this site makes,
    each once. ``namespace`` of the objects; empty: they name none, or several, which is an error.
    """

    documents: tuple[Document, ...] = ()
    site: SiteRequest | None = None
    tokens: tuple[TokenRequest, ...] = ()
    grants: tuple[GrantRequest, ...] = ()
    others: tuple[V2Object, ...] = ()
    notes: tuple[ConfigError, ...] = ()
    errors: tuple[ConfigError, ...] = ()
    namespace: str = ""


def translate(objects: Iterable[V2Object], place: Place) -> V2Translation:
    """Documents for a site on a host or in a namespace. Nothing raises."""
    return _Translator(list(objects), place).result()


class _Translator:
    """One translation in progress."""

    def __init__(self, objects: list[V2Object], place: Place) -> None:
        self._objects, self._place = objects, place
        self._documents: dict[tuple[str, str], Document] = {}
        self._others: list[V2Object] = []
        self._sites, self._links = SiteReader(place), LinkReader(objects)
        self._errors: list[ConfigError] = []
        self._notes: list[ConfigError] = []
        self._seen: dict[tuple[str, str], V2Object] = {}
        self._heard: dict[tuple[str, int], V2Object] = {}  # The listener at each host and port.
        self._listened: dict[str, V2Object] = {}
        halves = [one for one in objects if one.kind in _HALVES and one.api_version in VERSIONS]
        self._halves: dict[tuple[str, str], list[V2Object]] = {}
        for one in halves:
            self._halves.setdefault((one.kind, one.name), []).append(one)

    def result(self) -> V2Translation:
        """The whole translation."""
        spaces = {o.namespace for o in self._objects if _is_v2(o) and o.kind != _FOREIGN} - {""}
        links = self._link_secrets()
        # Objects with several keys last: they use the listener of a key that has no other.
        for one in sorted(self._objects, key=lambda one: one.kind == "MultiKeyListener"):
            if not _is_v2(one):
                if one.kind != "Secret" or one.name not in links:
                    self._others.append(one)
                continue
            reader = SpecReader(one)
            if self._is_known(one, reader, spaces):
                self._take(one, reader)
            self._errors += reader.errors
            self._notes += reader.notes
        return V2Translation(
            documents=tuple(self._documents.values()),
            site=self._sites.result(),
            tokens=tuple(self._links.tokens),
            grants=tuple(self._links.grants),
            others=tuple(self._others),
            notes=tuple(self._notes),
            errors=tuple(self._errors),
            namespace=next(iter(spaces)) if len(spaces) == 1 else "",
        )

    def _link_secrets(self) -> set[str]:
        named = (one.spec.get("tlsCredentials") for one in self._objects if one.kind == "Link")
        return {name for name in named if isinstance(name, str)}

    # Checks for all kinds -----------------------------------------------------------------------

    def _is_known(self, one: V2Object, reader: SpecReader, spaces: set[str]) -> bool:
        """Whether kind, version, name and namespace can be used; unknown fields are noted."""
        if one.api_version not in VERSIONS:
            hint = f"Expected apiVersion: {VERSIONS[0]}"
            reader.wrong("apiVersion", f"unknown version {one.api_version[:60]!r}", hint)
            return False
        if one.kind in fields.INTERNAL:
            reader.note("", f"{one.kind} is internal to Skupper and left alone")
            return False
        if one.kind not in fields.FIELDS:
            hint = nearest(one.kind, fields.FIELDS) or f"Known kinds: {', '.join(fields.FIELDS)}"
            reader.wrong("kind", f"unknown kind {one.kind[:60]!r} of Skupper v2", hint)
            return False
        if not is_name(one.name):
            reason = f"{one.name[:80]!r} is no name: expected one DNS label of a-z, 0-9 and -"
            hint = "Give it a name" if not one.name else "Rename it; a dot is not possible here"
            reader.wrong("metadata.name", reason, hint)
            return False
        if one.namespace and len(spaces) > 1 and one.kind != _FOREIGN:
            told = ", ".join(sorted(spaces)[:5])
            hint = "Apply the objects of each namespace at the site of that namespace"
            reader.wrong("metadata.namespace", f"objects of several namespaces: {told}", hint)
            return False
        known_as = f"{one.namespace}/{one.name}" if one.kind == _FOREIGN else one.name
        first = self._seen.setdefault((one.kind, known_as), one)
        if first is not one:
            where = f"{first.source}:{first.line}" if first.line else first.source
            reader.wrong("metadata.name", f"is already at {where}", "Keep one of them")
            return False
        reader.judge_fields()
        return True

    def _take(self, one: V2Object, reader: SpecReader) -> None:
        match one.kind:
            case "Site":
                self._sites.take_site(one, reader)
            case "RouterAccess":
                self._sites.take_access(one, reader)
            case "Listener":
                self._take_listener(one, reader)
            case "Connector":
                self._take_connector(one, reader)
            case "MultiKeyListener":
                self._take_several_keys(one, reader)
            case "Link":
                self._links.take_link(one, reader)
            case "AccessToken":
                self._links.take_token(one, reader)
            case "AccessGrant":
                self._links.take_grant(one, reader)
            case "AttachedConnector":
                self._take_attached(one, reader)
            case "AttachedConnectorBinding":
                self._take_binding(one, reader)
            case _:
                raise AssertionError(f"{one.kind} is in `fields.FIELDS`, and not taken here")

    def _put(self, reader: SpecReader, one: V2Object, kind: Kind, spec: Any) -> None:
        """Store the document of ``one``, unless another object already made one of this name."""
        document = Document(kind=kind, name=one.name, spec=spec, source=one.source, line=one.line)
        if self._documents.setdefault((kind, one.name), document) is not document:
            reader.wrong(
                "metadata.name",
                f"another object makes {kind} {one.name} already",
                "Rename one of them",
            )

    def _key(self, reader: SpecReader) -> str | None:
        key = reader.text("routingKey", required=True)
        if key is None:
            return None
        if not is_routing_key(key):
            reason = f"{key[:80]!r} is no routing key: expected 1 to "
            reason += f"{limits.ROUTING_KEY_CHARS_MAX} visible characters"
            reader.wrong("spec.routingKey", reason, "Use another key at all sites")
            return None
        return key

    def _declare(self, one: V2Object, key: str) -> str:
        service = service_of(key)
        self._documents.setdefault(
            ("Service", service),
            Document(
                kind="Service",
                name=service,
                spec=declaration_of(key),
                source=one.source,
                line=one.line,
            ),
        )
        return service

    # Listeners ----------------------------------------------------------------------------------

    def _take_listener(self, one: V2Object, reader: SpecReader) -> None:
        key = self._key(reader)
        self._refuse_type(reader)
        self._note_pods(reader)
        wants = reader.boolean_setting(fields.REQUIRE_CLIENT_CERT)
        path = f"spec.settings[{fields.REQUIRE_CLIENT_CERT}]"
        shared = ListenerSpec(service="", tls_client_trust=self._client_trust(reader, wants, path))
        self._listen(one, reader, [] if key is None else [key], shared)

    def _client_trust(self, reader: SpecReader, wants: bool, path: str) -> str:
        """The credential that certifies clients, the listener's own; empty: none is required."""
        credential = reader.text("tlsCredentials") or ""
        if wants and not credential:
            reader.wrong(
                path,
                "clients show their certificates by TLS, and the listener has no tlsCredentials",
                "Add tlsCredentials: a Secret with tls.crt, tls.key, and ca.crt of the clients",
            )
        return credential if wants else ""

    def _listen(
        self, one: V2Object, reader: SpecReader, keys: Sequence[str], shared: ListenerSpec
    ) -> None:
        """``shared``: the rest of the document, if several keys share the listener."""
        port = reader.port()
        host = self._host(reader)
        credential = reader.credential()
        if not keys or port is None or host is None or reader.errors:
            return
        other = self._heard.setdefault((host, port), one)
        if other is not one:
            reason = f"{host}:{port} is already that of {other.kind}/{other.name}"
            reader.wrong("spec.port", reason, "Choose another host or port")
            return
        service = next((s for s in map(service_of, keys) if s not in self._listened), None)
        if service is None:
            other = self._listened[service_of(keys[0])]
            reader.wrong(
                "spec.routingKey" if one.kind == "Listener" else "spec.strategy",
                f"{other.kind}/{other.name} already listens for key {keys[0]!r} at this site",
                "Let clients of both use one host and port",
            )
            return
        self._listened[service] = one
        for key in keys:
            self._declare(one, key)
        bracketed = f"[{host}]" if ":" in host else host
        if self._place == "namespace":
            place = {"listen": str(port), "host": host}
        else:
            place = {"listen": f"{bracketed}:{port}" if host else str(port)}
        spec = msgspec.structs.replace(shared, service=service, tls_cert=credential, **place)
        self._put(reader, one, "Listener", spec)

    def _host(self, reader: SpecReader) -> str | None:
        """The place of a Listener: a Service's name, or the bound address."""
        host = reader.text("host", required=True)
        if host is None:
            return None
        if self._place == "namespace":
            if not is_name(host):
                reason = f"{host[:80]!r} is no name of a Service: expected one DNS label"
                reader.wrong("spec.host", reason, "Clients use this name; choose another")
                return None
            return host
        if host in _LOCAL_NAMES:
            return _LOCAL_NAMES[host]
        if is_ip(host):
            return host
        reader.wrong(
            "spec.host",
            f"{host[:80]!r} is no address of this host",
            "Give the IP address to listen on: 127.0.0.1, or 0.0.0.0 for all",
        )
        return None

    def _take_several_keys(self, one: V2Object, reader: SpecReader) -> None:
        strategy = read_strategy(reader)
        wants = reader.boolean(fields.REQUIRE_CLIENT_CERT)
        trust = self._client_trust(reader, wants, f"spec.{fields.REQUIRE_CLIENT_CERT}")
        keys = strategy.keys
        shared = ListenerSpec(service="", tls_client_trust=trust)
        if strategy.weights:
            pairs = zip(keys, strategy.weights, strict=True)
            weighted = {service_of(key): weight for key, weight in pairs}
            shared = msgspec.structs.replace(shared, weighted=weighted)
        elif len(keys) > 1:
            shared = msgspec.structs.replace(shared, priority=tuple(map(service_of, keys)))
        self._listen(one, reader, keys, shared)

    def _refuse_type(self, reader: SpecReader) -> None:
        kind = reader.text("type") or "tcp"
        if kind != "tcp":
            reader.wrong("spec.type", f"{kind[:40]!r} is not possible", "Leave type out, or tcp")

    def _note_pods(self, reader: SpecReader) -> None:
        if reader.boolean("exposePodsByName"):
            reader.note(
                "spec.exposePodsByName",
                "pods have no names of their own here; for those of a StatefulSet: sitectl expose "
                "statefulset NAME --headless",
            )

    # Connectors ---------------------------------------------------------------------------------

    def _take_connector(self, one: V2Object, reader: SpecReader) -> None:
        key = self._key(reader)
        self._refuse_type(reader)
        self._note_pods(reader)
        port = reader.port()
        selector, host = reader.text("selector") or "", reader.text("host") or ""
        if bool(selector) == bool(host):
            told = "both" if selector else "neither"
            reader.wrong("spec", f"{told} of selector and host", "Give exactly one of them")
        elif selector and self._place == "host":
            hint = "Give host: the address where the server listens"
            reader.wrong("spec.selector", "a host has no pods", hint)
        elif host and not is_host(host):
            reader.wrong("spec.host", f"{host[:80]!r} is no host", "Give a name or an address")
        credential = reader.credential()
        check_name, show = reader.boolean("verifyHostname"), reader.boolean("useClientCert")
        if credential and selector and check_name:
            reader.wrong(
                "spec.verifyHostname",
                "pods are known by their addresses, which certificates rarely name",
                "Leave verifyHostname out; the CA of the credential still judges them",
            )
        if not credential and (check_name or show):
            reader.note(
                "spec.tlsCredentials", "without it verifyHostname and useClientCert count not"
            )
        not_ready = reader.boolean("includeNotReadyPods")
        if key is None or port is None or reader.errors:
            return
        spec = ConnectorSpec(
            service=self._declare(one, key),
            workload=f"pods/{selector}" if selector else "",
            target_ports=(port,) if selector else (),
            targets=() if selector else (TargetSpec(host=host, ports=(port,)),),
            not_ready=bool(selector) and not_ready,
            tls_trust=credential,
            # v2 checks no name and shows no certificate unless asked to; ours does both.
            tls_check_name=not credential or check_name,
            tls_show_cert=not credential or show,
        )
        self._put(reader, one, "Connector", spec)

    def _take_attached(self, one: V2Object, reader: SpecReader) -> None:
        """With its binding it is a Connector, if each names the namespace of the other."""
        self._refuse_type(reader)
        site = reader.text("siteNamespace", required=True)
        selector = reader.text("selector", required=True)
        port = reader.port()
        credential, show = reader.credential(), reader.boolean("useClientCert")
        not_ready = reader.boolean("includeNotReadyPods")
        if not credential and show:
            reader.note("spec.tlsCredentials", "without it useClientCert counts not")
        binding = self._half(_BINDING, one, reader)
        if binding is None or site is None or selector is None or port is None or reader.errors:
            return
        bound = SpecReader(binding)  # It reports its own errors.
        key, named = self._key(bound), bound.text("connectorNamespace") or ""
        here, there = binding.namespace or site, one.namespace or named
        if site != here:
            reader.wrong(
                "spec.siteNamespace",
                f"{_BINDING} {one.name} is in namespace {here}, and this names {site[:63]}",
                f"Write siteNamespace: {here}",
            )
        elif named and named != there:
            reader.wrong(
                "metadata.namespace",
                f"{_BINDING} {here}/{one.name} does not allow {_FOREIGN} in {there} (only "
                f"{named[:63]})",
                f"Write connectorNamespace: {there} in the {_BINDING}",
            )
        if key is None or bound.errors or reader.errors or not is_name(there):
            return
        spec = ConnectorSpec(
            service=self._declare(one, key),
            workload=f"pods/{selector}",
            namespace="" if there == here else there,
            target_ports=(port,),
            not_ready=not_ready,
            tls_trust=credential,
            tls_check_name=not credential,
            tls_show_cert=not credential or show,
        )
        self._put(reader, one, "Connector", spec)

    def _take_binding(self, one: V2Object, reader: SpecReader) -> None:
        """The other half of an AttachedConnector, which makes the document."""
        self._key(reader)
        there = reader.text("connectorNamespace", required=True)
        self._note_pods(reader)
        if there and not is_name(there):
            hint = "Write the namespace of the AttachedConnector"
            reader.wrong("spec.connectorNamespace", f"{there[:80]!r} is no namespace", hint)
            return
        self._half(_FOREIGN, one, reader)

    def _half(self, kind: str, one: V2Object, reader: SpecReader) -> V2Object | None:
        """The object of ``kind`` that belongs to ``one``."""
        if self._place == "host":
            reader.wrong("", "a host has no pods", "Make a Connector with the address as host")
            return None
        found = self._halves.get((kind, one.name), [])
        if kind == _BINDING:
            site = reader.text("siteNamespace") or "of the site"
            where, field = " in site namespace", "connectorNamespace"
        else:
            site = reader.text("connectorNamespace") or "of the pods"
            where, field = "", "siteNamespace"
            found = [other for other in found if other.namespace in ("", site)]
        if not found:
            reader.wrong(
                "metadata.name",
                f"No matching {kind}{where}",
                f"Make {kind} {one.name} in namespace {site[:63]}"
                + (f", with {field}: {one.namespace}" if one.namespace else ""),
            )
            return None
        return found[0]


def _is_v2(one: V2Object) -> bool:
    return one.api_version.partition("/")[0] == GROUP
