"""TLS credentials of services: certificates of listeners, and trust in targets.

Files are read again each second and compared by content. A good credential stays in use until it
expires when its files are replaced by bad ones: a rotation is two files, and a service that stops
helps no client. A credential that was never good gives the reason instead.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Generic, TypeVar

from certs import clocks
from certs.errors import CertError
from certs.tls.contexts import service_client_context, service_server_context
from certs.tls.service_tls import (
    Contents,
    ServiceLeaf,
    ServiceTrust,
    TlsStore,
    client_trust_of,
    leaf_of,
    trust_of,
)
from router.model.events import Problem, Tell
from router.model.specs import ServiceProtocol
from router.net.ports import Tls
from router.service.ports import NoTls

Value = TypeVar("Value", ServiceLeaf, ServiceTrust)
Files = Contents | CertError

ALPN: Mapping[ServiceProtocol, tuple[str, ...]] = {
    "tcp": (),
    "http": ("http/1.1",),
    "http2": ("h2",),
}


class ServiceTls:
    """Returns TLS settings, or why there are none; never falls back to cleartext."""

    def __init__(
        self,
        directory: Path,
        clock: Callable[[], float] = time.time,
        *,
        of_secrets: bool = False,
        tell: Tell | None = None,
    ) -> None:
        """``directory`` is ``secrets/tls``, ``clock`` returns Unix seconds. ``of_secrets``: as in
        `TlsStore`. ``tell`` reports replaced certificates.
        """
        self._store = TlsStore(directory, of_secrets=of_secrets)
        self._clock, self._tell = clock, tell
        self._shown: dict[str, _InUse[ServiceLeaf]] = {}
        self._trusted: dict[str, _InUse[ServiceTrust]] = {}
        self._of_clients: dict[str, _InUse[ServiceTrust]] = {}

    def listener(self, name: str, protocol: ServiceProtocol, client_trust: str = "") -> Tls | NoTls:
        """The TLS settings for listeners of ``protocol``. ALPN is required for h2, not for
        http/1.1.

        ``client_trust``: the credential whose CA must have certified each client. Empty: no client
        certificate is requested.
        """
        kept = self._shown.get(name)
        if kept is None:
            kept = self._shown[name] = _InUse(leaf_of)
            kept.look(self._read(name), self._clock())
        leaf = kept.value
        if leaf is None:
            return kept.refusal
        client_ca = ""
        if client_trust:
            trusted = self._trust_in_clients(client_trust)
            if isinstance(trusted, NoTls):
                return trusted
            client_ca = trusted.ca_pem
        tls = kept.made.get((protocol, client_trust))
        if tls is None:
            alpn = ALPN[protocol]
            tls = kept.made[protocol, client_trust] = Tls(
                context=service_server_context(leaf.leaf, alpn, client_ca),
                certificate=leaf.der,
                alpn=alpn,
                alpn_required=protocol == "http2",
            )
        return tls

    def _trust_in_clients(self, name: str) -> ServiceTrust | NoTls:
        kept = self._of_clients.get(name)
        if kept is None:
            kept = self._of_clients[name] = _InUse(client_trust_of)
            kept.look(self._read(name), self._clock())
        if kept.value is None:
            return NoTls(kept.refusal.reason, kept.refusal.hint, is_of_clients=True)
        return kept.value

    def target(
        self,
        trust: str,
        server_name: str,
        host: str,
        protocol: ServiceProtocol,
        *,
        check_name: bool = True,
        show_cert: bool = True,
    ) -> Tls | NoTls:
        """The TLS settings for a target at ``host``: for ``server_name``, otherwise its own name,
        if any.

        ``check_name`` False: only its chain is judged. ``show_cert`` False: no client certificate
        is sent. A target known only by its address is judged by its chain: the person who entered
        the address also named the CA, and such certificates rarely name addresses.
        """
        kept = self._trusted.get(trust)
        if kept is None:
            kept = self._trusted[trust] = _InUse(trust_of)
            kept.look(self._read(trust), self._clock())
        trusted = kept.value
        if trusted is None:
            return kept.refusal
        checks_name = check_name and (bool(server_name) or not _is_address(host))
        question = (protocol, server_name, str(checks_name), str(show_cert))
        tls = kept.made.get(question)
        if tls is None:
            alpn, shown = ALPN[protocol], trusted.leaf if show_cert else None
            context = service_client_context(
                trusted.ca_pem,
                None if shown is None else shown.leaf,
                alpn,
                checks_name=checks_name,
            )
            tls = kept.made[question] = Tls(
                context=context,
                certificate=b"" if shown is None else shown.der,
                alpn=alpn,
                server_name=server_name,
                alpn_required=protocol == "http2",
            )
        return tls

    def look(self) -> bool:
        """Read all files in use again. True: some answer is different now."""
        now, changed = self._clock(), False
        before = {name: shown.value for name, shown in self._shown.items()}
        for name in self._shown.keys() | self._trusted.keys() | self._of_clients.keys():
            contents = self._read(name)
            for uses in (self._shown, self._trusted, self._of_clients):
                kept = uses.get(name)
                if kept is not None and kept.look(contents, now):
                    changed = True
                    if uses is self._of_clients:
                        self._forget_made_with(name)
        for name, was in before.items():
            self._tell_replaced(name, was, self._shown[name].value)
        return changed

    def _tell_replaced(self, name: str, was: ServiceLeaf | None, leaf: ServiceLeaf | None) -> None:
        if self._tell is None or was is None or leaf is None or was.der == leaf.der:
            return  # New and removed credentials are reported with the listener.
        text = f"Clients are shown another certificate of tls/{name}, valid until"
        until = clocks.utc(leaf.expires_at)
        self._tell("info", "service-certificate", f"tls/{name}", f"{text} {until}.")

    def _forget_made_with(self, client_trust: str) -> None:
        for shown in self._shown.values():
            for question in [one for one in shown.made if one[1] == client_trust]:
                del shown.made[question]

    def keep(
        self, shown: frozenset[str], trusted: frozenset[str], of_clients: frozenset[str]
    ) -> None:
        """Drop all other credentials."""
        for name in self._shown.keys() - shown:
            del self._shown[name]
        for name in self._trusted.keys() - trusted:
            del self._trusted[name]
        for name in self._of_clients.keys() - of_clients:
            del self._of_clients[name]
            self._forget_made_with(name)

    def expiries(self) -> dict[str, float]:
        """Unix seconds by ``tls/NAME``: of the listener's certificate, otherwise of the trusted
        CA."""
        return {
            f"tls/{name}": value.expires_at
            for name, value, _ in self._in_use()
            if value is not None
        }

    def problems(self) -> list[Problem]:
        """Files that were replaced by unusable ones."""
        return [
            Problem(
                code="SW0207",
                message=f"The credential tls/{name} was replaced by one that cannot be used: "
                f"{refusal.reason}; what it was before stays in use until it expires.",
                hint=refusal.hint,
            )
            for name, value, refusal in self._in_use()
            if value is not None and refusal.reason
        ]

    def _in_use(self) -> Iterator[tuple[str, ServiceLeaf | ServiceTrust | None, NoTls]]:
        """Trusted ones first: for one name, the listener's certificate overrides."""
        for uses in (self._of_clients, self._trusted):
            for name, trusted in sorted(uses.items()):
                yield name, trusted.value, trusted.refusal
        for name, shown in sorted(self._shown.items()):
            yield name, shown.value, shown.refusal

    def _read(self, name: str) -> Files:
        try:
            return self._store.read(name)
        except CertError as error:
            return error


class _InUse(Generic[Value]):
    """One use of a credential: the value in force, and why its files give no newer one."""

    __slots__ = ("_files", "_parse", "made", "refusal", "value")

    def __init__(self, parse: Callable[[Contents, float], Value]) -> None:
        self._parse: Callable[[Contents, float], Value] = parse
        self._files: Files | None = None
        self.value: Value | None = None
        self.refusal = NoTls("")
        self.made: dict[tuple[str, ...], Tls] = {}

    def look(self, files: Files, now: float) -> bool:
        """Take up the content of ``files``. True: something is different."""
        value, refusal = self.value, self.refusal
        is_fine = value is not None and not refusal.reason and now < value.expires_at
        if is_fine and files == self._files:
            return False
        self._files = files
        try:
            if isinstance(files, CertError):
                raise files
            self.value = self._parse(files, now)
            self.refusal = NoTls("")
        except CertError as error:
            self.refusal = NoTls(f"{error.subject} {error.reason}", error.hint)
            if value is not None and now >= value.expires_at:
                self.value = None
        if self.value != value:
            self.made = {}
        return (value, refusal) != (self.value, self.refusal)


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
