"""All codes of the product: ``SW`` and digits in `status`, `check`, findings and errors.

A code never changes its meaning. docs/codes.md is generated from here (``python -m
tests.codes_table``). A test checks that every code in the source is here, and that the source uses
every code here.
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
