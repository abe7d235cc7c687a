"""A site directory into a `Content`."""

import socket
import time
from pathlib import Path
from shlex import quote
from typing import Final, TypeVar

import msgspec

from certs import files, limits
from certs.ca.ca_files import CaFiles
from certs.identity import KEY_FILE, SiteIdentity, restored_at
from certs.links.credentials import CA_FILE as LINK_CA
from certs.links.credentials import CERTIFICATE_FILE, RENEWED_FILE, TOKEN_FILE, LinkStore
from certs.links.credentials import KEY_FILE as LINK_KEY
from certs.links.proxies import PROXY_FILE
from certs.links.register import DIRECTORY as ADMITTED
from certs.links.register import Register, encode
from certs.links.revocation import REVOKED_FILE
from certs.names import is_name
from certs.tls.service_tls import FILES, TlsStore
from router import __version__
from router.model import limits as router_limits
from router.model.ids import SiteId
from router.model.persisted import HeldListener, KeptOffers
from router.model.rights.owners import Owner
from router.model.unreadable import UNREADABLE_JSON
from sitectl.backup.content import (
    BackupOrigin,
    Content,
    LinkFiles,
    RouterState,
    ca_files,
    problem_of,
)
from sitectl.base.failure import Exit, Failure
from sitectl.base.folders import GATEWAYS
from sitectl.gateway.home import RECORD_FILE
from sitectl.runtimes.spec import RUNTIME_FILE
from sitectl.site.console_place import USERS
from sitectl.site.directory import DOCUMENT_BYTES_MAX, DirectorySite

STATE_FILE: Final = "state.json"
OWNERS_FILE: Final = "owners.json"
PINS_FILE: Final = "rule-pins.json"
OFFERS_FILE: Final = "known-offers.json"
LISTENERS_FILE: Final = "listeners.json"

_Kept = TypeVar("_Kept")
WEBHOOKS: Final = "webhooks"
ADMIN_CREDENTIAL: Final = "admin.credential"
_STATE_BYTES_MAX: Final = 16 * 1024 * 1024


def read_folder(site: DirectorySite) -> Content:
    """The whole of ``site`` at one moment: no other command changes it meanwhile.

    Failure, CertError: a file is damaged, or open to other users. A running router may stay: it
    replaces each of its files whole, and a claim redeemed meanwhile is void at a restore anyhow.
    """
    with site.held():
        content = read_held(site)
    problem = problem_of(content)
    if problem:
        raise Failure(
            Exit.FAILED,
            "SW0659",
            f"site {site.name!r} cannot be backed up, it could not be restored: {problem}",
            "sitectl check",
        )
    return content


def read_held(site: DirectorySite) -> Content:
    """As `read_folder`, of a site that the caller holds, whether it could be restored or not."""
    secrets = site.secrets
    ca_key, ca_certificate, ca_rotation = ca_files(CaFiles(secrets).load())
    return Content(
        name=site.name,
        site_id=SiteIdentity.load(secrets).site_id,
        origin=BackupOrigin(
            made_at=int(time.time()),
            version=__version__,
            platform="process",
            host=socket.gethostname(),
            place=str(site.directory),
            is_gateway=site.directory.parent.name == GATEWAYS,
            runtime=text_of(site.directory / RUNTIME_FILE),
        ),
        identity_key=files.read_secret(secrets / KEY_FILE),
        ca_key=ca_key,
        ca_certificate=ca_certificate,
        ca_rotation=ca_rotation,
        documents=_documents(site),
        links=_links(secrets / "links"),
        grants=_grants(secrets / "grants"),
        revoked=_secret(secrets / REVOKED_FILE, limits.REVOKED_FILE_BYTES_MAX),
        tls=_tls(secrets / "tls"),
        restored_at=restored_at(secrets),
        admin_credential=_secret(secrets / ADMIN_CREDENTIAL),
        state=_state(site.directory),
        gateway=text_of(site.directory / RECORD_FILE),
        webhooks=_webhooks(secrets / WEBHOOKS),
        console_users=_console_users(secrets / USERS),
        admitted=_admitted(secrets / ADMITTED),
        proxy=_secret(secrets / PROXY_FILE),
    )


def _documents(site: DirectorySite) -> dict[str, str]:
    """Every file that a router reads, as it is: comments are the user's too."""
    found: dict[str, str] = {}
    for path in sorted(site.config.iterdir()):
        if path.suffix not in (".yaml", ".yml") or path.name.startswith("."):
            continue
        try:
            found[path.name] = files.read_whole(path, DOCUMENT_BYTES_MAX).decode("utf-8")
        except UnicodeDecodeError as error:
            raise _unreadable(path, "is not UTF-8", "Correct it, or move it away") from error
    return found


def _links(directory: Path) -> dict[str, LinkFiles]:
    if not directory.is_dir():
        return {}
    store = LinkStore(directory)
    found: dict[str, LinkFiles] = {}
    for name in store.names():
        stored = store.load(name)  # Key and certificate of one pair; raises CertError.
        folder = directory / name
        if not stored.damage and stored.credential is not None and (folder / RENEWED_FILE).exists():
            leaf = stored.credential.leaf
            found[name] = LinkFiles(
                token=_secret(folder / TOKEN_FILE),
                key=leaf.key_pem.encode(),
                certificate=leaf.chain_pem.encode(),
                ca=stored.credential.ca_pem.encode(),
                proxy=_secret(folder / PROXY_FILE),
            )
            continue
        found[name] = LinkFiles(
            token=_secret(folder / TOKEN_FILE),
            key=_secret(folder / LINK_KEY),
            certificate=_secret(folder / CERTIFICATE_FILE),
            ca=_secret(folder / LINK_CA),
            proxy=_secret(folder / PROXY_FILE),
        )
    return found


def _grants(directory: Path) -> dict[str, bytes]:
    if not directory.is_dir():
        return {}
    names = (path.stem for path in sorted(directory.iterdir()) if path.suffix == ".json")
    read = {
        name: _secret(directory / f"{name}.json", limits.GRANT_FILE_BYTES_MAX)
        for name in names
        if is_name(name)
    }
    return {name: data for name, data in read.items() if data}


def _admitted(directory: Path) -> dict[str, bytes]:
    if not directory.is_dir():
        return {}
    register = Register(directory)
    entries = ((site, register.get(site)) for site in register.sites())
    return {site: encode(entry) for site, entry in entries if entry is not None}


def _webhooks(directory: Path) -> dict[str, bytes]:
    if not directory.is_dir():
        return {}
    read = {path.name: _secret(path) for path in sorted(directory.iterdir()) if is_name(path.name)}
    return {name: data for name, data in read.items() if data}


def _console_users(directory: Path) -> dict[str, bytes]:
    """The valid users; the router reports the errors of the others."""
    if not directory.is_dir():
        return {}
    paths = [path for path in sorted(directory.iterdir()) if not path.name.startswith(".")]
    return {path.name: _secret(path) for path in paths[: router_limits.CONSOLE_USERS_MAX]}


def _tls(directory: Path) -> dict[str, dict[str, bytes]]:
    if not directory.is_dir():
        return {}
    store = TlsStore(directory)
    found: dict[str, dict[str, bytes]] = {}
    for name in sorted(path.name for path in directory.iterdir() if is_name(path.name)):
        held = store.read(name)
        values = zip(FILES, (held.certificate, held.key, held.ca), strict=True)
        found[name] = {file: data for file, data in values if data}
    return {name: held for name, held in found.items() if held}


def _state(directory: Path) -> RouterState:
    state = _decoded(directory / STATE_FILE, RouterState) or RouterState()
    owners = _decoded(directory / OWNERS_FILE, dict[str, Owner]) or {}
    pins = _decoded(directory / PINS_FILE, dict[str, SiteId]) or {}
    return msgspec.structs.replace(
        state,
        owners=owners,
        rule_pins=pins,
        known_offers=_decoded(directory / OFFERS_FILE, KeptOffers),
        listeners=_decoded(directory / LISTENERS_FILE, tuple[HeldListener, ...]) or (),
    )


def _decoded(path: Path, kind: type[_Kept]) -> _Kept | None:
    """The state that a router stored there for its next start; None: none."""
    data = _secret(path, _STATE_BYTES_MAX)
    if not data:
        return None
    try:
        return msgspec.json.decode(data, type=kind)
    except UNREADABLE_JSON as error:
        hint = f"The router can do without it: rm {quote(str(path))}"
        raise _unreadable(path, f"is damaged: {error}", hint) from error


def _secret(path: Path, bytes_max: int = limits.SECRET_FILE_BYTES_MAX) -> bytes:
    """Empty: there is none."""
    try:
        return files.read_secret(path, bytes_max)
    except FileNotFoundError:
        return b""


def text_of(path: Path) -> str:
    """Of a document there; empty: there is none."""
    try:
        return files.read_whole(path, DOCUMENT_BYTES_MAX).decode("utf-8")
    except FileNotFoundError:
        return ""
    except UnicodeDecodeError as error:
        raise _unreadable(path, "is not UTF-8", "Correct it") from error


def _unreadable(path: Path, reason: str, hint: str) -> Failure:
    return Failure(Exit.FAILED, "SW0659", f"{path} {reason}", hint)
