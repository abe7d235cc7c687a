"""TLS credentials of services of a namespace, in its Secrets."""

from certs import service_tls
from certs.service_tls import CA_FILE, CERTIFICATE_FILE, KEY_FILE, Contents
from router.kubernetes import names
from router.kubernetes import secrets as kept
from router.kubernetes.objects import Object
from sitectl.kubernetes.cluster import Cluster


class SecretCredentials:
    """Implements `sitectl.site.site.ServiceCredentials`: Secrets as cert-manager and Skupper make
    them."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def read(self, name: str) -> Contents:
        """All files of the Secret."""
        return _contents(name, self._cluster.find("Secret", name))

    def write(self, name: str, contents: Contents) -> bool:
        """Make the Secret, or replace what it has; a key that is not given stays."""
        found = self._cluster.find("Secret", name)
        before = _contents(name, found)
        given = {
            CERTIFICATE_FILE: contents.certificate,
            KEY_FILE: contents.key,
            CA_FILE: contents.ca,
        }
        data = kept.encoded({key: value for key, value in given.items() if value})
        if found is None:
            is_pair = CERTIFICATE_FILE in data and KEY_FILE in data
            self._cluster.create(
                {
                    "apiVersion": "v1",
                    "kind": "Secret",
                    "metadata": {
                        "name": name,
                        "labels": {**names.PART_OF, names.MANAGED_BY_LABEL: names.MANAGED_BY},
                    },
                    "type": "kubernetes.io/tls" if is_pair else "Opaque",
                    "data": data,
                }
            )
            return True
        after = _contents(name, {**found, "data": {**(found.get("data") or {}), **data}})
        if after == before:
            return False
        self._cluster.patch("Secret", name, {"data": data})
        return True

    def place(self, name: str) -> str:
        """As people name it."""
        return f"Secret/{name}"


def _contents(name: str, found: Object | None) -> Contents:
    data = kept.data_of(found) if found is not None else {}
    return Contents(
        f"Secret/{name}",
        *(data.get(file, b"") for file in service_tls.FILES),
    )
