"""TLS credentials of services of a namespace, in its Secrets."""

from certs.tls.service_tls import Contents
from router.kubernetes.codecs import service_tls as codec
from sitectl.kubernetes.cluster import Cluster


class SecretCredentials:
    """Implements `sitectl.site.ports.ServiceCredentials`: Secrets as cert-manager and Skupper make
    them."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def read(self, name: str) -> Contents:
        """All files of the Secret."""
        return codec.decode(name, self._cluster.find("Secret", name))

    def write(self, name: str, contents: Contents) -> bool:
        """Make the Secret, or replace the given keys; its other keys stay."""
        found = self._cluster.find("Secret", name)
        if found is None:
            self._cluster.create(codec.secret(name, contents))
            return True
        data = codec.encode(contents)
        after = {**found, "data": {**(found.get("data") or {}), **data}}
        if codec.decode(name, after) == codec.decode(name, found):
            return False
        self._cluster.patch("Secret", name, {"data": data})
        return True

    def place(self, name: str) -> str:
        """As people name it."""
        return f"Secret/{name}"
