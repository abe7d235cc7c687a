"""Signing requests: proof of a site's key to the CA of another site."""

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from certs import certificates, keys
from certs.errors import CertError


def make_csr(key: keys.PrivateKey) -> str:
    """A certificate signing request (PEM) for ``key``, without names: the issuer sets them."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    request = builder.sign(key, hashes.SHA256())
    return request.public_bytes(serialization.Encoding.PEM).decode()


def key_of_csr(pem: str) -> keys.PublicKey:
    """The key that a signing request proves to hold; all other contents are ignored.

    Raises `CertError` unless it is signed by its own key and that is P-256.
    """
    try:
        request = x509.load_pem_x509_csr(pem.encode())
        key = request.public_key()
        # Before any computation: large keys of other kinds are costly.
        fits = isinstance(key, keys.PublicKey) and keys.is_p256(key)
        proven = fits and request.is_signature_valid
    except certificates.MALFORMED as error:
        raise CertError("certificate request", "cannot be read", "Make a new one") from error
    if not isinstance(key, keys.PublicKey) or not fits:
        raise CertError("certificate request", "its key is not ECDSA P-256", "Make a new one")
    if not proven:
        raise CertError("certificate request", "is not signed by its own key", "Make a new one")
    return key
