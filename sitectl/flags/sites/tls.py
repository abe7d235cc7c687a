"""``--tls-cert``, ``--tls-trust``, ``--tls-client-trust``: a credential by name, or from a folder.

A folder's files are judged, then copied into ``secrets/tls/NAME`` of the site; nothing of them is
printed.
"""

import contextlib
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click
import msgspec

from certs.errors import CertError
from router.documents.addresses import is_host
from router.documents.readers import is_name
from sitectl.base import output
from sitectl.base.failure import not_found, usage
from sitectl.base.options import flags_as
from sitectl.flags.services.names import declared_service
from sitectl.site.site import Site

if TYPE_CHECKING:
    from certs.tls.service_tls import Contents  # Heavy: each verb that needs it loads it.


class CertFlags(msgspec.Struct, frozen=True):
    """The certificate that listeners show, as given; None: not given, empty: no TLS."""

    tls_cert: str | None = None
    generate: bool = False

    @property
    def is_given(self) -> bool:
        """Whether any of them was typed."""
        return self != CertFlags()


cert_flags = flags_as(
    "cert",
    CertFlags,
    click.option(
        "--tls-cert",
        metavar="NAME|FOLDER",
        help="TLS at listeners: a credential in secrets/tls, or a folder with tls.crt and tls.key.",
    ),
    click.option(
        "--generate-tls-secrets",
        "generate",
        is_flag=True,
        help="TLS at listeners with a new certificate, and a CA for clients.",
    ),
)


class ReachFlags(msgspec.Struct, frozen=True):
    """How a target is reached, as given; None: not given."""

    tls_trust: str | None = None
    tls_server_name: str | None = None
    proxy_protocol: bool | None = None
    allow_link_local: bool | None = None


target_flags = flags_as(
    "reached",
    ReachFlags,
    click.option(
        "--tls-trust",
        metavar="NAME|FOLDER",
        help="TLS to the target: a credential in secrets/tls, or a folder with ca.crt.",
    ),
    click.option(
        "--tls-server-name",
        metavar="NAME",
        help="Name in the target's certificate. [default: its host, if it is a name]",
    ),
    click.option(
        "--proxy-protocol/--no-proxy-protocol",
        default=None,
        help="Send the client's address to a tcp target (PROXY v2).",
    ),
    click.option(
        "--allow-link-local/--no-allow-link-local",
        default=None,
        help="Allow a target with a link-local or metadata address, such as 169.254.169.254.",
    ),
)
"""How the target of a verb is reached."""


class ShownCredential(NamedTuple):
    """A credential by its name; ``is_new``: files of it have just been written."""

    name: str
    is_new: bool = False


def shown_credential(site: Site, value: str, service: str) -> ShownCredential:
    """The credential that ``--tls-cert`` means for listeners of ``service``; copied if need be.

    A folder replaces the files that the service has here already. Failure: they cannot be used.
    """
    folder = _folder(value)
    if folder is None:
        return ShownCredential(_named(site, value))
    from certs.tls.service_tls import Contents, leaf_of, read_folder

    contents = read_folder(folder)
    leaf_of(contents, time.time())
    pair = Contents(contents.folder, certificate=contents.certificate, key=contents.key)
    return _copied(site, credential_in_use(site, service) or service, pair)


def wanted_credential(site: Site, service: str, flags: CertFlags) -> ShownCredential:
    """The credential of ``--tls-cert`` or ``--generate-tls-secrets``; no name: no TLS.

    Keeps an existing valid pair.
    """
    if not flags.generate:
        given = flags.tls_cert
        return shown_credential(site, given, service) if given else ShownCredential("")
    if flags.tls_cert:
        raise usage("--generate-tls-secrets makes what --tls-cert brings", "Give one of them")
    from certs.ca.authority import issue_service_leaf
    from certs.tls.service_tls import CA_FILE, Contents, leaf_of

    name = credential_in_use(site, service) or service
    kept = site.credentials
    with contextlib.suppress(CertError):
        leaf_of(kept.read(name), time.time())
        return ShownCredential(name)
    bind_ip = site.wanted().site.bind_ip
    hosts = [service, "localhost", *([] if bind_ip in ("0.0.0.0", "::") else [bind_ip])]
    leaf, ca_pem = issue_service_leaf(service, hosts, time.time())
    certificate, key = leaf.chain_pem.encode(), leaf.key_pem.encode()
    made = Contents("", certificate=certificate, key=key, ca=ca_pem.encode())
    kept.write(name, made)
    output.note(f"made a certificate for {', '.join(hosts)}, good for a year")
    output.note(f"clients trust {CA_FILE} in {kept.place(name)}; other sites need it all too")
    return ShownCredential(name, is_new=True)


def expected_credential(site: Site, service: str, flags: CertFlags) -> str:
    """The future result of `wanted_credential`, before any file is written."""
    if flags.generate or (flags.tls_cert and _folder(flags.tls_cert) is not None):
        return credential_in_use(site, service) or service
    return flags.tls_cert or ""


def trusted_credential(site: Site, value: str, service: str) -> str:
    """The credential that ``--tls-trust`` means for targets of ``service``; copied if need be.

    Named after service and folder: the targets of one service may have several CAs.
    """
    folder = _folder(value)
    if folder is None:
        return _named(site, value)
    from certs.tls.service_tls import read_folder, trust_of

    contents = read_folder(folder)
    trust_of(contents, time.time())
    return _copied(site, _name_of_copy(service, folder), contents).name


def client_credential(site: Site, value: str, service: str) -> str:
    """The credential that ``--tls-client-trust`` means for clients of ``service``; its CA alone is
    copied if need be."""
    folder = _folder(value)
    if folder is None:
        return _named(site, value)
    from certs.tls.service_tls import Contents, client_trust_of, read_folder

    contents = read_folder(folder)
    client_trust_of(contents, time.time())
    ca = Contents(contents.folder, ca=contents.ca)
    return _copied(site, _name_of_copy(service, folder), ca).name


def name_of_client_credential(value: str, service: str) -> str:
    """The name that `client_credential` gives, before any file is written."""
    folder = _folder(value)
    return value if folder is None else _name_of_copy(service, folder)


def _name_of_copy(service: str, folder: Path) -> str:
    words = f"{service}-{folder.resolve().name.lower()}"
    return re.sub(r"[^a-z0-9]+", "-", words)[:63].strip("-")


def credential_in_use(site: Site, service: str) -> str:
    """The credential that ``service`` names, here or where it is declared; empty: none."""
    known = declared_service(site, service)
    return known.tls_cert if known is not None else ""


def server_name(value: str | None, trust: str | None) -> str:
    """The checked value of ``--tls-server-name``."""
    if value is None:
        return ""
    if trust is None:
        raise usage("--tls-server-name belongs to --tls-trust", "Add --tls-trust NAME|FOLDER")
    if not is_host(value):
        raise usage(f"--tls-server-name {value!r} is not a host name or address")
    return value


def _folder(value: str) -> Path | None:
    path = Path(value).expanduser()
    if "/" not in value and not path.is_dir():
        return None
    if not path.is_dir():
        raise not_found(f"no folder {value}", "Give one with tls.crt and tls.key, or ca.crt")
    return path


def _named(site: Site, name: str) -> str:
    from certs.tls.service_tls import CA_FILE

    if not is_name(name):
        raise usage(
            f"{name!r} is neither a folder nor the name of a credential",
            "Give a path to a folder, or a name of lower-case letters, digits and '-'",
        )
    try:
        contents = site.credentials.read(name)
    except CertError as error:
        output.note(f"credential {name} cannot be used yet: {error}")
        return name
    if not (contents.certificate or contents.ca):
        output.note(
            f"Next: put its files (tls.crt and tls.key, or {CA_FILE}) into {contents.folder}"
        )
    return name


def _copied(site: Site, name: str, contents: "Contents") -> ShownCredential:
    is_new = site.credentials.write(name, contents)
    if is_new:
        output.note(f"credential {name}: copied into {site.credentials.place(name)}")
    return ShownCredential(name, is_new)
