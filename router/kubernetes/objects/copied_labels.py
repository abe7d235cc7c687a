"""Which labels and annotations of a user's object may be put on objects that we make of it.

Tools that track what they applied (Argo CD, Flux, Helm, kubectl …) would take a copy of their marks
for an object of theirs, and prune it.
"""

from collections.abc import Collection, Mapping
from typing import Final

_TRACKING_DOMAINS: Final = (
    "argocd.argoproj.io",
    "cattle.io",
    "config.k8s.io",
    "config.kubernetes.io",
    "helm.sh",
    "kapp.k14s.io",
    "kubectl.kubernetes.io",
    "olm.openshift.io",
    "open-cluster-management.io",
    "operators.coreos.com",
    "skaffold.dev",
    "skupper.io",
    "spillway.dev",
    "toolkit.fluxcd.io",
)
_TRACKING_KEYS: Final = frozenset(
    ("app.kubernetes.io/instance", "app.kubernetes.io/managed-by", "app.kubernetes.io/part-of")
)
"""Argo CD tracks by the first; the others are ours to say on what we make."""


def spreads(key: str) -> bool:
    """Whether a label or annotation of that key may be copied to a generated object."""
    if key in _TRACKING_KEYS:
        return False
    domain, slash, _ = key.partition("/")
    return not slash or not any(
        domain == tracker or domain.endswith("." + tracker) for tracker in _TRACKING_DOMAINS
    )


def spreading(found: Mapping[str, str], excluded: Collection[str] = ()) -> dict[str, str]:
    """Those of ``found`` that may be copied, in the order of their keys."""
    return {key: found[key] for key in sorted(found) if key not in excluded and spreads(key)}
