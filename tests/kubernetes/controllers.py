"""Which controllers a cluster has, and what wakes them."""

from collections.abc import Callable
from typing import Final, Protocol

from tests.kubernetes import upkeep
from tests.kubernetes.endpoints import EndpointSlices
from tests.kubernetes.resources import Json
from tests.kubernetes.stateful import stateful_sets
from tests.kubernetes.workloads import daemon_sets, deployments, jobs, replica_sets
from tests.kubernetes.world import Controller, World

ROUTES_DOMAIN: Final = "apps.example.test"

_REFUSING: Final = ("ResourceQuota", "LimitRange", "ServiceAccount")
"""A real controller makes a refused pod again after a while, whatever changes."""


class Startable(Protocol):
    """A controller."""

    @property
    def name(self) -> str: ...
    def start(self, world: World) -> Callable[[], None]: ...


def all_controllers(
    world: World,
    *,
    ca_pem: str,
    balancer_address: Callable[[Json], str],
    balancer_delay_s: Callable[[], float],
) -> list[Startable]:
    """The controllers by name; a test switches off which it does not want."""
    everything = tuple(each.kind for each in world.registry.catalogue.resources)
    found: list[Startable] = [
        Controller("deployment", ("Deployment", "ReplicaSet", "Pod"), deployments),
        Controller("replicaset", ("ReplicaSet", "Pod", *_REFUSING), replica_sets),
        Controller("statefulset", ("StatefulSet", "Pod"), stateful_sets),
        Controller("daemonset", ("DaemonSet", "Pod"), daemon_sets),
        Controller("job", ("Job", "Pod"), jobs),
        EndpointSlices(),
        upkeep.Garbage(),
        Controller("namespace", everything, upkeep.namespaces),
        Controller(
            "serviceaccount",
            ("Namespace", "ServiceAccount", "ConfigMap"),
            upkeep.accounts(ca_pem),
        ),
        Controller(
            "loadbalancer",
            ("Service",),
            upkeep.load_balancers(balancer_address, balancer_delay_s),
        ),
        Controller("disruption", ("PodDisruptionBudget", "Pod"), upkeep.disruption_budgets),
    ]
    if world.serves("Route"):
        found.append(Controller("route", ("Route",), upkeep.routes(ROUTES_DOMAIN)))
    return found
