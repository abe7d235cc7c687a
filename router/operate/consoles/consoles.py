"""The console of this router: its listener, its certificate, and its problems.

Nothing here ends the router. A taken port is a problem in `status`, and is tried again.
"""

import asyncio
import errno
import json
import logging
import os
import secrets
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from shlex import quote
from typing import Final, Protocol

from certs import certificates, keys
from certs.ca.authority import Authority, Leaf, is_fresh
from certs.errors import CertError
from certs.files import read_secret, write_secret
from certs.tls.contexts import service_server_context
from router.admin.api import AdminApi
from router.admin.console import static
from router.admin.console.auth import ConsoleSessions
from router.admin.console.door import ConsoleDoor
from router.admin.console.listener import serving
from router.admin.views.status import Console
from router.documents.addresses import is_loopback, split_host_port
from router.model import limits
from router.model.addresses import join, split
from router.model.events import Problem, Tell
from router.model.specs import EVERY_HOST, ConsoleAuth, ConsoleSpec, SiteSpec
from router.model.wording.system_errors import step_after, text_of
from router.net.ports import Tls
from router.operate.consoles.console_users import FOLDER, UserFiles
from router.service.ports import NoTls

log = logging.getLogger("router.operate")

KEY_FILE, CERTIFICATE_FILE = "console.key", "console.crt"
_ALPN: Final = ("http/1.1",)
_LOCAL: Final = ("localhost", "127.0.0.1", "::1")


class LogsIn(Protocol):
    """Login by OpenShift. Raises LoginFailed."""

    async def absence(self) -> str:
        """Why OpenShift cannot log users in here; empty: it can, or is not known yet."""

    async def login_url(self, redirect_uri: str, state: str, challenge: str) -> str:
        """The URL of OpenShift's login page."""

    async def user(self, code: str, redirect_uri: str, verifier: str) -> str:
        """The name of the user with ``code``, if the user may read the namespace."""


class ConsoleHost:
    """Serves the console as the Site document configures it, and follows its changes."""

    def __init__(
        self,
        secrets_directory: Path,
        site: str,
        site_id: str,
        authority: Callable[[], Authority],
        credential: Callable[[str], Tls | NoTls],
        tell: Tell,
        users_place: str = "",
        openshift: LogsIn | None = None,
        namespace: str = "",
    ) -> None:
        """``authority``: the site's CA. ``credential``: the certificate of a name in
        ``secrets/tls``. ``users_place``: where to find the users, if not in the directory.
        ``openshift``: login by OpenShift, if the document configures it. ``namespace``: the site's
        namespace.
        """
        self._openshift, self._namespace = openshift, namespace
        self._absence = ""
        """Why OpenShift does not log users in although it is configured."""
        self._users_place = users_place or str(secrets_directory / FOLDER)
        self._secrets, self._site, self._site_id = secrets_directory, site, site_id
        self._authority, self._credential, self._tell = authority, credential, tell
        self._users = UserFiles(secrets_directory / FOLDER, secrets.token_bytes(32))
        self._files: Mapping[str, static.Asset] = {}  # Loaded when first served.
        self._spec: ConsoleSpec | None = None
        self._names: tuple[str, ...] = ()
        self._changed = asyncio.Event()
        self._sessions = ConsoleSessions()
        self._place: tuple[str, int] | None = None
        self._trouble = self._next_step = ""

    def apply(self, site: SiteSpec) -> None:
        """Apply the console's settings of a new Site document."""
        names = _names(site)
        if (site.console, names) != (self._spec, self._names):
            self._spec, self._names = site.console, names
            self._changed.set()

    def view(self) -> Console:
        """For `status`; without an address while not served: another process may listen there."""
        spec = self._spec
        if spec is None or self._trouble:
            return Console()
        scheme = "http" if is_loopback(spec.bind) and not spec.tls_cert else "https"
        host, port = self._place if self._place is not None else split(spec.bind)
        shown = {"0.0.0.0": socket.gethostname(), "::": socket.gethostname()}.get(host, host)
        if spec.hosts and spec.hosts[0] != EVERY_HOST:
            shown = spec.hosts[0]
        auth = self._auth(spec)
        where = self._users_place if auth == "internal" else ""
        directory = "" if self._namespace else self._secrets.parent.name
        return Console(f"{scheme}://{join(shown, port)}/", auth, where, self._namespace, directory)

    def problems(self) -> tuple[Problem, ...]:
        """Problems of a configured console: it is out of reach, or has no user."""
        spec = self._spec
        if spec is None:
            return ()
        found = []
        if self._trouble:
            message = f"The console is not served: {self._trouble}."
            found.append(Problem(code="SW0208", message=message, hint=self._next_step))
        if self._absence:
            message = f"The console asks for passwords: {self._absence}."
            hint = "Set console-authentication to internal, or run the site on OpenShift"
            found.append(Problem(code="SW0472", message=message, hint=hint))
        if self._auth(spec) == "internal":
            found += self._users.problems(self._users_place, self._new_password)
        return tuple(found)

    def _new_password(self, user: str) -> str:
        """The command that gives ``user`` another password."""
        if self._namespace:
            password = json.dumps({"stringData": {user: "PASSWORD"}}, separators=(",", ":"))
            place = self._users_place.lower()
            return f"kubectl -n {self._namespace} patch {place} -p {quote(password)}"
        return f"sitectl update --enable-console --console-user {quote(user)}"

    def expiries(self) -> dict[str, float]:
        """Unix seconds at which the console's certificate ends."""
        leaf = self._kept()
        spec = self._spec
        if leaf is None or spec is None or spec.tls_cert or is_loopback(spec.bind):
            return {}
        return {"console": certificates.expires_at(leaf.chain_pem)}

    async def prepare(self) -> None:
        """Return once a wanted console could be served: before this router is ready."""
        if self._spec is not None:
            try:
                await self._load()
            except Exception:  # The router goes on without it; `run` tries again and reports.
                log.exception("the console could not be loaded")

    async def _load(self) -> None:
        self._files = self._files or await asyncio.to_thread(static.load)

    async def run(self, api: AdminApi) -> None:
        """Serve until canceled."""
        while True:
            self._changed.clear()
            spec = self._spec
            if spec is None:
                self._trouble = self._absence = ""
                await self._changed.wait()
                continue
            try:
                await self._serve(api, spec)
            except (OSError, CertError, ValueError) as error:
                self._next_step = _step(error)
                self._fail(_reason(error, spec))
                await self._wait(limits.CONSOLE_RETRY_S)
            except Exception as error:  # The owner of the task: the router goes on.
                log.exception("the console failed and restarts")
                self._next_step = "sitectl debug dump FILE"
                self._fail(f"a fault of ours, {type(error).__name__}")
                await self._wait(limits.CONSOLE_RETRY_S)

    async def _serve(self, api: AdminApi, spec: ConsoleSpec) -> None:
        """Serve until the document or the certificate changes, or OpenShift becomes available."""
        await self._load()
        self._absence = await self._look_for_openshift(spec)
        auth, again_at = self._auth(spec), time.monotonic() + limits.CONSOLE_OAUTH_LOOK_S
        tls, until = self._tls(spec)
        door = ConsoleDoor(
            api,
            self._files,
            self._users.now,
            lambda: self._names,
            self._tell,
            self._sessions,
            site=self._site,
            site_id=self._site_id,
            auth=auth,
            is_tls=tls is not None,
            openshift=self._openshift if auth == "openshift" else None,
        )
        async with serving(door, split(spec.bind), tls) as place:
            self._place, self._trouble = place, ""
            self._tell("info", "console-up", "console", f"The console is at {self.view().url}.")
            try:
                while not self._changed.is_set() and time.time() < until():
                    await self._wait(limits.CONSOLE_STREAMS_LOOK_S)
                    door.end_streams()
                    if self._absence and time.monotonic() >= again_at:
                        again_at = time.monotonic() + limits.CONSOLE_OAUTH_LOOK_S
                        if not await self._look_for_openshift(spec):
                            return
            finally:
                self._place = None

    async def _look_for_openshift(self, spec: ConsoleSpec) -> str:
        """Why a configured OpenShift login is not used; empty: it is, or is not configured."""
        if spec.auth != "openshift":
            return ""
        if self._openshift is None:
            return "a site on a host has no OpenShift"
        return await self._openshift.absence()

    def _auth(self, spec: ConsoleSpec) -> ConsoleAuth:
        """The kind of login in use now."""
        return "internal" if self._absence else spec.auth

    async def _wait(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            return

    def _fail(self, why: str) -> None:
        if why != self._trouble:
            hint = "sitectl status"
            self._tell(
                "error", "console-down", "console", f"The console is not served: {why}.", hint
            )
        self._trouble = why

    def _tls(self, spec: ConsoleSpec) -> tuple[ssl.SSLContext | None, Callable[[], float]]:
        """The TLS context, and until when it holds (Unix seconds). Raises CertError, OSError."""
        if spec.tls_cert:
            found = self._credential(spec.tls_cert)
            if isinstance(found, NoTls):
                raise CertError(f"credential {spec.tls_cert}", found.reason, found.hint)
            assert isinstance(found.context, ssl.SSLContext)
            return found.context, lambda: 0.0 if self._is_another(spec.tls_cert, found) else _EVER
        if is_loopback(spec.bind):
            return None, lambda: _EVER
        leaf = self._leaf(split(spec.bind)[0])
        ends = certificates.renewal_at(leaf.chain_pem)
        return service_server_context(leaf, _ALPN), lambda: ends

    def _is_another(self, name: str, shown: Tls) -> bool:
        """Whether the credential has changed to another good one."""
        found = self._credential(name)
        return not isinstance(found, NoTls) and found.certificate != shown.certificate

    def _leaf(self, host: str) -> Leaf:
        """The certificate by the site's CA, issued again when it is due or names change."""
        hosts = list(dict.fromkeys((*_LOCAL, *_certified(self._names), *_own(host))))[:_HOSTS_MAX]
        kept = self._kept()
        if (
            kept is not None
            and is_fresh(kept.chain_pem, time.time())
            and self._authority().issued(certificates.read(kept.chain_pem))
            and certificates.hosts_of(kept.chain_pem) == set(hosts)
        ):
            return kept
        leaf = self._authority().issue_page_leaf(hosts, time.time())
        write_secret(self._secrets / KEY_FILE, leaf.key_pem.encode())
        write_secret(self._secrets / CERTIFICATE_FILE, leaf.chain_pem.encode())
        return leaf

    def _kept(self) -> Leaf | None:
        try:
            key = read_secret(self._secrets / KEY_FILE).decode("ascii", "replace")
            chain = read_secret(self._secrets / CERTIFICATE_FILE).decode("ascii", "replace")
            shown = certificates.public_key_der(certificates.read(chain))
            if shown != keys.public_der(keys.from_pem(key, KEY_FILE)):
                return None  # A crash between the two files.
        except (OSError, CertError):
            return None
        return Leaf(key_pem=key, chain_pem=chain)


_UNBOUND: Final = (errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EACCES)
_EVER: Final = float("inf")
_HOSTS_MAX: Final = 64


def _reason(error: Exception, spec: ConsoleSpec) -> str:
    """Why the console is not served; with its address, if binding failed."""
    number = _unbound(error)
    if number:
        return f"it cannot listen on {spec.bind}: {os.strerror(number)}"
    return f"{error.subject}: {error.reason}" if isinstance(error, CertError) else text_of(error)


def _step(error: Exception) -> str:
    """The next step when the console is not served."""
    if isinstance(error, CertError):
        return error.hint
    if isinstance(error, OSError) and not _unbound(error):
        return step_after(error)
    return "Free the port, or choose another: sitectl update --console-bind IP:PORT"


def _unbound(error: Exception) -> int:
    """The system's error if the address cannot be had; 0: another error."""
    if isinstance(error, OSError) and error.filename is None and error.errno in _UNBOUND:
        return error.errno
    return 0


def _certified(names: tuple[str, ...]) -> list[str]:
    return [name for name in names if name != EVERY_HOST]


def _own(host: str) -> tuple[str, ...]:
    return () if host in ("0.0.0.0", "::") else (host,)


def _names(site: SiteSpec) -> tuple[str, ...]:
    """Names under which browsers may reach the console."""
    if site.console is None:
        return ()
    parts = [split_host_port(text) for text in site.ingress_hosts]
    hosts = [part[0] for part in parts if part is not None]
    return tuple(dict.fromkeys((*site.console.hosts, *hosts, socket.gethostname().lower())))
