"""HAProxy and nginx in the same place, where they are installed: an entry and an exit process.

Both with mutual TLS 1.3 between them, two threads or workers, and connections kept open towards
the other end and the backend as far as they can: HAProxy HTTP over HTTP/2, nginx HTTP/1.1 with a
pool, one TLS connection per client connection for TCP.
"""

import datetime
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.bench.machine import free_ports
from tests.bench.systems import Backends, Kind, Path_, Processes, System

HOST = "127.0.0.1"
PEER_NAME = "peer.bench"
STREAM_MODULES = ("/usr/lib/nginx/modules", "/usr/lib64/nginx/modules")
DOORS: tuple[tuple[Kind, Path_], ...] = (
    ("http", "L"), ("http", "R"), ("tcp", "L"), ("tcp", "R"), ("bulk", "L"), ("bulk", "R"),
)  # fmt: skip
Ports = dict[tuple[Kind, Path_], int]


def installed() -> list[Callable[[Processes, Backends], System]]:
    """What can be started here."""
    known = {"haproxy": start_haproxy, "nginx": start_nginx}
    return [start for name, start in known.items() if shutil.which(name)]


def start_haproxy(processes: Processes, backends: Backends) -> System:
    """HAProxy, two threads each."""
    ports, exits, targets = _ports(backends)
    pem = _credentials(processes.directory) / "peer.pem"
    common = (
        "global\n  nbthread 2\n  maxconn 8000\n  ssl-default-bind-options ssl-min-ver TLSv1.3\n"
        "defaults\n  timeout connect 5s\n  timeout client 300s\n  timeout server 300s\n"
        "  http-reuse always\n"
    )
    entry, exit_ = common, common
    for kind, path in DOORS:
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
    return System("haproxy", tuple(pids), HOST, ports)


def start_nginx(processes: Processes, backends: Backends) -> System:
    """nginx, two workers each; TCP where its stream module is."""
    ports, exits, targets = _ports(backends)
    module = _stream_module()
    if module is None:
        ports = {door: port for door, port in ports.items() if door[0] == "http"}
        exits = {kind: port for kind, port in exits.items() if kind == "http"}
    credentials = _credentials(processes.directory)
    pids = []
    for name in ("exit", "entry"):
        path = processes.directory / f"nginx-{name}.conf"
        http, stream = _nginx_servers(name, ports, exits, targets, credentials)
        text = f"load_module {module};\n" if module is not None else ""
        text += (
            "worker_processes 2; daemon off; error_log stderr crit;\n"
            f"pid {processes.directory}/nginx-{name}.pid;\n"
            "events { worker_connections 8192; }\n"
            f"http {{ access_log off;\n{_temporary(processes.directory)}{http}}}\n"
        )
        if module is not None:
            text += f"stream {{\n{stream}}}\n"
        path.write_text(text)
        wait_for = list((exits if name == "exit" else ports).values())
        pids.append(processes.start(["nginx", "-e", "stderr", "-c", str(path)], wait_for=wait_for))
    return System("nginx", tuple(pids), HOST, ports)


def _nginx_servers(
    name: str, ports: Ports, exits: dict[Kind, int], targets: dict[Kind, int], credentials: Path
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
                f"upstream {path} {{ server {HOST}:{target}; keepalive 256; }}\n"
                f"server {{ {listen} {options}location / {{ proxy_pass {scheme}://{path}; "
                'proxy_http_version 1.1; proxy_set_header Connection ""; } }\n'
            )
        else:
            stream += f"server {{ {listen} {options}proxy_pass {HOST}:{target}; "
            stream += "proxy_half_close on; }\n"
    return http, stream


def _ports(backends: Backends) -> tuple[Ports, dict[Kind, int], dict[Kind, int]]:
    """Ports of the entry, of the exit, and of what is behind."""
    numbers = free_ports(len(DOORS) + 3)
    exits: dict[Kind, int] = dict(zip(("http", "tcp", "bulk"), numbers[-3:], strict=True))
    targets: dict[Kind, int] = {
        "http": backends.http, "tcp": backends.http, "bulk": backends.bulk,
    }  # fmt: skip
    return dict(zip(DOORS, numbers[: len(DOORS)], strict=True)), exits, targets


def _stream_module() -> Path | None:
    folders = [*STREAM_MODULES, *os.environ.get("NGINX_MODULES", "").split(":")]
    paths = (Path(folder) / "ngx_stream_module.so" for folder in folders if folder)
    return next((path for path in paths if path.exists()), None)


def _temporary(directory: Path) -> str:
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    return "".join(f"  {kind}_temp_path {directory}/{kind};\n" for kind in kinds)


def _credentials(directory: Path) -> Path:
    """A folder with ``peer.pem``: key and certificate that both ends show and trust."""
    path = directory / "peer.pem"
    if path.exists():
        return directory
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, PEER_NAME)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(PEER_NAME)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path.touch(mode=0o600)
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return directory
