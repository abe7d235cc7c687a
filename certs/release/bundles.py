"""The signed list of a release's files: `make bundle` writes it, `sitectl verify` reads it.

``SHA256SUMS`` has sha256sum's format; ``SHA256SUMS.sig`` is the ECDSA signature of its bytes by a
P-256 key, with SHA-256, in base64; the same each time (RFC 6979). The maker of releases keeps the
private key and publishes the public one separately. Without sitectl: ``base64 -d SHA256SUMS.sig >
sig; openssl dgst -sha256 -verify release.pub -signature sig SHA256SUMS``.
"""

import base64
import binascii
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from certs import keys
from certs.errors import CertError
from certs.files import read_secret, write_secret

SUMS: Final = "SHA256SUMS"
SIGNATURE: Final = f"{SUMS}.sig"
PROVENANCE: Final = "provenance.json"
SBOM: Final = "sbom.json"
VEX: Final = "vex.json"
PARTS: Final = {
    "install.sh": r"install\.sh",
    "its list of hashes": r"requirements\.txt",
    "wheel": r"wheels/spillway_router-[^/]+\.whl",
    "sdist": r"sdist/spillway_router-[^/]+\.tar\.gz",
    "image, or why there is none": r"images/(IMAGE|NONE)",
    "Helm chart": r"charts/spillway-[^/]+\.tgz",
    "Helm chart as an OCI artefact": r"charts/spillway-[^/]+\.oci\.tar",
    "kubectl plugin": r"krew/spillway\.yaml",
    "manifests": r"manifests/.+",
    "compose.yaml": r"compose/compose\.yaml",
    "man pages": r"man/man1/sitectl\.1",
    "bill of materials": re.escape(SBOM),
    "statement on vulnerabilities": re.escape(VEX),
    "provenance": re.escape(PROVENANCE),
}
"""Files of every release: patterns of their names."""
_RUN: Final = ("charts/", "compose/", "images/", "krew/", "manifests/", "sdist/", "wheels/")
_LINE: Final = re.compile(r"([0-9a-f]{64})  ([!-~]{1,400})")
_BY: Final = ec.ECDSA(hashes.SHA256())


def new_key(path: Path) -> Path:
    """Create a key pair: ``path``, 0600, and the public key beside it as ``.pub``; its path.

    Raises CertError: there is a file of that name.
    """
    key = keys.generate()
    try:
        write_secret(path, keys.to_pem(key).encode(), replace=False)
    except FileExistsError as error:
        raise CertError(str(path), "is there already", "Name another file") from error
    public = path.with_name(f"{path.name}.pub")
    public.write_bytes(
        key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    return public


def sign(sums: bytes, key: Path) -> bytes:
    """The signature of ``sums`` by the private key in the file ``key``, in its file's format."""
    same_each_time = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
    private = keys.from_pem(read_secret(key), str(key))
    return base64.b64encode(private.sign(sums, same_each_time)) + b"\n"


def is_signed(sums: bytes, signature: bytes, key: Path) -> bool:
    """Whether ``signature`` is that of ``sums`` by the owner of the public key in file ``key``.

    Raises CertError: there is no such key.
    """
    try:
        public = serialization.load_pem_public_key(key.read_bytes())
    except (OSError, ValueError) as error:
        raise CertError(str(key), f"holds no public key: {error}") from error
    if not isinstance(public, ec.EllipticCurvePublicKey) or not keys.is_p256(public):
        raise CertError(str(key), "holds a key that is not P-256")
    try:
        public.verify(base64.b64decode(signature.strip(), validate=True), sums, _BY)
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True


def read_sums(text: str) -> dict[str, str] | None:
    """Digests by file; None: a line is malformed, or a name is repeated or leads elsewhere."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        match = _LINE.fullmatch(line)
        if match is None or match[2] in found or not is_inside(match[2]):
            return None
        found[match[2]] = match[1]
    return found


def is_inside(name: str) -> bool:
    """Whether ``name`` stays below the directory that it is relative to."""
    return not name.startswith("/") and ".." not in name.split("/")


def is_run(name: str) -> bool:
    """Whether the file is installed, applied or run: the provenance names all of these."""
    return name.startswith(_RUN) or name == "install.sh"


def missing_parts(names: Iterable[str]) -> list[str]:
    """The ``PARTS`` that a release of these files lacks."""
    listed = list(names)
    return [
        part
        for part, pattern in PARTS.items()
        if not any(re.fullmatch(pattern, name) for name in listed)
    ]
