"""Labels and annotations of a user's object that may be copied to objects that we make from it.

Tools that track their objects (Argo CD, Flux, Helm, kubectl …) would take an object with a copy of
their marks for one of theirs, and prune it.
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
"""Argo CD tracks by the first; the others are ours to set on our objects."""


def spreads(key: str) -> bool:
    """Whether a label or annotation of that key may be copied to a generated object."""
    if key in _TRACKING_KEYS:
        return False
    domain, slash, _ = key.partition("/")
    return not slash or not any(
        domain == tracker or domain.endswith("." + tracker) for tracker in _TRACKING_DOMAINS
    )


def spreading(found: Mapping[str, str], excluded: Collection[str] = ()) -> dict[str, str]:
    """The entries of ``found`` that may be copied, in the order of their keys."""
    return {key: found[key] for key in sorted(found) if key not in excluded and spreads(key)}
