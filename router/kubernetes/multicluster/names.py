"""Names and labels of the Multi-Cluster Services API, and how network names are made."""

import hashlib
from collections import Counter
from collections.abc import Mapping
from typing import Final

from router.kubernetes.objects import names
from router.kubernetes.objects.objects import Object, labels
from router.model.ids import SiteId

EXPORT, IMPORT = "ServiceExport", "ServiceImport"
GROUP: Final = "multicluster.x-k8s.io"
API_VERSION: Final = f"{GROUP}/v1beta1"
OLDER_VERSION: Final = f"{GROUP}/v1alpha1"
"""Version of mcs-api before 0.5. Its CRDs before 0.4 drop fields that later ones keep."""
SERVICE_NAME_LABEL: Final = "multicluster.kubernetes.io/service-name"
SOURCE_CLUSTER_LABEL: Final = "multicluster.kubernetes.io/source-cluster"
"""On EndpointSlices of an import (KEP-1645, Using EndpointSlice objects to track endpoints)."""
DERIVED_SERVICE: Final = "multicluster.kubernetes.io/derived-service"
"""On a ServiceImport: the Service whose addresses are those of the cluster set."""
SUFFIX: Final = "-clusterset"
"""Suffix of a derived Service if the exported name may be used by a Service here."""
_PART_CHARS: Final = 24
_DIGEST_CHARS: Final = 8
_POD_CHARS: Final = 40
_POD_DIGEST_CHARS: Final = 12
"""Longer than a service's digest: no pod's name equals a service's."""
_SERVICE_CHARS_MAX: Final = 63


def network_name(namespace: str, service: str) -> str:
    """The network's name of Service ``service`` of ``namespace``: equal at every site.

    The digest separates names whose readable parts are equal: ``a-b/c`` and ``a/b-c``.
    """
    digest = hashlib.sha256(f"{namespace}/{service}".encode()).hexdigest()[:_DIGEST_CHARS]
    return f"{service[:_PART_CHARS]}-{namespace[:_PART_CHARS]}-{digest}"


def pod_network_name(service: str, site: str, pod: str) -> str:
    """The network's name of a pod at ``site``. ``service``: that of its headless service."""
    digest = hashlib.sha256(f"{service}/{site}/{pod}".encode()).hexdigest()[:_POD_DIGEST_CHARS]
    return f"{pod[:_POD_CHARS]}-{digest}"


def cluster_ids(sites: Mapping[SiteId, str], owner: SiteId | None = None) -> dict[SiteId, str]:
    """A unique DNS label for each site, made from its name, if the name allows one.

    No other site, whatever its name, changes the label of ``owner``.
    """
    found = {site: label for site, name in sites.items() if (label := _label(name))}
    id_chars = 0
    while len(set(found.values())) < len(found):  # Also if a site's name is another's id.
        given = Counter(found.values())
        id_chars += _DIGEST_CHARS
        found = {
            site: label
            if given[label] == 1 or (site == owner and id_chars <= len(site))
            else _with_id(label, site[:id_chars])
            for site, label in found.items()
        }
    return found


def _with_id(label: str, site: str) -> str:
    return f"{label[: _SERVICE_CHARS_MAX - len(site) - 1]}-{site}".lower()


def _label(name: str) -> str:
    plain = "".join(c if c.isascii() and c.isalnum() else "-" for c in name.lower()).strip("-")
    return plain[:_SERVICE_CHARS_MAX].strip("-")


def suffixed_name(service: str) -> str:
    """The name of a derived Service beside a Service called ``service``."""
    if len(service) + len(SUFFIX) <= _SERVICE_CHARS_MAX:
        return service + SUFFIX
    digest = hashlib.sha256(service.encode()).hexdigest()[:_DIGEST_CHARS]
    rest = _SERVICE_CHARS_MAX - len(SUFFIX) - _DIGEST_CHARS - 1
    return f"{service[:rest]}-{digest}{SUFFIX}"


def marks(name: str) -> dict[str, str]:
    """Labels of this site's objects for the service ``name``."""
    ours = {names.MANAGED_BY_LABEL: names.MANAGED_BY, names.CLUSTERSET_LABEL: name}
    return {**names.PART_OF, **ours}


def is_ours(found: Object, name: str = "") -> bool:
    """Whether we made a ServiceImport or a derived Service; with ``name``: for that service."""
    marked = labels(found)
    told = marked.get(names.CLUSTERSET_LABEL)
    is_marked = told is not None and marked.get(names.MANAGED_BY_LABEL) == names.MANAGED_BY
    return is_marked and (not name or told == name)
