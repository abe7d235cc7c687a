"""What objects of Skupper v2 ask for, as documents.

Level-triggered: the same objects give the same translation. Of two objects that contradict each
other the first in the text counts.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal

import msgspec

from router.documents.addresses import is_host, is_ip
from router.documents.readers import is_name, is_routing_key, nearest
from router.documents.skupper2 import fields
from router.documents.skupper2.keys import declaration_of, service_of
from router.documents.skupper2.objects import GROUP, VERSIONS, V2Object
from router.documents.skupper2.spec_reader import SpecReader
from router.model import limits
from router.model.errors import ConfigError
from router.model.specs import ConnectorSpec, Document, Kind, ListenerSpec, TargetSpec

Place = Literal["host", "namespace"]
_LOCAL_NAMES: Final = {"localhost": "127.0.0.1", "": "", "0.0.0.0": "0.0.0.0"}
_ANY_ACCESS: Final = ("default", "route", "loadbalancer")
_OTHER_ACCESS: Final = {
    "local": "none",
    "nodeport": "nodeport",
    "ingress-nginx": "nginx-ingress-v1",
    "ingress": "ingress",
    "contour-http-proxy": "contour-http-proxy",
}
_TOKEN: Final = "Have that site make a token of Spillway, then here: sitectl link create FILE"


class SiteRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What a Site, and on hosts its RouterAccess, asks for. ``ingress`` ``none``: no links come in.

    ``port``, ``bind_ip`` and ``hosts`` of a RouterAccess: 0 and empty where none says them.
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


class TokenRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A Link whose Secret is a token of ours: ``secret`` as it was in the text."""

    name: str
    secret: Mapping[str, Any]
    cost: int | None = None
    proxy_secret: str = ""


class V2Translation(msgspec.Struct, frozen=True, kw_only=True):
    """``documents`` without two of one kind and name; ``notes`` say what has no effect.

    ``others``: objects that are not Skupper's, untouched.
    """

    documents: tuple[Document, ...] = ()
    site: SiteRequest | None = None
    tokens: tuple[TokenRequest, ...] = ()
    others: tuple[V2Object, ...] = ()
    notes: tuple[ConfigError, ...] = ()
    errors: tuple[ConfigError, ...] = ()


def translate(objects: Iterable[V2Object], place: Place) -> V2Translation:
    """Documents for a site on a host or in a namespace. Nothing raises."""
    return _Translator(list(objects), place).result()


class _Translator:
    """One translation in the making."""

    def __init__(self, objects: list[V2Object], place: Place) -> None:
        self._objects, self._place = objects, place
        self._documents: dict[tuple[str, str], Document] = {}
        self._tokens: list[TokenRequest] = []
        self._others: list[V2Object] = []
        self._site: SiteRequest | None = None
        self._access: tuple[int, str, tuple[str, ...]] | None = None  # Of a RouterAccess.
        self._errors: list[ConfigError] = []
        self._notes: list[ConfigError] = []
        self._seen: dict[tuple[str, str], V2Object] = {}
        self._heard: dict[tuple[str, int], V2Object] = {}  # Who listens at a host and port.
        self._listened: dict[str, V2Object] = {}
        self._secrets = {o.name: o for o in objects if o.kind == "Secret" and not _is_v2(o)}

    def result(self) -> V2Translation:
        """All of it."""
        spaces = {one.namespace for one in self._objects if _is_v2(one)} - {""}
        links = self._link_secrets()
        for one in self._objects:
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
            site=self._whole_site(),
            tokens=tuple(self._tokens),
            others=tuple(self._others),
            notes=tuple(self._notes),
            errors=tuple(self._errors),
        )

    def _whole_site(self) -> SiteRequest | None:
        """The Site with its RouterAccess, which alone makes a site accept links, too."""
        if self._site is None or self._access is None:
            return self._site
        port, bind_ip, hosts = self._access
        return msgspec.structs.replace(
            self._site, ingress="host", port=port, bind_ip=bind_ip, hosts=hosts
        )

    def _link_secrets(self) -> set[str]:
        named = (one.spec.get("tlsCredentials") for one in self._objects if one.kind == "Link")
        return {name for name in named if isinstance(name, str)}

    # What all kinds have in common --------------------------------------------------------------

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
        if one.namespace and len(spaces) > 1:
            told = ", ".join(sorted(spaces)[:5])
            hint = "Apply the objects of each namespace at the site of that namespace"
            reader.wrong("metadata.namespace", f"objects of several namespaces: {told}", hint)
            return False
        first = self._seen.setdefault((one.kind, one.name), one)
        if first is not one:
            where = f"{first.source}:{first.line}" if first.line else first.source
            reader.wrong("metadata.name", f"is already at {where}", "Keep one of them")
            return False
        reader.judge_fields()
        return True

    def _take(self, one: V2Object, reader: SpecReader) -> None:
        match one.kind:
            case "Site":
                self._take_site(one, reader)
            case "RouterAccess":
                self._take_access(one, reader)
            case "Listener":
                self._take_listener(one, reader)
            case "Connector":
                self._take_connector(one, reader)
            case "MultiKeyListener":
                self._take_several_keys(one, reader)
            case "Link":
                self._take_link(one, reader)
            case "AccessToken":
                reader.wrong(
                    "spec.url",
                    "this token was issued by a Skupper site and is not redeemed here, since that "
                    "would use it up",
                    _TOKEN,
                )
            case "AccessGrant":
                reader.wrong(
                    "",
                    "tokens of Spillway are not made by an AccessGrant, which would have to hand "
                    "out a private key",
                    "Make one with: sitectl token create FILE",
                )
            case "AttachedConnector" | "AttachedConnectorBinding":
                self._take_attached(one, reader)
            case _:
                raise AssertionError(f"{one.kind} is in `fields.FIELDS`, and not taken here")

    def _put(self, one: V2Object, kind: Kind, name: str, spec: Any) -> None:
        document = Document(kind=kind, name=name, spec=spec, source=one.source, line=one.line)
        self._documents.setdefault((kind, name), document)

    def _key(self, reader: SpecReader, path: str = "routingKey") -> str | None:
        key = reader.text(path, required=True)
        if key is None:
            return None
        if not is_routing_key(key):
            reason = f"{key[:80]!r} is no routing key: expected 1 to "
            reason += f"{limits.ROUTING_KEY_CHARS_MAX} visible characters"
            reader.wrong(f"spec.{path}", reason, "Use another key at all sites")
            return None
        return key

    def _declare(self, one: V2Object, key: str) -> str:
        service = service_of(key)
        self._put(one, "Service", service, declaration_of(key))
        return service

    # Sites --------------------------------------------------------------------------------------

    def _take_site(self, one: V2Object, reader: SpecReader) -> None:
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
        """Our word for ``linkAccess``."""
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

    def _take_access(self, one: V2Object, reader: SpecReader) -> None:
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

    # Listeners ----------------------------------------------------------------------------------

    def _take_listener(self, one: V2Object, reader: SpecReader) -> None:
        key = self._key(reader)
        self._refuse_type(reader)
        self._refuse_listener_tls(reader)
        self._note_pods(reader)
        self._listen(one, reader, key)

    def _listen(self, one: V2Object, reader: SpecReader, key: str | None) -> None:
        port = reader.port("port", required=True)
        host = self._host(reader)
        if key is None or port is None or host is None or reader.errors:
            return
        other = self._heard.setdefault((host, port), one)
        if other is not one:
            reason = f"{host}:{port} is already that of {other.kind}/{other.name}"
            reader.wrong("spec.port", reason, "Choose another host or port")
            return
        service = service_of(key)
        other = self._listened.setdefault(service, one)
        if other is not one:
            reader.wrong(
                "spec.routingKey",
                f"{other.kind}/{other.name} already listens for key {key!r} at this site",
                "Let clients of both use one host and port",
            )
            return
        self._declare(one, key)
        if self._place == "namespace":
            spec = ListenerSpec(service=service, listen=str(port), host=host)
        else:
            bracketed = f"[{host}]" if ":" in host else host
            spec = ListenerSpec(
                service=service, listen=f"{bracketed}:{port}" if host else str(port)
            )
        self._put(one, "Listener", one.name, spec)

    def _host(self, reader: SpecReader) -> str | None:
        """Where a Listener listens: a Service's name, or the address that is bound."""
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
        strategy = reader.mapping("strategy")
        keys: list[str] = []
        for word in ("priority", "weighted"):
            chosen = strategy.get(word)
            told = chosen.get("routingKeys") if isinstance(chosen, Mapping) else None
            if isinstance(told, Mapping | list):
                keys += [str(key) for key in told]
        self._refuse_listener_tls(reader)
        if reader.boolean("requireClientCert"):
            reader.wrong("spec.requireClientCert", "certificates of clients are not checked", "")
        if len(keys) == 1 and is_routing_key(keys[0]):
            self._listen(one, reader, keys[0])
            return
        reader.wrong(
            "spec.strategy",
            f"one listener for {len(keys)} routing keys is not possible: a policy orders the sites "
            "of one service, not several services",
            "Give the Connectors of these keys one routing key, then order their sites: sitectl "
            "service set KEY --policy failover, or --policy split with --weight SITE=N",
        )

    def _refuse_type(self, reader: SpecReader) -> None:
        kind = reader.text("type") or "tcp"
        if kind != "tcp":
            reader.wrong("spec.type", f"{kind[:40]!r} is not possible", "Leave type out, or tcp")

    def _refuse_listener_tls(self, reader: SpecReader) -> None:
        if reader.text("tlsCredentials"):
            reader.wrong(
                "spec.tlsCredentials",
                "TLS towards clients is a setting of a service, for all of its sites",
                "Leave it out, and let client and server agree on TLS; or declare the service: "
                "sitectl service create NAME PORT --tls-cert CREDENTIAL",
            )

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
        port = reader.port("port", required=True)
        selector, host = reader.text("selector") or "", reader.text("host") or ""
        if bool(selector) == bool(host):
            told = "both" if selector else "neither"
            reader.wrong("spec", f"{told} of selector and host", "Give exactly one of them")
        elif selector and self._place == "host":
            hint = "Give host: the address where the server listens"
            reader.wrong("spec.selector", "a host has no pods", hint)
        elif host and not is_host(host):
            reader.wrong("spec.host", f"{host[:80]!r} is no host", "Give a name or an address")
        credential = self._credential(reader)
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
            # v2 checks no name and shows no certificate unless it is asked to; ours does both.
            tls_check_name=not credential or check_name,
            tls_show_cert=not credential or show,
        )
        self._put(one, "Connector", one.name, spec)

    def _credential(self, reader: SpecReader) -> str:
        name = reader.text("tlsCredentials") or ""
        if name and not is_name(name):
            reason = f"{name[:80]!r} is no name of a credential: expected one DNS label"
            reader.wrong("spec.tlsCredentials", reason, "Rename the Secret")
            return ""
        return name

    def _take_attached(self, one: V2Object, reader: SpecReader) -> None:
        reader.wrong(
            "",
            "pods of another namespace are not selected from here",
            "Make a Service for them there and bind it here: sitectl service bind KEY service "
            "NAME.NAMESPACE",
        )

    # Links --------------------------------------------------------------------------------------

    def _take_link(self, one: V2Object, reader: SpecReader) -> None:
        cost = reader.integer("cost")
        name = reader.text("tlsCredentials") or ""
        secret = self._secrets.get(name)
        proxy = reader.mapping("settings").get("proxy-configuration")
        if secret is None:
            text = f"there is no Secret {name[:80]!r} with a token of Spillway"
            reason = text if name else "there is no Secret"
            reader.wrong("spec.tlsCredentials", reason, f"Put it beside the Link. {_TOKEN}")
        elif not any(str(key).startswith("spillway.dev/") for key in secret.annotations):
            reader.wrong(
                "spec.tlsCredentials",
                f"Secret {name!r} was issued by a Skupper site, whose routers speak another "
                "protocol; nothing is dialled",
                _TOKEN,
            )
        if reader.errors or secret is None:
            return
        reader.mappings("endpoints")  # The token has them, signed.
        counted = None if cost is None else min(max(cost, limits.COST_MIN), limits.COST_MAX)
        token = TokenRequest(
            name=one.name,
            secret=secret.whole,
            cost=counted,
            proxy_secret=proxy if isinstance(proxy, str) else "",
        )
        self._tokens.append(token)


def _is_v2(one: V2Object) -> bool:
    return one.api_version.partition("/")[0] == GROUP
