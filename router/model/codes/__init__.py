"""All codes of the product: what `status`, `check`, findings and errors show as ``SW`` and digits.

A code keeps its meaning for good. docs/codes.md is made of this (``python -m tests.codes_table``).
A test finds every code in the source and wants it here, and here none that nobody uses.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from router.model.codes import (
    bursts,
    cluster,
    documents,
    host,
    mesh,
    multicluster,
    network,
    router,
    skupper2,
)
from router.model.codes.code import Code

__all__ = ["CODES", "FAMILIES", "Code"]

FAMILIES: Final = (
    ("Documents", documents.CODES),
    ("Doors and services of a site", network.SERVICES),
    ("Network", network.NETWORK),
    ("Kubernetes", cluster.CODES),
    ("Multi-Cluster Services API", multicluster.CODES),
    ("Objects of Skupper v2 on Kubernetes", skupper2.CODES),
    ("Machine and site, as `check` sees them", host.CHECKED),
    ("systemd and containers", host.RUNTIMES),
    ("Gateways", host.GATEWAYS),
    ("Backups", host.BACKUPS),
    ("The router itself, its certificates and neighbors", router.CODES),
    ("Tracing and bursts", bursts.BURSTS),
    ("Simulations", bursts.SIMULATIONS),
    ("Mesh files", mesh.CODES),
)

CODES: Final[Mapping[str, Code]] = MappingProxyType(
    {code.code: code for _, family in FAMILIES for code in family}
)
