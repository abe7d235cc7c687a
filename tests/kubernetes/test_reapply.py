"""``kubectl apply`` of the user's own file over an adopted Service, again and again."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from router.kubernetes.services import adoption
from router.kubernetes.services.last_applied import NOTE
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.new_connections import Clients
from tests.kubernetes.places import IMAGES, Place, install_controller
from tests.kubernetes.published import shop, site
from tests.scenario.waiting import until

APPLIES = int(os.environ.get("SPILLWAY_TEST_APPLIES", "12"))
"""More than reverts by another program may be. A measurement sets 100."""
SERVICE = """
apiVersion: v1
kind: Service
metadata:
  name: {name}
  annotations: {{skupper.io/proxy: http}}
spec:
  selector: {{app: {name}}}
  ports: [{ports}]
"""
PORTS = {
    "shop": "{port: 80, targetPort: 8080}",
    "short": "{port: 8080}",  # The API server makes the target port of it.
}


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with Cluster(tmp_path / "cluster", images=IMAGES, proxy=True) as made:
        install_controller(made)
        yield made


def is_adopted(place: Place, name: str) -> bool:
    found = place.get("Service", name)
    return found is not None and found["spec"]["selector"] == adoption.ROUTERS


@pytest.mark.programs("kubectl")
@pytest.mark.parametrize(("name", "port"), [("shop", 80), ("short", 8080)])
def test_applying_the_same_file_over_an_adopted_service_refuses_nobody(
    cluster: Cluster, name: str, port: int
) -> None:
    place = Place(cluster, "west")
    plain = shop(name).replace("skupper.io/", "unused.example/")
    file = SERVICE.format(name=name, ports=PORTS[name])
    place.apply(site("west"), plain, file)
    place.starts()
    until(lambda: is_adopted(place, name), "it is adopted", 30)
    place.answers(name, port=port)
    with Clients(place, name, port) as clients:
        for number in range(APPLIES):
            place.apply(file)
            until(lambda: is_adopted(place, name), f"adopted again after apply {number}", 10)
            clients.go_on()
    assert clients.failed == []
    codes = {problem["code"] for problem in place.router("status")["problems"]}
    assert not codes & {"SW0425", "SW0428"}
    place.commands.kubectl("annotate", "service", name, "skupper.io/proxy-")
    until(lambda: not is_adopted(place, name), "it is given back", 30)
    found = place.get("Service", name)
    assert found is not None
    assert "spillway" not in found["metadata"]["annotations"][NOTE]
