"""Reads certificates: their contents, their uses, their ends.

A certificate is passed as DER bytes or as PEM text (the first of a chain counts).
"""

import hashlib
import re
from collections.abc import Sequence

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from certs import limits
from certs.errors import CertError

_SITE_URI = re.compile(r"spillway://site/([0-9a-f]{32})")
# Exceptions of the library's parser and accessors for malformed bytes.
MALFORMED = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)


def site_uri(site_id: str) -> str:
    """The subject alternative name of a site's server leaf."""
    return f"spillway://site/{site_id}"


def read(certificate: bytes | str, source: str = "certificate") -> x509.Certificate:
    """Parse a certificate; `CertError` naming ``source`` if it is none."""
    try:
        if isinstance(certificate, str):
            return x509.load_pem_x509_certificate(certificate.encode())
        return x509.load_der_x509_certificate(certificate)
    except MALFORMED as error:
        raise CertError(source, "is no readable certificate", "Ask for a new one") from error


def read_all(pem: str, source: str = "certificate") -> list[x509.Certificate]:
    """All certificates of ``pem`` in order: 1 to `limits.CHAIN_CERTIFICATES_MAX`."""
    try:
        found = x509.load_pem_x509_certificates(pem.encode())
    except MALFORMED as error:
        raise CertError(source, "holds no readable certificate", "Ask for a new one") from error
    if len(found) > limits.CHAIN_CERTIFICATES_MAX:
        raise CertError(source, f"holds {len(found)} certificates", "Ask for a new one")
    return found


def to_pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def to_der(certificate: bytes | str) -> bytes:
    """DER of the (first) certificate, for example of one's own leaf from its chain."""
    return read(certificate).public_bytes(serialization.Encoding.DER)


def site_in_certificate(certificate: bytes | str) -> str | None:
    """The site id that a server leaf is for; None unless it names exactly one site."""
    try:
        names = read(certificate).extensions.get_extension_for_class(x509.SubjectAlternativeName)
        uris = names.value.get_values_for_type(x509.UniformResourceIdentifier)
    except (CertError, x509.ExtensionNotFound, *MALFORMED):
        return None
    if len(uris) != 1:
        return None
    match = _SITE_URI.fullmatch(uris[0])
    return match[1] if match else None


def hosts_of(certificate: bytes | str) -> set[str]:
    """The names and addresses that the certificate is for."""
    try:
        names = read(certificate).extensions.get_extension_for_class(x509.SubjectAlternativeName)
        return {
            *names.value.get_values_for_type(x509.DNSName),
            *map(str, names.value.get_values_for_type(x509.IPAddress)),
        }
    except (x509.ExtensionNotFound, *MALFORMED):
        return set()


def has_names(certificate: bytes | str) -> bool:
    """Whether it has a subject alternative name, readable or not."""
    try:
        read(certificate).extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return False
    except MALFORMED:
        pass
    return True


def serial_of(certificate: bytes | str) -> str:
    """The serial number in lower-case hex."""
    return f"{read(certificate).serial_number:x}"


def key_id(certificate: bytes | str) -> str:
    """SHA-256 of the certificate's public key (DER), hex."""
    return hashlib.sha256(public_key_der(read(certificate))).hexdigest()


def begins_at(certificate: bytes | str) -> float:
    """Unix seconds from which the certificate is valid."""
    return read(certificate).not_valid_before_utc.timestamp()


def expires_at(certificate: bytes | str) -> float:
    """Unix seconds after which the certificate is not valid."""
    return read(certificate).not_valid_after_utc.timestamp()


def common_name(certificate: bytes | str) -> str:
    """The subject's CN; empty if there is none or more than one."""
    try:
        names = read(certificate).subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    except MALFORMED:
        return ""
    return str(names[0].value) if len(names) == 1 else ""


def fingerprint(certificate: bytes | str) -> str:
    """SHA-256 of the DER, 64 lower-case hex digits."""
    return read(certificate).fingerprint(hashes.SHA256()).hex()


def fingerprints(pem: str) -> tuple[str, ...]:
    """Fingerprints of all certificates of ``pem``, in order."""
    return tuple(one.fingerprint(hashes.SHA256()).hex() for one in read_all(pem))


def needs_renewal(certificate: bytes | str, now: float) -> bool:
    """Whether two thirds of the certificate's life are over."""
    return now >= renewal_at(certificate)


def renewal_at(certificate: bytes | str) -> float:
    """Unix seconds when two thirds of the certificate's life are over."""
    found = read(certificate)
    start = found.not_valid_before_utc.timestamp()
    life = found.not_valid_after_utc.timestamp() - start
    return start + life * limits.RENEW_AT_SHARE


def public_key_der(certificate: x509.Certificate, source: str = "certificate") -> bytes:
    """The subject's key as DER SubjectPublicKeyInfo; `CertError` if its kind is unknown."""
    try:
        key = certificate.public_key()
    except MALFORMED as error:
        raise CertError(source, "holds no readable key", "Ask for a new one") from error
    return key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def is_issued_by(certificate: x509.Certificate, cas: Sequence[x509.Certificate]) -> bool:
    """Whether one of ``cas`` signed it. Time and usage are not checked."""
    for ca in cas:
        try:
            certificate.verify_directly_issued_by(ca)
        except (InvalidSignature, *MALFORMED):
            continue
        return True
    return False


def is_for_clients(certificate: x509.Certificate) -> bool:
    """Whether its extended key usage is client authentication and nothing else."""
    try:
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    except (x509.ExtensionNotFound, *MALFORMED):
        return False
    return list(usage.value) == [ExtendedKeyUsageOID.CLIENT_AUTH]


def unfit_for_links(certificate: x509.Certificate) -> str:
    """Why it is no certificate that a site issues for links; empty: it is one.

    Such a certificate is only for clients or only for servers (TLS ensures that a dialer shows the
    former), is no CA and lasts at most a year. OpenSSL accepts certificates without these fields.
    """
    try:
        extensions = certificate.extensions
        usage = list(extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
        is_ca = extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (x509.ExtensionNotFound, *MALFORMED):
        return "does not say what it is for"
    if usage not in ([ExtendedKeyUsageOID.CLIENT_AUTH], [ExtendedKeyUsageOID.SERVER_AUTH]):
        return "is not for links alone"
    if is_ca:
        return "is that of a certificate authority"
    life = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    if life.total_seconds() > limits.LINK_LEAF_LIFE_MAX_S + limits.BACKDATE_S:
        return f"lasts more than {limits.LINK_LEAF_LIFE_MAX_S // limits.DAY_S} days"
    return ""
