"""Exports of the Multi-Cluster Services API, as sites report them to each other (KEP-1645)."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from router.model.ids import SiteId

HEADLESS: Final = "Headless"
CLUSTER_SET_IP: Final = "ClusterSetIP"


class ExportedPort(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One port of an exported Service, of any protocol."""

    name: str = ""
    protocol: str = "TCP"
    port: int
    app_protocol: str = ""


class ExportTerms(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An exported Service, as far as the exports of one name must agree.

    ``namespace`` as the cluster set knows it. ``affinity_timeout_s`` 0: the default.
    ``labels`` and ``annotations``: those that the export names.
    """

    namespace: str
    service: str
    kind: str = CLUSTER_SET_IP
    ports: tuple[ExportedPort, ...] = ()
    affinity: str = "None"
    affinity_timeout_s: int = 0
    internal_traffic_policy: str = ""
    traffic_distribution: str = ""
    families: tuple[str, ...] = ()
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class SiteExport(msgspec.Struct, frozen=True, kw_only=True):
    """One site's export of a service, made at ``made_at_s`` (Unix seconds, only compared).

    ``site_name`` is for people. ``is_owner``: the site owns the name of the service.
    """

    site: SiteId
    terms: ExportTerms
    made_at_s: float
    site_name: str = ""
    is_owner: bool = False


Exports = Mapping[str, tuple[SiteExport, ...]]
"""By the network's name of a service."""
NO_EXPORTS: Final[Exports] = MappingProxyType({})
