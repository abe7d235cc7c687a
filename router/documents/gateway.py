"""Skupper v1's gateway YAML as values: the bindings and forwards of a gateway on a host.

Reads the form that Skupper's commands write and its documentation shows, and writes a form that
these commands would read. Shape (Skupper 1.9, `client/gateway.go:GatewayConfig`,
`types.GatewayEndpoint`)::

    name: db-host
    bindings:                       # a service of the network <- a port of this host
      - name: db                    # human-readable
        host: localhost
        service: {address: "database:5432", protocol: tcp, ports: [5432]}
        target_ports: [5432]
    forwards:                       # a port of this host -> a service of the network
      - {name: api, loopback: true, service: {address: "api:8080", ports: [9090]}}
    qdr-listeners: [{name: amqp, host: localhost, port: 5672}]     # not used here

Error codes: SW0640 a value, SW0641 an unknown key, SW0642 ports that do not fit together, SW0643
entries that contradict each other, SW0644 (a warning) an entry without effect, SW0645 not gateway
YAML.
"""

from collections.abc import Callable
from typing import Any, Final, Literal

import msgspec
import yaml

from router.documents import quantities, readers
from router.documents.addresses import is_host
from router.documents.nodes import Findings, Mapping, Node, Scalar, Sequence, parse
from router.documents.readers import BAD, Bad
from router.model import limits
from router.model.errors import ConfigError

Protocol = Literal["tcp", "http", "http2"]

VALUE, UNKNOWN, PORTS, CONTRADICTION, UNUSED, SHAPE = (
    *("SW0640", "SW0641", "SW0642"),
    *("SW0643", "SW0644", "SW0645"),
)

_TOP: Final = ("name", "bindings", "forwards", "qdr-listeners")
_ENDPOINT: Final = ("name", "host", "service", "target_ports", "loopback", "local_port")
_SERVICE: Final = ("address", "protocol", "ports")
_SERVICE_READ: Final = (*_SERVICE, "port", "target_ports")
_LISTENER: Final = ("name", "host", "port")
# Further fields that Skupper writes; `_is_off` says whether a value asks for anything.
_SERVICE_UNUSED: Final = frozenset(
    (
        *("eventchannel", "aggregate", "headless", "labels", "annotations", "targets", "origin"),
        *("enabletls", "tlscredentials", "tlscertauthority", "publishnotreadyaddresses"),
        *("exposeingress", "bridgeimage", "containername", "namespace"),
    )
)
_SPELLED: Final = {
    "target-ports": "target_ports",
    "targetPorts": "target_ports",
    "local-port": "local_port",
    "localPort": "local_port",
    "qdr_listeners": "qdr-listeners",
    "qdrListeners": "qdr-listeners",
}


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """One binding or forward. ``address``: the service, ``address_port``: the part after its colon.

    Of a binding: ``host`` serves at ``target_ports`` (otherwise at ``ports``). Of a forward: listen
    on ``host`` (an interface, empty for all) at ``ports``. ``line`` counts from 1, 0: unknown.
    """

    name: str = ""
    host: str = ""
    address: str
    address_port: int | None = None
    protocol: Protocol = "tcp"
    ports: tuple[int, ...]
    target_ports: tuple[int, ...] = ()
    loopback: bool = False
    local_port: int | None = None
    line: int = 0


class QdrListener(msgspec.Struct, frozen=True, kw_only=True):
    """Where Skupper's router would listen for AMQP; stored only to be written back."""

    name: str = ""
    host: str = ""
    port: int


class Gateway(msgspec.Struct, frozen=True, kw_only=True):
    """A gateway, as in its YAML."""

    name: str
    bindings: tuple[Endpoint, ...] = ()
    forwards: tuple[Endpoint, ...] = ()
    qdr_listeners: tuple[QdrListener, ...] = ()


def looks_like_gateway(text: str) -> bool:
    """Whether ``text`` is gateway YAML rather than documents, valid or not: by its top-level
    keys."""
    nodes = parse(text, Findings(""))
    if len(nodes) != 1 or not isinstance(nodes[0], Mapping):
        return False
    keys = {_SPELLED.get(key.value, key.value) for key, _ in nodes[0].entries}
    return not keys & {"kind", "apiVersion"} and bool(keys & {*_TOP[1:]})


def read_gateway(text: str, source: str) -> tuple[Gateway | None, list[ConfigError]]:
    """The gateway in ``text``, with errors and warnings; None: it cannot be used.

    Errors have line, column, the expected form and the nearest valid word; warnings (severity
    ``warning``) name entries without effect here.
    """
    findings = Findings(source)
    warnings: list[ConfigError] = []
    found = _gateway(findings, warnings, parse(text, findings))
    errors = [_recoded(error) for error in findings.errors]
    everything = sorted([*errors, *warnings], key=lambda error: (error.line, error.column))
    return (None if errors else found), everything


def _recoded(error: ConfigError) -> ConfigError:
    """``error`` with a code of this format, if a reader of single values noted it."""
    if error.code == "SW0101":
        error.code = VALUE
    return error


def _gateway(findings: Findings, warnings: list[ConfigError], nodes: list[Node]) -> Gateway | None:
    if len(nodes) != 1 or not isinstance(nodes[0], Mapping):
        if not findings.errors:
            what = "a mapping with name, bindings and forwards"
            got = readers.shown(nodes[0]) if len(nodes) == 1 else f"{len(nodes)} documents"
            place = nodes[0] if nodes else Mapping(1, 1)
            hint = "sitectl gateway export-config FILE writes one"
            findings.add(place, "", f"expected {what}, got {got}", hint, SHAPE)
        return None
    reader = _Reader(findings, warnings)
    fields = reader.fields(nodes[0], "$", _TOP)
    named = fields.get("name")
    if named is None:
        findings.add(nodes[0], "$", "field 'name' is missing", "Add name: NAME, the gateway's")
    name = BAD if named is None else _words(findings, named, "$.name")
    bindings = reader.entries(fields, "bindings", reader.endpoint)
    forwards = reader.entries(fields, "forwards", reader.endpoint)
    listeners = reader.entries(fields, "qdr-listeners", reader.listener)
    if listeners and not findings.errors:
        reader.unused(fields["qdr-listeners"], "$.qdr-listeners", "there is no AMQP here")
    if isinstance(name, Bad):
        return None
    return Gateway(name=name, bindings=bindings, forwards=forwards, qdr_listeners=listeners)


class _Reader:
    """Reads one text; notes errors, and separately entries without effect."""

    __slots__ = ("_findings", "_warnings")

    def __init__(self, findings: Findings, warnings: list[ConfigError]) -> None:
        self._findings, self._warnings = findings, warnings

    def fields(
        self, node: Mapping, path: str, known: tuple[str, ...], also: frozenset[str] = frozenset()
    ) -> dict[str, Node]:
        """The entries of ``node`` by their keys in ``known``; empty ones are left out."""
        found: dict[str, Node] = {}
        for key, value in node.entries:
            word = _SPELLED.get(key.value, key.value)
            if word.lower() in also:
                if not _is_off(value):
                    self.unused(key, f"{path}.{word}", f"{word} is of Skupper")
            elif word not in known:
                hint = readers.nearest(key.value, known)
                reason = f"unknown field {key.value[:40]!r}"
                self._findings.add(key, path, reason, hint, UNKNOWN)
            elif word in found:
                self._findings.add(key, path, f"{word} stands twice", "Keep one of them", UNKNOWN)
            elif not (isinstance(value, Scalar) and value.is_null):
                found[word] = value
        return found

    def unused(self, node: Node, path: str, why: str) -> None:
        """Note an entry without effect here."""
        if len(self._warnings) < limits.CONFIG_ERRORS_MAX:
            self._warnings.append(
                ConfigError(
                    self._findings.source,
                    path,
                    f"has no effect here: {why}",
                    line=node.line,
                    column=node.column,
                    code=UNUSED,
                    severity="warning",
                )
            )

    def entries(
        self, fields: dict[str, Node], key: str, read: Callable[[Mapping, str], Any]
    ) -> tuple[Any, ...]:
        """Every entry of a list that ``read`` accepts."""
        node = fields.get(key)
        if node is None:
            return ()
        if not isinstance(node, Sequence):
            got = readers.shown(node)
            self._findings.add(node, f"$.{key}", f"expected a list, got {got}", "Begin with '- '")
            return ()
        most = limits.GATEWAY_ENTRIES_MAX
        if len(node.items) > most:
            reason = f"expected at most {most} entries, got {len(node.items)}"
            self._findings.add(node, f"$.{key}", reason)
            return ()
        found = []
        for index, item in enumerate(node.items):
            path = f"$.{key}[{index}]"
            if isinstance(item, Mapping):
                found.append(read(item, path))
            else:
                got = readers.shown(item)
                self._findings.add(item, path, f"expected a mapping, got {got}")
        return tuple(entry for entry in found if not isinstance(entry, Bad))

    def endpoint(self, node: Mapping, path: str) -> Endpoint | Bad:
        """A binding or a forward."""
        fields = self.fields(node, path, _ENDPOINT)
        service = fields.get("service")
        if not isinstance(service, Mapping):
            got = "nothing" if service is None else readers.shown(service)
            self._findings.add(
                service or node,
                f"{path}.service",
                f"expected a mapping with {', '.join(_SERVICE)}, got {got}",
                "service: {address: NAME:PORT, protocol: tcp, ports: [PORT]}",
            )
            return BAD
        # Published examples have target_ports one level too deep, where Skupper ignores it; its
        # first services had one port.
        inner = self.fields(service, f"{path}.service", _SERVICE_READ, _SERVICE_UNUSED)
        if "target_ports" in inner:
            fields.setdefault("target_ports", inner["target_ports"])
        address = self._address(inner, service, f"{path}.service.address")
        values: dict[str, Any] = {
            "name": self._value(fields, "name", path, _words, ""),
            "host": self._value(fields, "host", path, _host, ""),
            "protocol": self._value(
                inner,
                "protocol",
                f"{path}.service",
                readers.WordReader("tcp", "http", "http2"),
                "tcp",
            ),
            "ports": self._value(inner, "ports", f"{path}.service", _ports, ()),
            "target_ports": self._value(fields, "target_ports", path, _ports, ()),
            "loopback": self._value(fields, "loopback", path, readers.boolean, False),
            "local_port": self._value(fields, "local_port", path, _port_in_quotes, None),
        }
        if isinstance(address, Bad) or any(isinstance(value, Bad) for value in values.values()):
            return BAD
        name, port = address
        first = self._value(inner, "port", f"{path}.service", quantities.port, port)
        if isinstance(first, Bad):
            return BAD
        values["ports"] = values["ports"] or values["target_ports"] or ((first,) if first else ())
        made = Endpoint(address=name, address_port=port, line=node.line, **values)
        reason, hint = _port_trouble(made)
        if reason:
            place = inner.get("ports") or service
            self._findings.add(place, f"{path}.service.ports", reason, hint, PORTS)
            return BAD
        return made

    def listener(self, node: Mapping, path: str) -> QdrListener | Bad:
        """An AMQP listener: accepted, because a file that names one must not be refused for it."""
        fields: dict[str, Node] = {}
        for key, value in node.entries:  # A dozen further keys are AMQP options.
            if key.value in _LISTENER and not (isinstance(value, Scalar) and value.is_null):
                fields[key.value] = value
        values = {
            "name": self._value(fields, "name", path, _words, ""),
            "host": self._value(fields, "host", path, _host, ""),
            "port": self._value(fields, "port", path, _port_in_quotes, 5672),
        }
        if any(isinstance(value, Bad) for value in values.values()):
            return BAD
        return QdrListener(**values)

    def _value(
        self, fields: dict[str, Node], key: str, path: str, read: readers.Reader, default: Any
    ) -> Any:
        node = fields.get(key)
        if node is None or (isinstance(node, Scalar) and not node.value):
            return default
        return read(self._findings, node, f"{path}.{key}")

    def _address(
        self, fields: dict[str, Node], service: Mapping, path: str
    ) -> tuple[str, int | None] | Bad:
        """``NAME`` or ``NAME:PORT``."""
        node = fields.get("address")
        if node is None:
            reason = "the service's address is missing"
            self._findings.add(service, path, reason, "address: NAME:PORT")
            return BAD
        value = readers.text_of(self._findings, node, path, "NAME:PORT")
        if isinstance(value, Bad):
            return BAD
        name, colon, digits = value.partition(":")
        port = int(digits) if digits.isascii() and digits.isdecimal() and len(digits) < 6 else 0
        if not readers.is_name(name) or (colon and not 1 <= port <= 65_535):
            reason = f"expected a service as NAME or NAME:PORT, got {readers.shown(node)}"
            hint = "Names have lower-case letters, digits and '-', ports are 1 to 65535"
            self._findings.add(node, path, reason, hint)
            return BAD
        return name, port if colon else None


def _is_off(node: Node) -> bool:
    """Whether a value asks for nothing: ``false``, null, an empty text, list or mapping."""
    match node:
        case Scalar():
            return node.is_null or node.value in ("", "false")
        case Sequence():
            return not node.items
        case Mapping():
            return not node.entries


def _words(findings: Findings, node: Node, path: str) -> str | Bad:
    """A readable name: visible characters, at most 253. Numbers count too."""
    if not isinstance(node, Scalar) or node.is_null:
        findings.add(node, path, f"expected a name, got {readers.shown(node)}")
        return BAD
    if not node.value.isprintable() or not 0 < len(node.value) <= limits.HOST_CHARS_MAX:
        reason = f"expected a name of 1 to {limits.HOST_CHARS_MAX} visible characters"
        findings.add(node, path, f"{reason}, got {readers.shown(node)}")
        return BAD
    return node.value


def _host(findings: Findings, node: Node, path: str) -> str | Bad:
    value = readers.text_of(findings, node, path, "a host name or address")
    bare = value if isinstance(value, Bad) else value.removeprefix("[").removesuffix("]")
    if isinstance(bare, Bad) or is_host(bare):
        return bare
    findings.add(
        node,
        path,
        f"expected a host name or address, got {readers.shown(node)}",
        "The port goes into target_ports",
    )
    return BAD


_port_list = readers.ListReader(quantities.port, limits.PORTS_PER_SERVICE_MAX, "ports")


def _ports(findings: Findings, node: Node, path: str) -> tuple[int, ...] | Bad:
    found: tuple[int, ...] | Bad = _port_list(findings, node, path)
    if isinstance(found, Bad) or len(set(found)) == len(found):
        return found
    findings.add(node, path, "a port stands twice", "Keep one of them", PORTS)
    return BAD


def _port_in_quotes(findings: Findings, node: Node, path: str) -> int | Bad:
    """A port, with or without quotes: Skupper stores this one as a text."""
    if isinstance(node, Scalar):
        node = Scalar(node.value, True, node.line, node.column)
    found: int | Bad = quantities.port(findings, node, path)
    return found


def _port_trouble(endpoint: Endpoint) -> tuple[str, str]:
    """Why the ports of an entry do not fit together, and the next step; empty: they fit."""
    count, at = len(endpoint.ports), endpoint.address_port
    if not count:
        return "no port is given", f"address: {endpoint.address}:PORT, or ports: [PORT]"
    if endpoint.target_ports and len(endpoint.target_ports) != count:
        return (
            f"ports has {count}, target_ports has {len(endpoint.target_ports)}",
            "Give one target port for each port, in their order",
        )
    if at is not None and count > 1 and at not in endpoint.ports:
        return (
            f"the address says port {at}, which is not one of the {count} ports",
            f"Write address: {endpoint.address}, and the service's ports into ports",
        )
    if endpoint.local_port is not None and count > 1:
        return "one local_port for several ports", "Write an entry for each port"
    return "", ""


def write_gateway(gateway: Gateway) -> str:
    """Canonical YAML of ``gateway``; `read_gateway` returns an equal value, except for lines."""
    fields: dict[str, Any] = {"name": gateway.name}
    for key, entries in (("bindings", gateway.bindings), ("forwards", gateway.forwards)):
        if entries:
            fields[key] = [_plain(entry) for entry in entries]
    if gateway.qdr_listeners:
        fields["qdr-listeners"] = [_set(msgspec.to_builtins(at)) for at in gateway.qdr_listeners]
    text: str = yaml.safe_dump(fields, sort_keys=False, allow_unicode=True, width=1_000)
    return text


def _plain(endpoint: Endpoint) -> dict[str, Any]:
    port = endpoint.address_port
    fields = {
        "name": endpoint.name,
        "host": endpoint.host,
        "service": {
            "address": endpoint.address if port is None else f"{endpoint.address}:{port}",
            "protocol": endpoint.protocol,
            "ports": list(endpoint.ports),
        },
        "target_ports": list(endpoint.target_ports),
        "loopback": endpoint.loopback,
        "local_port": "" if endpoint.local_port is None else str(endpoint.local_port),
    }
    return _set(fields)


def _set(fields: dict[str, Any]) -> dict[str, Any]:
    """``fields`` without empty ones."""
    return {key: value for key, value in fields.items() if value not in ("", [], False)}
