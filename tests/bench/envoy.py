"""Envoy as a peer: ``envoy`` with a connection per TCP client, ``envoy-tunnel`` by CONNECT."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import msgspec

from tests.bench.load import ROOT
from tests.bench.peer_parts import HOST, PEER_NAME, Ports, make_ports, peer_credentials, with_http2
from tests.bench.systems import Backends, Kind, Processes, System

INSTALLED = ROOT / "build" / "bench" / "bin" / "envoy"  # By tests/bench/setup.
MANY = 1_000_000
Json = dict[str, Any]


def program() -> str | None:
    """Where it is."""
    return shutil.which("envoy") or (str(INSTALLED) if INSTALLED.exists() else None)


def version() -> str:
    """The version of the installed Envoy."""
    done = subprocess.run([program() or "envoy", "--version"], capture_output=True, text=True)
    return done.stdout.strip().rpartition(" ")[2].removesuffix("/Clean/RELEASE/BoringSSL")


def start(processes: Processes, backends: Backends) -> System:
    """HTTP over HTTP/2 to the exit; for each TCP connection one of TLS."""
    ports, exits = make_ports(backends)
    tls = _Tls(processes.directory)
    entry, exit_ = _Config(), _Config()
    for (kind, path), port in ports.items():
        name = f"{kind}_{path}"
        http = kind == "http"
        if path == "L":
            entry.listener(port, _http(name) if http else _tcp(name))
            entry.cluster(name, backends.ports[kind])
            continue
        entry.listener(port, _http(name) if http else _tcp(name))
        entry.cluster(name, exits[kind], tls.dialing("h2" if http else ""), http2=http)
        exit_.listener(exits[kind], _http(name) if http else _tcp(name), tls.accepting(http))
        exit_.cluster(name, backends.ports[kind])
    pids = _run(processes, "envoy", entry, exit_, [*ports.values()], [*exits.values()])
    return System("envoy", pids, HOST, with_http2(ports))


def start_tunnel(processes: Processes, backends: Backends) -> System:
    """TCP over one hop in streams of HTTP/2, nothing else."""
    every, exits = make_ports(backends)
    ports: Ports = {door: every[door] for door in every if door[1] == "R" and door[0] != "http"}
    tls = _Tls(processes.directory)
    entry, exit_ = _Config(), _Config()
    used: list[Kind] = [kind for kind, _ in ports]
    for kind in used:
        tunnel = {"tunneling_config": {"hostname": f"{kind}.bench:1"}}
        entry.listener(ports[kind, "R"], _tcp(kind, tunnel))
        entry.cluster(kind, exits[kind], tls.dialing("h2"), http2=True)
        exit_.listener(exits[kind], _http(kind, is_tunnel=True), tls.accepting(http=True))
        exit_.cluster(kind, backends.ports[kind])
    waited = [exits[kind] for kind in used]
    pids = _run(processes, "envoy-tunnel", entry, exit_, [*ports.values()], waited)
    return System("envoy-tunnel", pids, HOST, ports)


class _Config:
    """Listeners and clusters of one process."""

    def __init__(self) -> None:
        self._listeners: list[Json] = []
        self._clusters: list[Json] = []

    def listener(self, port: int, network_filter: Json, tls: Json | None = None) -> None:
        """One that accepts on ``port``."""
        chain = {"filters": [network_filter]} | ({"transport_socket": tls} if tls else {})
        self._listeners.append(
            {
                "address": _address(port),
                "filter_chains": [chain],
                "tcp_backlog_size": 4096,
            }
        )

    def cluster(
        self, name: str, port: int, tls: Json | None = None, *, http2: bool = False
    ) -> None:
        """One host at ``port``."""
        endpoint = {"endpoint": {"address": _address(port)}}
        limits = {"max_connections": MANY, "max_pending_requests": MANY, "max_requests": MANY}
        made: Json = {
            "name": name,
            "type": "STATIC",
            "connect_timeout": "5s",
            "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]},
            "circuit_breakers": {"thresholds": [limits]},
        }
        if http2:
            made["typed_extension_protocol_options"] = {
                "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                    "@type": _type("upstreams.http.v3.HttpProtocolOptions"),
                    "explicit_http_config": {"http2_protocol_options": {}},
                }
            }
        self._clusters.append(made | ({"transport_socket": tls} if tls else {}))

    def write(self, path: Path) -> None:
        """As Envoy reads it."""
        static = {"listeners": self._listeners, "clusters": self._clusters}
        path.write_bytes(msgspec.json.encode({"static_resources": static}))


class _Tls:
    """TLS 1.3 both ways with the certificate of all peers."""

    def __init__(self, directory: Path) -> None:
        pem = {"filename": str(peer_credentials(directory) / "peer.pem")}
        self._common: Json = {
            "tls_params": {
                "tls_minimum_protocol_version": "TLSv1_3",
                "tls_maximum_protocol_version": "TLSv1_3",  # Else 1.2, at which it dials.
            },
            "tls_certificates": [{"certificate_chain": pem, "private_key": pem}],
            "validation_context": {"trusted_ca": pem},
        }

    def dialing(self, alpn: str) -> Json:
        """Of a cluster."""
        context = {"common_tls_context": self._offering(alpn), "sni": PEER_NAME}
        return _named("transport_sockets.tls", "UpstreamTlsContext", context)

    def accepting(self, http: bool) -> Json:
        """Of a listener; it requires a certificate."""
        context = {
            "common_tls_context": self._offering("h2" if http else ""),
            "require_client_certificate": True,
        }
        return _named("transport_sockets.tls", "DownstreamTlsContext", context)

    def _offering(self, alpn: str) -> Json:
        return self._common | ({"alpn_protocols": [alpn]} if alpn else {})


def _run(
    processes: Processes,
    name: str,
    entry: _Config,
    exit_: _Config,
    entry_ports: list[int],
    exit_ports: list[int],
) -> tuple[int, ...]:
    found = program()
    assert found is not None
    pids = []
    for end, config, ports in (("exit", exit_, exit_ports), ("entry", entry, entry_ports)):
        path = processes.directory / f"{name}-{end}.json"
        config.write(path)
        command = [found, "-c", str(path), "--concurrency", "2", "-l", "error"]
        pids.append(processes.start([*command, "--disable-hot-restart"], wait_for=ports))
    return tuple(pids)


def _http(cluster: str, *, is_tunnel: bool = False) -> Json:
    """A listener's filter that passes every request, or what CONNECT carries, to ``cluster``."""
    route: Json = {"cluster": cluster, "timeout": "0s"}
    if is_tunnel:
        route["upgrade_configs"] = [{"upgrade_type": "CONNECT", "connect_config": {}}]
    match: Json = {"connect_matcher": {}} if is_tunnel else {"prefix": "/"}
    routes = [{"match": match, "route": route}]
    config: Json = {
        "stat_prefix": cluster,
        "codec_type": "AUTO",
        "route_config": {"virtual_hosts": [{"name": cluster, "domains": ["*"], "routes": routes}]},
        "http_filters": [_named("filters.http.router", "Router", {})],
    }
    if is_tunnel:
        config["http2_protocol_options"] = {"allow_connect": True}
        config["upgrade_configs"] = [{"upgrade_type": "CONNECT"}]
    return _named("filters.network.http_connection_manager", "HttpConnectionManager", config)


def _tcp(cluster: str, more: Json | None = None) -> Json:
    config = {"stat_prefix": cluster, "cluster": cluster} | (more or {})
    return _named("filters.network.tcp_proxy", "TcpProxy", config)


def _named(package: str, kind: str, config: Json) -> Json:
    """An extension as Envoy wants it named and typed."""
    return {
        "name": f"envoy.{package}",
        "typed_config": {"@type": _type(f"{package}.v3.{kind}"), **config},
    }


def _type(what: str) -> str:
    return f"type.googleapis.com/envoy.extensions.{what}"


def _address(port: int) -> Json:
    return {"socket_address": {"address": HOST, "port_value": port}}
