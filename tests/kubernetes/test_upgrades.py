"""Routers replaced under load: one by surge, two in turns; and two of one site side by side."""

import contextlib
import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from router.kubernetes import names
from router.kubernetes.manifests import IMAGE, site_objects
from router.kubernetes.picture import SiteOptions
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.places import IMAGES, Load, Place, copied
from tests.kubernetes.published import REQUEST, filled, shop
from tests.scenario.waiting import until

READY_BEFORE_S = PRE_STOP_S = 1
"""Shorter than as we deploy it, as is the lag of these clients."""
ROLL_S = 40.0
_restarts = itertools.count(1)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with Cluster(tmp_path / "cluster", images=IMAGES, proxy=True) as made:
        yield made


def installed(cluster: Cluster, name: str, routers: int = 1) -> Place:
    """A site as ``sitectl init`` makes it; its router waits less at its start and end."""
    place = Place(cluster, name)
    data = {"name": name, "ingress": "loadbalancer", "routers": str(routers), "drain-grace": "5s"}
    options = SiteOptions(name=name, ingress="loadbalancer", routers=routers)
    for found in site_objects(options, namespace=name, image=IMAGE, data=data):
        if found["kind"] == "Deployment":
            found["spec"]["minReadySeconds"] = READY_BEFORE_S
            (container,) = found["spec"]["template"]["spec"]["containers"]
            sleep = ["sleep", str(PRE_STOP_S)]
            container["lifecycle"]["preStop"]["exec"]["command"] = sleep
        cluster.create_object(dict(found), name)
    return place


def joined(cluster: Cluster, routers: int) -> tuple[Place, Place]:
    """West, which dials, and east; a service at each of them alone, and one at both."""
    east, west = installed(cluster, "east", routers), installed(cluster, "west", routers)
    east.apply(REQUEST.format(name="to-east"))
    for place in (east, west):
        name = place.namespace
        place.apply(shop(name, capacity=4), shop(f"only-{name}", f"only-{name}"))
    west.apply(copied(filled(east, "to-east")))
    for place in (east, west):
        until(lambda place=place: len(place.router_pods()) == routers, "all routers are ready")  # type: ignore[misc]
    for place, other in ((east, west), (west, east)):
        place.answers("shop", by=place.namespace)
        place.answers(f"only-{other.namespace}")
    return east, west


def replaced(place: Place, routers: int = 1) -> None:
    """Change the template, as ``kubectl rollout restart`` does, until all routers are new ones."""
    before = {pod["metadata"]["name"] for pod in place.router_pods()}
    note = {"kubectl.kubernetes.io/restartedAt": f"2026-11-20T00:00:{next(_restarts):02}Z"}
    template = {"template": {"metadata": {"annotations": note}}}
    place.cluster.patch("Deployment", names.ROUTER, {"spec": template}, place.namespace)

    def done() -> bool:
        selector = {names.COMPONENT_LABEL: names.COMPONENT_ROUTER}.items()
        pods = place.cluster.list("Pod", place.namespace)
        ours = {p["metadata"]["name"] for p in pods if selector <= p["metadata"]["labels"].items()}
        return len(place.router_pods()) == routers and not ours & before

    until(done, f"the routers of {place.namespace} are new", ROLL_S)


@pytest.mark.parametrize("routers", [1, 2], ids=["one-by-surge", "two-in-turns"])
def test_routers_are_replaced_under_load_without_a_failed_request(
    cluster: Cluster, routers: int
) -> None:
    """Clients of the site that is replaced, and of the site that it dials or is dialled by."""
    east, west = joined(cluster, routers)
    ways = {"west": ((west, "shop"), (west, "only-east"), (east, "only-west"))}
    ways["east"] = ((west, "shop"), (west, "only-east"), (east, "shop"))
    for place in (west, east):
        with contextlib.ExitStack() as stack:
            loads = [stack.enter_context(Load(*way)) for way in ways[place.namespace]]
            replaced(place, routers)
            for load in loads:
                load.goes_on()
        failed = [f"{load.name}: {each}" for load in loads for each in load.failed]
        assert not failed, "\n".join([f"{place.namespace} is replaced", *failed[:20]])
