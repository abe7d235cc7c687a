"""A network of namespaces and a process from one file."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.kubernetes.cluster import Cluster
from tests.kubernetes.places import IMAGES, Place
from tests.kubernetes.published import SHOP
from tests.scenario.ports import free_ports
from tests.scenario.waiting import SLOWEST, until

pytestmark = pytest.mark.timeout(SLOWEST * 120)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with Cluster(tmp_path / "cluster", images=IMAGES, proxy=True) as made:
        yield made


def workload(place: Place) -> None:
    """A Deployment of the shop that says nothing of a service."""
    text = SHOP.format(name="web", address="web", further="", replicas=1)
    place.apply(text.replace("skupper.io/", "unused.example/"))


def mesh(port: int) -> dict[str, object]:
    """Namespaces east and west and a process, to which both link; west alone has targets."""
    spec = {
        "sites": {
            "hub": {"settings": {"bindPort": port, "ingressHosts": [f"127.0.0.1:{port}"]}},
            "east": {
                "at": {
                    "runtime": "kubernetes",
                    "namespace": "east",
                    "config": {"ingress": "none"},
                }
            },
            "west": {
                "at": {
                    "runtime": "kubernetes",
                    "namespace": "west",
                    "config": {"ingress": "none", "sharing": "open"},
                },
                "connectors": {
                    "shop": {"workload": "deployment/web", "targetPorts": [8080], "capacity": 5}
                },
            },
        },
        "links": [{"from": "east", "to": "hub"}, {"from": "west", "to": "hub", "cost": 3}],
        "services": {"shop": {"owner": "west", "protocol": "http", "ports": [80]}},
        "tests": ["east may call shop", "shop from east is served by west"],
    }
    return {"apiVersion": "spillway/v1", "kind": "Mesh", "name": "net", "spec": spec}


def test_namespaces_and_a_process_are_one_network_by_one_command_and_stay_so(
    cluster: Cluster, tmp_path: Path
) -> None:
    east, west = Place(cluster, "east"), Place(cluster, "west")
    workload(west)
    port = int(next(free_ports()))
    whole = mesh(port)
    file = tmp_path / "mesh.yaml"
    file.write_text(yaml.safe_dump(whole))
    run = east.commands
    try:
        assert "2 of 2 hold" in run.ok("mesh", "test", "-f", str(file))

        run.ok("mesh", "apply", "-f", str(file))

        east.starts()
        west.starts()
        west_pod = until(lambda: east.pod_that_answers("shop"), "east reaches the shop at west")
        assert cluster.get("Pod", west_pod, "west") is not None
        assert "Nothing to do." in run.ok("mesh", "plan", "-f", str(file))
        assert "unchanged" in run.ok("mesh", "apply", "-f", str(file))
        until(lambda: run("mesh", "drift", "-f", str(file)).returncode == 0, "there is no drift")

        exported = run.ok("mesh", "export", "--in", "east", "--in", "west")
        (tmp_path / "export.yaml").write_text(exported)
        assert "Nothing to do." in run.ok("mesh", "plan", "-f", str(tmp_path / "export.yaml"))

        west.commands.ok("link", "set", "hub", "--cost", "9")
        drift = run("mesh", "drift", "-f", str(file))
        assert drift.returncode == 3
        assert "+cost: 3" in drift.stdout

        spec = whole["spec"]
        assert isinstance(spec, dict)
        spec["links"] = spec["links"][1:]
        spec["sites"]["west"]["at"]["config"]["routers"] = 2
        file.write_text(yaml.safe_dump(whole))
        run.ok("mesh", "apply", "-f", str(file))
        assert run.ok("mesh", "plan", "-f", str(file)).endswith("Nothing to do.\n")
        until(lambda: not east.router("link", "status"), "east has no link any more")
        until(lambda: len(west.router_pods()) == 2, "west has two routers")
    finally:
        run("--platform", "process", "--site", "hub", "stop", "--now")


def test_a_mesh_file_comes_from_a_config_map_and_a_site_keeps_what_others_made(
    cluster: Cluster, tmp_path: Path
) -> None:
    west = Place(cluster, "west")
    workload(west)
    whole = mesh(1)
    spec = whole["spec"]
    assert isinstance(spec, dict)
    spec |= {"sites": {"west": spec["sites"]["west"]}, "links": [], "tests": []}
    data = {"mesh.yaml": yaml.safe_dump(whole)}
    cluster.create("ConfigMap", "mesh", "west", data=data)
    run = west.commands

    run.ok("mesh", "apply", "-f", "configmap/mesh")
    run.ok("service", "create", "mine", "90")

    plan = run.ok("mesh", "plan", "-f", "configmap/mesh")
    assert "? service mine, which the file does not have" in plan
    run.ok("mesh", "apply", "-f", "configmap/mesh")
    names = {one["name"] for one in run.json("get", "services")}
    assert names == {"shop", "mine"}
    run.ok("mesh", "apply", "-f", "configmap/mesh", "--prune")
    assert {one["name"] for one in run.json("get", "services")} == {"shop"}
    run.ok("delete", "--yes")
    assert not run.objects("ConfigMap") & {"spillway-mesh", "skupper-site"}
