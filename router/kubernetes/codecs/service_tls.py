"""Secrets with a TLS credential of a service, as cert-manager and Skupper make them."""

from typing import Any

from certs.tls.service_tls import CERTIFICATE_FILE, FILES, KEY_FILE, Contents
from router.kubernetes.codecs.secrets import CODE, data_of, encoded
from router.kubernetes.objects.names import MANAGED_BY, MANAGED_BY_LABEL, PART_OF
from router.kubernetes.objects.objects import Object


def decode(name: str, found: Object | None, code: str = CODE) -> Contents:
    """The Secret's files, unchecked; missing ones are empty. Their users judge them."""
    data = {} if found is None else data_of(found, code)
    return Contents(f"Secret/{name}", *(data.get(file, b"") for file in FILES))


def encode(contents: Contents) -> dict[str, str]:
    """The data of the Secret: the files that are present."""
    return encoded(files(contents))


def files(contents: Contents) -> dict[str, bytes]:
    """The present files, by name."""
    found = zip(FILES, (contents.certificate, contents.key, contents.ca), strict=True)
    return {file: value for file, value in found if value}


def secret(name: str, contents: Contents) -> dict[str, Any]:
    """A new Secret; a pair of certificate and key gets the type that other tools expect."""
    data = encode(contents)
    is_pair = CERTIFICATE_FILE in data and KEY_FILE in data
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "labels": {**PART_OF, MANAGED_BY_LABEL: MANAGED_BY}},
        "type": "kubernetes.io/tls" if is_pair else "Opaque",
        "data": data,
    }
