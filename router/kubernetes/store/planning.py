"""When the Services of a namespace are planned again, and from which inputs."""

import time
from collections.abc import Mapping
from typing import Final

from router.documents import Wanted
from router.kubernetes.objects.objects import Object, Snapshot
from router.kubernetes.objects.picture import NamespacePicture
from router.kubernetes.services import endpoint_slices, services
from router.kubernetes.services.inner_ports import RESERVED
from router.kubernetes.services.services import Memory, ServicePlan
from router.kubernetes.store.cluster_set import NOTHING, ClusterSet, ClusterSetPlan
from router.kubernetes.store.other_namespaces import CHANGED, POD
from router.model.messages.exports import NO_EXPORTS, Exports
from router.model.specs import ServiceSpec

POD_KINDS: Final = frozenset(("Pod", "EndpointSlice", CHANGED[POD]))
"""These kinds hold no documents: `translate` does not read them."""


class Planning:
    """The current plan of the namespace's Services and of its part of the cluster set."""

    def __init__(self, cluster_set: ClusterSet, began_at: float) -> None:
        self._cluster_set = cluster_set
        self._plan: ServicePlan | None = None
        self._cluster_plan = NOTHING
        self._memory = Memory(began_at=began_at)
        self._declared: Mapping[str, ServiceSpec] = {}
        self._exports = NO_EXPORTS
        self._may_name_pods: bool | None = None
        self._local: frozenset[str] = frozenset()
        self._our_slices: dict[str, Object] = {}

    @property
    def is_stale(self) -> bool:
        """Whether an input of the plan changed."""
        return self._plan is None

    def forget(self) -> None:
        """Plan again at the next look, even without a change."""
        self._plan = None

    def declared(self, services: Mapping[str, ServiceSpec], exports: Exports) -> bool:
        """Take the services of the whole network, and their exports. False: they are unchanged."""
        if services == self._declared and exports == self._exports:
            return False
        self._declared, self._exports = services, exports
        self.forget()
        return True

    def may_name_pods(self, allowed: bool) -> bool:
        """Take whether EndpointSlices may be written here. False: it is unchanged."""
        if allowed == self._may_name_pods:
            return False
        self._may_name_pods = allowed
        self.forget()
        return True

    def again_at(self) -> float | None:
        """When the next plan is due, even without a change. None: never, or now."""
        if self._plan is None:
            return None
        both = (self._plan.again_at, self._cluster_plan.again_at)
        return min((at for at in both if at is not None), default=None)

    def plan(
        self,
        wanted: Wanted,
        snapshot: Snapshot,
        picture: NamespacePicture,
        dirty: set[str],
        *,
        is_gone: bool,
    ) -> tuple[ServicePlan, ClusterSetPlan]:
        """The current plans: the last ones, unless a relevant input changed.

        ``dirty``: kinds of objects that changed. ``is_gone``: this site was deleted.
        """
        local = frozenset(wanted.services)
        again_at = self.again_at()
        due = again_at is not None and again_at <= time.monotonic()
        ours_changed = "EndpointSlice" in dirty and self._our_slices_changed(snapshot)
        if self._plan is not None and not (
            due or dirty - POD_KINDS or ours_changed or local != self._local
        ):
            return self._plan, self._cluster_plan
        self._local = local
        declared = {**wanted.services, **self._declared}
        exported = self._cluster_set.names(self._exports, wanted.services)
        self._plan = services.plan(
            snapshot,
            picture.options,
            picture.wishes,
            declared,
            local,
            self._memory,
            time.monotonic(),
            RESERVED | _own_ports(wanted),
            may_name_pods=self._may_name_pods,
            exported=exported,
            imported=self._cluster_set.imported(self._exports),
            listeners=wanted.listeners,
        )
        self._memory = self._plan.memory
        self._cluster_plan = self._cluster_set.plan(
            snapshot,
            self._exports,
            self._plan.inner_ports,
            declared.keys() - exported,
            wanted.site.service_sync_site_ttl_s,
            time.monotonic(),
            may_slice=self._may_name_pods is True,
            is_gone=is_gone,
        )
        return self._plan, self._cluster_plan

    def _our_slices_changed(self, snapshot: Snapshot) -> bool:
        """Whether our own slices changed: others are targets, which no plan reads."""
        slices = {
            name: found
            for name, found in snapshot.of("EndpointSlice").items()
            if endpoint_slices.is_ours(found)
        }
        before, self._our_slices = self._our_slices, slices
        return before != slices


def _own_ports(wanted: Wanted) -> frozenset[int]:
    """Ports where the router listens for itself."""
    _, _, admin = wanted.site.admin.rpartition(":")
    own = {wanted.site.bind_port}
    return frozenset(own | {int(admin)} if admin.isdigit() else own)
