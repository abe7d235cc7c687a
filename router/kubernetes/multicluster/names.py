"""Names and marks of the Multi-Cluster Services API, and how a name of the network is made."""

import hashlib
from typing import Final

from router.kubernetes.objects import names
from router.kubernetes.objects.objects import Object, labels

EXPORT, IMPORT = "ServiceExport", "ServiceImport"
GROUP: Final = "multicluster.x-k8s.io"
API_VERSION: Final = f"{GROUP}/v1beta1"
OLDER_VERSION: Final = f"{GROUP}/v1alpha1"
"""Of mcs-api before 0.5. Its CRDs before 0.4 drop fields that the later ones keep."""
DERIVED_SERVICE: Final = "multicluster.kubernetes.io/derived-service"
"""On a ServiceImport: the Service whose addresses are those of the cluster set."""
SUFFIX: Final = "-clusterset"
"""Of a derived Service where the namespace has a Service of the exported name."""
_PART_CHARS: Final = 24
_DIGEST_CHARS: Final = 8
_SERVICE_CHARS_MAX: Final = 63


def network_name(namespace: str, service: str) -> str:
    """The network's name of Service ``service`` of ``namespace``: equal at every site.

    The digest tells apart what the readable part could not: ``a-b/c`` and ``a/b-c``.
    """
    digest = hashlib.sha256(f"{namespace}/{service}".encode()).hexdigest()[:_DIGEST_CHARS]
    return f"{service[:_PART_CHARS]}-{namespace[:_PART_CHARS]}-{digest}"


def suffixed_name(service: str) -> str:
    """The name of a derived Service beside a Service called ``service``."""
    if len(service) + len(SUFFIX) <= _SERVICE_CHARS_MAX:
        return service + SUFFIX
    digest = hashlib.sha256(service.encode()).hexdigest()[:_DIGEST_CHARS]
    rest = _SERVICE_CHARS_MAX - len(SUFFIX) - _DIGEST_CHARS - 1
    return f"{service[:rest]}-{digest}{SUFFIX}"


def is_ours(found: Object, name: str = "") -> bool:
    """Whether we made a ServiceImport or a derived Service; with ``name``: of that service."""
    marked = labels(found)
    told = marked.get(names.CLUSTERSET_LABEL)
    is_marked = told is not None and marked.get(names.MANAGED_BY_LABEL) == names.MANAGED_BY
    return is_marked and (not name or told == name)
