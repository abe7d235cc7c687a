"""The content of a mesh file, as values."""

from typing import Final, Literal, get_args

import msgspec

from router.model.bursts import BurstSpec
from router.model.rights.sharing import FREE, Terms
from router.model.specs import (
    ConnectorSpec,
    GrantSpec,
    Kind,
    ListenerSpec,
    ServiceSpec,
    SitePolicySpec,
    SiteSpec,
)
from sitectl.mesh.sentences import Sentence

MeshRuntime = Literal["process", "systemd", "podman", "kubernetes", "elsewhere"]
RUNTIMES: Final[tuple[MeshRuntime, ...]] = get_args(MeshRuntime)
MESH: Final = "Mesh"
"""The kind of the document."""


class MeshPlace(msgspec.Struct, frozen=True, kw_only=True):
    """The place of a site. ``host``: the machine; empty: the one where the file is applied.

    ``namespace``, ``context`` and ``config`` (keys of ConfigMap ``skupper-site``) are of
    ``kubernetes``. ``elsewhere``: no user of this file reaches it, only its own operator.
    """

    runtime: MeshRuntime = "process"
    host: str = ""
    namespace: str = ""
    context: str = ""
    config: dict[str, str] = {}


class MeshSite(msgspec.Struct, frozen=True, kw_only=True):
    """One site and its own part of the file. ``id``: its site ID; empty: any."""

    id: str = ""
    at: MeshPlace = MeshPlace()
    settings: SiteSpec = SiteSpec()
    services: dict[str, ServiceSpec] = {}
    connectors: dict[str, ConnectorSpec] = {}
    listeners: dict[str, ListenerSpec] = {}
    policies: dict[str, SitePolicySpec] = {}
    bursts: dict[str, BurstSpec] = {}


class MeshLink(msgspec.Struct, frozen=True, kw_only=True):
    """A link that ``from_`` dials. ``name``: of its document there; empty: the other site's."""

    from_: str
    to: str
    name: str = ""
    cost: int | None = None
    disabled: bool = False
    proxy: str = ""
    allow: Terms = FREE

    @property
    def title(self) -> str:
        """The name of its document."""
        return self.name or self.to


class MeshService(msgspec.Struct, frozen=True, kw_only=True):
    """A service that ``owner`` declares, and the sites ``also`` in the same words."""

    owner: str
    spec: ServiceSpec
    also: tuple[str, ...] = ()
    grants: tuple[GrantSpec, ...] = ()


class AssumedWork(msgspec.Struct, frozen=True, kw_only=True):
    """Assumptions of tests on a service's targets, where the file has no figures.

    ``service_time_s``: mean time of one request. ``slots``: of a target whose capacity is learned.
    ``targets``: of a workload, whose pods no file counts.
    """

    service_time_s: float = 0.1
    slots: int = 10
    targets: int = 1


class Mesh(msgspec.Struct, frozen=True, kw_only=True):
    """A whole file."""

    name: str
    sites: dict[str, MeshSite] = {}
    links: tuple[MeshLink, ...] = ()
    services: dict[str, MeshService] = {}
    assume: dict[str, AssumedWork] = {}
    tests: tuple[Sentence, ...] = ()


SECTIONS: Final[dict[str, Kind]] = {
    "services": "Service",
    "connectors": "Connector",
    "listeners": "Listener",
    "policies": "Policy",
    "bursts": "Burst",
}
"""The sections of a site, and the kind of documents in each."""
