"""A site's certificate authority, and the leaves it issues.

Only leaves of the site itself carry serverAuth, all others clientAuth. So a dialer that trusts
this one CA knows that it reached this site, whatever the address was. Services get no certificate
of this CA: a certificate that is made for one has a separate CA.
"""

import datetime
import ipaddress
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from certs import certificates, clocks, files, keys, limits
from certs.ca import rotation
from certs.ca.rotation import CaState
from certs.ca.terms import FREE, TokenTerms, extension
from certs.errors import CertError

TROUBLE_HINT = (
    "Set the clock right (timedatectl). If it is right, make another CA: sitectl revoke-access, "
    "then new tokens for all who link here"
)
"""The next step for `Authority.trouble`."""
CA_KEY_FILE, CA_FILE = "ca.key", "ca.crt"
CA_ROTATION_FILE = "ca-rotation.json"
CA_FILES = (CA_KEY_FILE, CA_FILE, CA_ROTATION_FILE)
LEAF_KEY_FILE, LEAF_FILE = "leaf.key", "leaf.crt"


class Leaf(msgspec.Struct, frozen=True):
    """A key with its certificate, as shown by one end of a TLS connection."""

    key_pem: str
    chain_pem: str

    def __repr__(self) -> str:
        return "Leaf(…)"  # Keys are never shown.

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return []


class Authority:
    """The CA of a site. ``ca_pem`` issues, ``trusted_pem`` is trusted by others.

    They are equal except during a rotation of the CA: then ``trusted_pem`` also has the next or the
    previous CA.
    """

    __slots__ = ("_certificate", "_key", "ca_pem", "trusted_pem")

    def __init__(
        self, key: keys.PrivateKey, certificate: x509.Certificate, other_pem: str = ""
    ) -> None:
        self._key, self._certificate = key, certificate
        self.ca_pem = certificates.to_pem(certificate)
        self.trusted_pem = self.ca_pem + other_pem

    @classmethod
    def create(cls, directory: Path, site_id: str, now: float) -> "Authority":
        """Create ``ca.key`` and ``ca.crt`` in ``directory``. `CertError`: there is a CA already."""
        files.make_private_directory(directory)
        key = keys.generate()
        path = directory / CA_KEY_FILE
        try:
            files.write_secret(path, keys.to_pem(key).encode(), replace=False)
        except FileExistsError as error:
            if (directory / CA_FILE).exists():
                raise CertError(
                    str(path), "this site has a CA already", "Use it, or delete the site first"
                ) from error
            key = keys.read(path)  # After a crash between the two files: complete the CA.
        certificate = _ca_certificate(key, f"spillway site {site_id}", now)
        files.write_secret(directory / CA_FILE, certificates.to_pem(certificate).encode())
        return cls(key, certificate)

    @classmethod
    def from_pem(cls, key_pem: str, ca_pem: str, source: str) -> "Authority":
        """The CA of a key and its certificate.

        `CertError` naming ``source`` if one is bad or they do not match.
        """
        key = keys.from_pem(key_pem, f"{source}: {CA_KEY_FILE}")
        certificate = certificates.read(ca_pem, f"{source}: {CA_FILE}")
        if certificates.public_key_der(certificate) != keys.public_der(key):
            raise CertError(
                f"{source}: {CA_FILE}", f"does not belong to {CA_KEY_FILE}", "Restore a backup"
            )
        return cls(key, certificate)

    @classmethod
    def of_state(cls, state: CaState, source: str) -> "Authority":
        """The CA of a stored state, with or without rotation. `CertError` as in `from_pem`."""
        whole = rotation.whole(state)
        made = cls.from_pem(whole.key_pem, whole.ca_pem, source)
        return cls(made._key, made._certificate, whole.other_pem)

    @classmethod
    def generate(cls, site_id: str, now: float) -> tuple["Authority", str]:
        """A new CA that is not stored yet, and its key in PEM."""
        key = keys.generate()
        certificate = _ca_certificate(key, f"spillway site {site_id}", now)
        return cls(key, certificate), keys.to_pem(key)

    @classmethod
    def load(cls, directory: Path) -> "Authority":
        """Read the CA of ``directory``.

        `CertError` if it is missing, accessible to others or bad.
        """
        return cls.of_state(load_state(directory), str(directory))

    def issue_server_leaf(
        self, site_id: str, now: float, *, expires_at: float | None = None
    ) -> Leaf:
        """A new key and a certificate for this site's own listener (serverAuth only)."""
        key = keys.generate()
        builder = self._leaf_builder(key.public_key(), site_id, now, expires_at, client=False)
        certificate = _of_site(builder, site_id).sign(self._key, hashes.SHA256())
        return Leaf(key_pem=keys.to_pem(key), chain_pem=certificates.to_pem(certificate))

    def issue_page_leaf(self, hosts: Sequence[str], now: float) -> Leaf:
        """A leaf for pages that the site serves to browsers at ``hosts``: names and addresses.

        It has only serverAuth and does not bear the site's name, so it is useless for links.
        """
        key = keys.generate()
        names = [_general_name(host) for host in hosts]
        builder = self._leaf_builder(
            key.public_key(),
            "spillway console",
            now,
            now + limits.CONSOLE_LEAF_LIFE_S,
            client=False,
        ).add_extension(x509.SubjectAlternativeName(names), critical=False)
        certificate = builder.sign(self._key, hashes.SHA256())
        return Leaf(key_pem=keys.to_pem(key), chain_pem=certificates.to_pem(certificate))

    def issue_client_leaf(
        self,
        key: keys.PublicKey,
        name: str,
        now: float,
        *,
        site_id: str | None = None,
        expires_at: float | None = None,
        terms: TokenTerms = FREE,
    ) -> str:
        """PEM of a certificate that admits ``key`` here as ``name`` (clientAuth only).

        With ``site_id`` it admits only that site, and only on ``terms``. It lasts a week, or until
        ``expires_at``, but never longer than the CA itself.
        """
        builder = self._leaf_builder(key, name, now, expires_at, client=True)
        if site_id is not None:
            builder = _of_site(builder, site_id)
        if not terms.are_unrestricted:
            builder = builder.add_extension(extension(terms), critical=False)
        return certificates.to_pem(builder.sign(self._key, hashes.SHA256()))

    @property
    def begins_at(self) -> float:
        """Unix seconds from which the CA is valid."""
        return self._certificate.not_valid_before_utc.timestamp()

    @property
    def ends_at(self) -> float:
        """Unix seconds after which the CA is not valid."""
        return self._certificate.not_valid_after_utc.timestamp()

    def trouble(self, now: float) -> str:
        """Why no site can link by this CA at ``now``, by our clock; empty: the CA is valid."""
        if now < self.begins_at:
            return (
                f"this site's CA begins at {clocks.utc(self.begins_at)}, and here it is "
                f"{clocks.utc(now)}: this host's clock is slow, or was fast when the site was made"
            )
        if now >= self.ends_at:
            return (
                f"this site's CA ended at {clocks.utc(self.ends_at)}, and here it is "
                f"{clocks.utc(now)}: this host's clock is fast, or was slow when the site was "
                "made, or the CA is that old"
            )
        return ""

    def issued(self, certificate: x509.Certificate) -> bool:
        """Whether the issuing CA signed it."""
        return certificates.is_issued_by(certificate, [self._certificate])

    def admits(self, certificate: x509.Certificate) -> bool:
        """Whether a trusted CA of this site signed it, including the next or previous one."""
        return certificates.is_issued_by(certificate, certificates.read_all(self.trusted_pem))

    def _leaf_builder(
        self, key: keys.PublicKey, name: str, now: float, expires_at: float | None, *, client: bool
    ) -> x509.CertificateBuilder:
        end = min(
            now + limits.LEAF_LIFE_S if expires_at is None else expires_at,
            self._certificate.not_valid_after_utc.timestamp(),
        )
        if self.ends_at <= now:
            raise CertError(name, self.trouble(now), TROUBLE_HINT)
        if end <= now:
            raise CertError(name, "the certificate would end before it begins", "Extend the expiry")
        usage = ExtendedKeyUsageOID.CLIENT_AUTH if client else ExtendedKeyUsageOID.SERVER_AUTH
        authority_key = self._certificate.extensions.get_extension_for_class(
            x509.SubjectKeyIdentifier
        )
        return (
            _builder(_common_name(name), self._certificate.subject, key, now, end)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage("leaf"), critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(authority_key.value),
                critical=False,
            )
        )

    def __repr__(self) -> str:
        return f"Authority({self._certificate.subject.rfc4514_string()})"


def load_state(directory: Path) -> CaState:
    """The state of the CA in ``directory``, completed after a crash. `CertError` names the file."""
    for _ in range(limits.CA_READINGS_MAX):
        before = ca_stamp(directory)
        state = _read_state(directory)
        if ca_stamp(directory) == before:
            break  # A consistent reading; else another process writes the files.
    return rotation.whole(state)


def ca_stamp(directory: Path) -> tuple[tuple[int, int], ...]:
    """A value that changes whenever a file of the CA is created, deleted or replaced."""
    found = []
    for name in CA_FILES:
        try:
            at = os.stat(directory / name, follow_symlinks=False)
            found.append((at.st_mtime_ns, at.st_ino))
        except FileNotFoundError:
            found.append((0, 0))
    return tuple(found)


def _read_state(directory: Path) -> CaState:
    path = directory / CA_ROTATION_FILE
    try:
        found = rotation.decode(files.read_secret(path), str(path))
    except FileNotFoundError:
        found = None
    try:
        key_pem = files.read_secret(directory / CA_KEY_FILE).decode("ascii", "replace")
        ca_pem = files.read_secret(directory / CA_FILE).decode("ascii", "replace")
    except FileNotFoundError as error:
        name = str(error.filename)
        if (directory / CA_FILE).exists():  # The key is created first, so it was there.
            reason = "the key of the site's CA is missing"
            raise CertError(name, reason, "Restore it from a backup") from error
        hint = "Run: sitectl init, or restore a backup"
        raise CertError(name, "this site has no CA", hint) from error
    certificates.read(ca_pem, str(directory / CA_FILE))
    return CaState(key_pem, ca_pem, found)


def ensure_leaf(directory: Path, authority: Authority, site_id: str, now: float) -> Leaf:
    """The site's own server leaf from ``directory``, issued again when that is due.

    Due: missing, two thirds of its life over, of another CA or site, longer than others accept, or
    key and certificate of different leaves (a crash between the two files). While the CA itself is
    not valid by this clock, a matching leaf stays, and a new one begins with the CA and lasts as
    long as others accept: this clock may be wrong, and theirs right.
    """
    key_path, path = directory / LEAF_KEY_FILE, directory / LEAF_FILE
    try:
        key_pem = files.read_secret(key_path).decode("ascii", "replace")
        chain_pem = files.read_secret(path).decode("ascii", "replace")
    except FileNotFoundError:
        return _replace_leaf(directory, authority, site_id, now)
    try:
        key = keys.from_pem(key_pem, str(key_path))
        certificate = certificates.read(chain_pem, str(path))
    except CertError:  # Torn by another tool; unlike other keys it can be replaced.
        return _replace_leaf(directory, authority, site_id, now)
    fits = (
        certificates.public_key_der(certificate) == keys.public_der(key)
        and authority.issued(certificate)
        and certificates.site_in_certificate(chain_pem) == site_id
        and not certificates.unfit_for_links(certificate)
    )
    if not fits or (not authority.trouble(now) and not is_fresh(chain_pem, now)):
        return _replace_leaf(directory, authority, site_id, now)
    return Leaf(key_pem=key_pem, chain_pem=chain_pem)


def is_fresh(chain_pem: str, now: float) -> bool:
    """Whether it is valid, also after the clock was set back, with a third of its life left."""
    begins_at = certificates.read(chain_pem).not_valid_before_utc.timestamp()
    return begins_at <= now and not certificates.needs_renewal(chain_pem, now)


def issue_service_leaf(service: str, hosts: Sequence[str], now: float) -> tuple[Leaf, str]:
    """A pair for listeners at ``hosts`` (names, addresses), and PEM of a CA made for it alone.

    That CA's key is not stored, so it never certifies another leaf. Nor is it the site's CA, whose
    leaves admit to links.
    """
    ca_key, key = keys.generate(), keys.generate()
    certificate = _ca_certificate(ca_key, f"spillway service {service}", now)
    authority = Authority(ca_key, certificate)
    names = [_general_name(host) for host in hosts]
    builder = authority._leaf_builder(
        key.public_key(), service, now, now + limits.SERVICE_LEAF_LIFE_S, client=False
    ).add_extension(x509.SubjectAlternativeName(names), critical=False)
    leaf = builder.sign(ca_key, hashes.SHA256())
    pair = Leaf(key_pem=keys.to_pem(key), chain_pem=certificates.to_pem(leaf))
    return pair, authority.ca_pem


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _replace_leaf(directory: Path, authority: Authority, site_id: str, now: float) -> Leaf:
    if authority.trouble(now):
        whole = authority.begins_at + limits.BACKDATE_S
        ends_at = whole + limits.LINK_LEAF_LIFE_MAX_S
        leaf = authority.issue_server_leaf(site_id, whole, expires_at=ends_at)
    else:
        leaf = authority.issue_server_leaf(site_id, now)
    files.write_secret(directory / LEAF_KEY_FILE, leaf.key_pem.encode())
    files.write_secret(directory / LEAF_FILE, leaf.chain_pem.encode())
    return leaf


def _ca_certificate(key: keys.PrivateKey, subject: str, now: float) -> x509.Certificate:
    name = _common_name(subject)
    public = key.public_key()
    key_id = x509.SubjectKeyIdentifier.from_public_key(public)
    return (
        _builder(name, name, public, now, now + limits.CA_LIFE_S)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage("ca"), critical=True)
        .add_extension(key_id, critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(key_id), critical=False
        )
        .sign(key, hashes.SHA256())
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, key: keys.PublicKey, now: float, end: float
) -> x509.CertificateBuilder:
    start = now - min(limits.BACKDATE_S, (end - now) / 10)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.datetime.fromtimestamp(start, datetime.UTC))
        .not_valid_after(datetime.datetime.fromtimestamp(end, datetime.UTC))
    )


def _of_site(builder: x509.CertificateBuilder, site_id: str) -> x509.CertificateBuilder:
    """Add the site's id to the certificate."""
    name = x509.UniformResourceIdentifier(certificates.site_uri(site_id))
    return builder.add_extension(x509.SubjectAlternativeName([name]), critical=False)


def _common_name(text: str) -> x509.Name:
    shown = text[: limits.COMMON_NAME_CHARACTERS_MAX]
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, shown)])


def _key_usage(kind: Literal["ca", "leaf"]) -> x509.KeyUsage:
    is_ca = kind == "ca"
    return x509.KeyUsage(
        digital_signature=not is_ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=is_ca,
        crl_sign=is_ca,
        encipher_only=False,
        decipher_only=False,
    )
