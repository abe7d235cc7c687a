"""A process site: documents in ``config/``, secrets in ``secrets/``, a router beside them.

Verbs write only ``config/KIND-NAME.yaml``.
"""

import contextlib
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

from certs.errors import CertError
from certs.files import locked, read_whole, sweep_temporaries
from router.documents import file_name, read_bytes, unreadable, write
from router.documents.addresses import split_host_port
from router.model.errors import ConfigError
from router.model.specs import Document, Kind
from sitectl.base import output
from sitectl.base.failure import Failure, timed_out
from sitectl.base.folders import GATEWAYS
from sitectl.base.texts import write_atomically
from sitectl.site import run_lock
from sitectl.site.admin import WHOLE_CALL_S, Admin
from sitectl.site.ports import LinkTokens, ServiceCredentials
from sitectl.site.site import Site

if TYPE_CHECKING:
    from certs.links.proxies import ProxyLogin
    from certs.names import Endpoint
    from certs.tls.service_tls import Contents
    from certs.token_files.tokens import Token
    from sitectl.site.directory_trust import DirectoryTrust

_ANY_ADDRESS = ("0.0.0.0", "::", "[::]", "")
DOCUMENT_BYTES_MAX = 4 * 1024 * 1024
HOLD_WAIT_S, HOLD_POLL_S = 10.0, 0.02


class DirectorySite(Site):
    """One process site in the state directory."""

    def __init__(self, directory: Path, wait_s: float = WHOLE_CALL_S) -> None:
        """``wait_s``: for an answer of its router."""
        self.directory = directory
        self.name = directory.name
        self.config = directory / "config"
        self.secrets = directory / "secrets"
        self.run = directory / "run"
        self.log = self.run / "router.log"
        self.admin: Admin = Admin(
            self.run / "admin.sock", self.name, wait_s=wait_s, log_hint=self.log_hint
        )

    def log_hint(self) -> str:
        """The command to read its router's log; empty: it is not known now."""
        return f"tail {quote(str(self.log))}"

    @property
    def links(self) -> LinkTokens:
        """In ``secrets/links``."""
        return _LinkDirectory(self.secrets / "links")

    @property
    def credentials(self) -> ServiceCredentials:
        """In ``secrets/tls``."""
        return _TlsDirectory(self.secrets / "tls")

    @property
    def trust(self) -> "DirectoryTrust":
        """In ``secrets/``."""
        from sitectl.site.directory_trust import DirectoryTrust

        return DirectoryTrust(self.secrets)

    @property
    def init_hint(self) -> str:
        """`init`, of a site or of a gateway."""
        if self.directory.parent.name == GATEWAYS:
            return f"sitectl gateway init --name {self.name}"
        return f"sitectl init {self.name}"

    def sweep(self) -> None:
        """Remove what writing left that was interrupted long ago."""
        sweep_temporaries(self.directory, time.time())

    def endpoints(self) -> tuple["Endpoint", ...]:
        """The site's hosts, else this machine's own address, with a note."""
        site = self.wanted().site
        parts = [split_host_port(text) for text in site.ingress_hosts]
        found = [(part[0], part[1] or site.bind_port) for part in parts if part is not None]
        if found:
            return tuple(found)
        if site.ingress_bind_ip not in _ANY_ADDRESS:
            return ((site.ingress_bind_ip.strip("[]"), site.bind_port),)
        address = _own_address()
        output.note(
            f"the token says to dial {address}; if others reach this site by another address: "
            "--ingress-host"
        )
        return ((address, site.bind_port),)

    def scan(self) -> tuple[list[Document], list[ConfigError]]:
        """Every document in ``config/`` with its file, and the errors in the files."""
        documents: list[Document] = []
        errors: list[ConfigError] = []
        paths = sorted(
            path
            for path in self.config.iterdir()
            if path.suffix in (".yaml", ".yml") and not path.name.startswith(".")
        )
        for path in paths:
            source = f"config/{path.name}"
            try:
                content = read_whole(path, DOCUMENT_BYTES_MAX)
            except CertError as error:  # A pipe would block, a device never end.
                errors.append(unreadable(source, OSError(error.reason)))
                continue
            except OSError as error:
                errors.append(unreadable(source, error))
                continue
            found, wrong = read_bytes(content, source)
            documents += found
            errors += wrong
        return documents, errors

    def own_place(self, kind: Kind, name: str) -> str:
        """``config/KIND-NAME.yaml``."""
        return f"config/{file_name(kind, name)}"

    def where(self, document: Document) -> str:
        """File and line."""
        return f"{document.source}:{document.line}"

    def edit_hint(self, document: Document) -> str:
        """The file to open."""
        return f"Edit {self.directory / document.source}"

    def write_document(self, document: Document) -> None:
        """Replace the document's file."""
        path = self.config / file_name(document.kind, document.name)
        write_atomically(path, write(document))

    def remove_document(self, document: Document) -> None:
        """Remove the document's file."""
        (self.config / file_name(document.kind, document.name)).unlink(missing_ok=True)

    def mesh_record(self) -> str:
        """In ``mesh.json``; empty where that is no file of text."""
        try:
            return read_whole(self._mesh_file, DOCUMENT_BYTES_MAX).decode("utf-8", "replace")
        except (FileNotFoundError, CertError):
            return ""

    def keep_mesh_record(self, text: str) -> None:
        """Replace ``mesh.json``, if it says something else."""
        if self.mesh_record() != text:
            write_atomically(self._mesh_file, text)

    @property
    def _mesh_file(self) -> Path:
        return self.directory / "mesh.json"

    def reload(self) -> bool:
        """Have a running router read its files now. False: it will at its next poll, which a note
        says if it runs and does not answer."""
        try:
            self.admin.command("reload")
        except Failure as failure:
            if self.admin.is_running():
                output.note(
                    f"Written, and not in force yet: {failure.message}. It reads its files as soon "
                    "as it runs again. Next: sitectl check"
                )
            return False
        return True

    def still_answers(self) -> bool:
        """Whether a router runs, ready or not, and with or without its socket."""
        return self.admin.is_running() or self.is_locked()

    def is_locked(self) -> bool:
        """See `run_lock`."""
        return run_lock.is_locked(self.run)

    def end_sessions(self, site_id: str) -> None:
        """Tell the router."""
        self.admin.command("revoke", site=site_id)

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Lock the site against changes by others. Failure: another command holds it too long."""
        deadline = time.monotonic() + HOLD_WAIT_S
        with contextlib.ExitStack() as stack:
            while True:
                try:
                    stack.enter_context(locked(self.directory / ".lock", waits=False))
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise timed_out(
                            f"another sitectl has been changing site {self.name!r} for "
                            f"{HOLD_WAIT_S:g} s",
                            "Wait for it, or end it, and try again",
                            code="site-held",
                        ) from None
                    time.sleep(HOLD_POLL_S)
            self.sweep()
            yield


def _own_address() -> str:
    """The address of the interface that leads outside; nothing is sent to find it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # TEST-NET-1, RFC 5737: only chooses a route.
        except OSError:
            return "127.0.0.1"
        address: str = probe.getsockname()[0]
        return address


class _LinkDirectory:
    """`LinkTokens` by `certs.links.credentials`, which is loaded when it is needed."""

    def __init__(self, directory: Path) -> None:
        from certs.links.credentials import LinkStore

        self._store = LinkStore(directory)

    def names(self) -> list[str]:
        return self._store.names()

    def exists(self, name: str) -> bool:
        return self._store.exists(name)

    def token(self, name: str) -> "Token":
        return self._store.load(name).token

    def holds(self, name: str, token: "Token") -> bool:
        try:
            return self.exists(name) and self.token(name) == token
        except CertError:
            return False

    def add(self, name: str, token: "Token", proxy: str = "") -> bool:
        return self._store.add(name, token)

    def keep_proxy_login(self, name: str, login: "ProxyLogin | None") -> bool:
        return self._store.keep_proxy_login(name, login)

    def remove(self, name: str) -> bool:
        return self._store.remove(name)


class _TlsDirectory:
    """`ServiceCredentials` by `certs.tls.service_tls`, which is loaded when it is needed."""

    def __init__(self, directory: Path) -> None:
        from certs.tls.service_tls import TlsStore

        self._store = TlsStore(directory)

    def read(self, name: str) -> "Contents":
        return self._store.read(name)

    def write(self, name: str, contents: "Contents") -> bool:
        return self._store.write(name, contents)

    def place(self, name: str) -> str:
        return str(self._store.folder(name))
