"""HAProxy, nginx and Envoy in the same place, where installed: an entry and an exit process.

All with mutual TLS 1.3 between them, two threads or workers, and connections kept open towards the
other end and the backend as far as they can: HAProxy and Envoy HTTP over HTTP/2, nginx HTTP/1.1
with a pool, one TLS connection per client connection for TCP; but `envoy-tunnel` carries TCP in
streams of HTTP/2 (CONNECT), as `skupper-router` does in AMQP and we do in frames.
"""

import os
import shutil
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from tests.bench import envoy
from tests.bench.peer_parts import HOST, PEER_NAME, Ports, make_ports, peer_credentials, with_http2
from tests.bench.systems import Backends, Kind, Processes, System

STREAM_MODULES = ("/usr/lib/nginx/modules", "/usr/lib64/nginx/modules")


NAMES = ("haproxy", "nginx", "envoy", "envoy-tunnel")


def installed(names: Collection[str]) -> list[Callable[[Processes, Backends], System]]:
    """Those of ``names`` that can be started here."""
    is_here = {name: shutil.which(name) is not None for name in ("haproxy", "nginx")}
    is_here |= dict.fromkeys(("envoy", "envoy-tunnel"), envoy.program() is not None)
    starts = dict(
        zip(NAMES, (start_haproxy, start_nginx, envoy.start, envoy.start_tunnel), strict=True)
    )
    return [starts[name] for name in NAMES if name in names and is_here[name]]


def start_haproxy(processes: Processes, backends: Backends) -> System:
    """HAProxy, two threads each."""
    ports, exits = make_ports(backends)
    targets = backends.ports
    pem = peer_credentials(processes.directory) / "peer.pem"
    common = (
        "global\n  nbthread 2\n  maxconn 6000\n  ssl-default-bind-options ssl-min-ver TLSv1.3\n"
        "defaults\n  timeout connect 5s\n  timeout client 300s\n  timeout server 300s\n"
        "  http-reuse always\n  option splice-auto\n"
    )
    entry, exit_ = common, common
    for kind, path in ports:
        http = kind == "http"
        head = f"listen {kind}-{path}\n  mode {'http' if http else 'tcp'}\n"
        alpn = " alpn h2" if http else ""
        tls = f" ssl crt {pem} ca-file {pem} verify required{alpn}"
        entry += f"{head}  bind {HOST}:{ports[kind, path]}\n"
        if path == "L":
            entry += f"  server target {HOST}:{targets[kind]}\n"
        else:
            entry += f"  server exit {HOST}:{exits[kind]}{tls}\n"
            exit_ += f"{head}  bind {HOST}:{exits[kind]}{tls}\n"
            exit_ += f"  server target {HOST}:{targets[kind]}\n"
    pids = []
    for name, text, wait_for in (("exit", exit_, exits), ("entry", entry, ports)):
        path_ = processes.directory / f"haproxy-{name}.conf"
        path_.write_text(text)
        command = ["haproxy", "-db", "-f", str(path_)]
        pids.append(processes.start(command, wait_for=list(wait_for.values())))
    return System("haproxy", tuple(pids), HOST, with_http2(ports))


def start_nginx(processes: Processes, backends: Backends) -> System:
    """nginx, two workers each; TCP where its stream module is."""
    ports, exits = make_ports(backends)
    targets = backends.ports
    module = _stream_module()
    if module is None:
        ports = {door: port for door, port in ports.items() if door[0] == "http"}
        exits = {kind: port for kind, port in exits.items() if kind == "http"}
    credentials = peer_credentials(processes.directory)
    pids = []
    for name in ("exit", "entry"):
        path = processes.directory / f"nginx-{name}.conf"
        http, stream = _nginx_servers(name, ports, exits, targets, credentials)
        text = f"load_module {module};\n" if module is not None else ""
        text += (
            "worker_processes 2; daemon off; error_log stderr crit;\n"
            f"pid {processes.directory}/nginx-{name}.pid;\n"
            "events { worker_connections 8192; }\n"
            f"http {{ access_log off; keepalive_requests 100000000; "
            f"proxy_max_temp_file_size 0;\n{_temporary(processes.directory)}{http}}}\n"
        )
        if module is not None:
            text += f"stream {{\n{stream}}}\n"
        path.write_text(text)
        wait_for = list((exits if name == "exit" else ports).values())
        pids.append(processes.start(["nginx", "-e", "stderr", "-c", str(path)], wait_for=wait_for))
    return System("nginx", tuple(pids), HOST, ports)


def _nginx_servers(
    name: str, ports: Ports, exits: dict[Kind, int], targets: Mapping[Kind, int], credentials: Path
) -> tuple[str, str]:
    """The servers of one process: those of its http block, and those of its stream block."""
    files = (
        f"ssl_certificate {credentials}/peer.pem; ssl_certificate_key {credentials}/peer.pem; "
        "ssl_protocols TLSv1.3; "
    )
    accepts = f"{files}ssl_verify_client on; ssl_client_certificate {credentials}/peer.pem; "
    dials = "".join(f"proxy_{word}; " for word in files.rstrip("; ").split("; "))
    dials += (
        f"proxy_ssl_verify on; proxy_ssl_trusted_certificate {credentials}/peer.pem; "
        f"proxy_ssl_name {PEER_NAME}; "
    )
    http = stream = ""
    for door in ports:
        kind, path = door
        if name == "exit":
            if path == "L":
                continue
            listen, options, target = f"{exits[kind]} ssl", accepts, targets[kind]
        else:
            listen = str(ports[door])
            options = dials + ("" if kind == "http" else "proxy_ssl on; ") if path == "R" else ""
            target = exits[kind] if path == "R" else targets[kind]
        listen = f"listen {HOST}:{listen} backlog=4096;"
        if kind == "http":
            scheme = "https" if name == "entry" and path == "R" else "http"
            http += (
                f"upstream {path} {{ server {HOST}:{target}; keepalive 256; "
                "keepalive_requests 100000000; }\n"
                f"server {{ {listen} {options}location / {{ proxy_pass {scheme}://{path}; "
                'proxy_http_version 1.1; proxy_set_header Connection ""; } }\n'
            )
        else:
            stream += f"server {{ {listen} {options}proxy_pass {HOST}:{target}; "
            stream += "proxy_half_close on; }\n"
    return http, stream


def _stream_module() -> Path | None:
    folders = [*STREAM_MODULES, *os.environ.get("NGINX_MODULES", "").split(":")]
    paths = (Path(folder) / "ngx_stream_module.so" for folder in folders if folder)
    return next((path for path in paths if path.exists()), None)


def _temporary(directory: Path) -> str:
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    return "".join(f"  {kind}_temp_path {directory}/{kind};\n" for kind in kinds)
