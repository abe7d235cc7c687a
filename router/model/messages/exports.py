"""Exports of the Multi-Cluster Services API, as sites report them to each other (KEP-1645)."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from router.model.ids import SiteId
from router.model.limits import (
    EXPORTED_METADATA_CHARS_MAX,
    EXPORTED_PODS_MAX,
    NAME_CHARS_MAX,
    PORTS_PER_SERVICE_MAX,
)

HEADLESS: Final = "Headless"
CLUSTER_SET_IP: Final = "ClusterSetIP"


class ExportedPort(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One port of an exported Service, of any protocol."""

    name: str = ""
    protocol: str = "TCP"
    port: int
    app_protocol: str = ""


class ExportTerms(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The properties of an exported Service on which all exports of one name must agree.

    ``namespace`` as the cluster set knows it. ``affinity_timeout_s`` 0: the default. ``labels`` and
    ``annotations``: those that the export names. ``pods``: names of pods of a headless service, at
    ``pods_site``.
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
    pods: tuple[str, ...] = ()
    pods_site: str = ""


class SiteExport(msgspec.Struct, frozen=True, kw_only=True):
    """One site's export of a service, made at ``made_at_s`` (Unix seconds, only compared).

    ``site_name`` is the readable name. ``is_owner``: the site owns the name of the service.
    """

    site: SiteId
    terms: ExportTerms
    made_at_s: float
    site_name: str = ""
    is_owner: bool = False


_LABEL: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_WORD: Final = re.compile(r"[A-Za-z0-9]*")
_KEY_CHARS_MAX: Final = 253 + 1 + NAME_CHARS_MAX
_APP_PROTOCOL: Final = re.compile(r"[-A-Za-z0-9./_]*")
_AFFINITY_S_MAX: Final = 86_400  # Service v1, sessionAffinityConfig.


def terms_are_bad(terms: ExportTerms) -> bool:
    """Whether a value is impossible for a Kubernetes Service. Decoding has already checked the
    types.

    These values come from another member and become part of objects in this site's namespace.
    """
    marks = [*terms.labels.items(), *terms.annotations.items()]
    return bool(
        _is_no_label(terms.namespace)
        or _is_no_label(terms.service)
        or terms.kind not in (HEADLESS, CLUSTER_SET_IP)
        or not 0 < len(terms.ports) <= PORTS_PER_SERVICE_MAX
        or any(map(_port_is_bad, terms.ports))
        or terms.affinity not in ("None", "ClientIP")
        or not 0 <= terms.affinity_timeout_s <= _AFFINITY_S_MAX
        or any(map(_is_no_word, (terms.internal_traffic_policy, terms.traffic_distribution)))
        or not set(terms.families) <= {"IPv4", "IPv6"}
        or len(terms.families) > 2
        or sum(len(key) + len(text) for key, text in marks) > EXPORTED_METADATA_CHARS_MAX
        or len(terms.pods) > EXPORTED_PODS_MAX
        or len(set(terms.pods)) < len(terms.pods)
        or any(map(_is_no_label, terms.pods))
        or len(terms.pods_site) > NAME_CHARS_MAX
    )


def _port_is_bad(port: ExportedPort) -> bool:
    return bool(
        not 0 < port.port < 65_536
        or port.protocol not in ("TCP", "UDP", "SCTP")
        or (port.name and _is_no_label(port.name))
        or len(port.app_protocol) > _KEY_CHARS_MAX
        or not _APP_PROTOCOL.fullmatch(port.app_protocol)
    )


def _is_no_label(text: str) -> bool:
    return len(text) > NAME_CHARS_MAX or _LABEL.fullmatch(text) is None


def _is_no_word(text: str) -> bool:
    return len(text) > NAME_CHARS_MAX or _WORD.fullmatch(text) is None


Exports = Mapping[str, tuple[SiteExport, ...]]
"""By the service's name in the network."""
NO_EXPORTS: Final[Exports] = MappingProxyType({})
