"""What Pods say of the routers among them."""

from router.kubernetes.targets.pods import routers_ready
from tests.unit.kubernetes.objects_made import pod

ROUTER = {"spillway.dev/component": "router"}


def test_services_may_lead_to_the_routers_once_one_of_them_is_ready() -> None:
    app = pod("shop-1")
    starting = pod("router-1", labels=ROUTER, ready=False)
    assert not routers_ready([app, starting])
    assert not routers_ready([starting, pod("router-2", labels=ROUTER, deleted=True)])
    assert routers_ready([starting, pod("router-2", labels=ROUTER)])


def test_routers_that_are_no_pods_of_the_namespace_are_not_waited_for() -> None:
    assert routers_ready([pod("shop-1", ready=False)]) and routers_ready([])
