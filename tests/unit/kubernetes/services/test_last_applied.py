"""What a three-way merge makes of an adopted Service, and the note given back as it was."""

import copy
import json
from typing import Any

import pytest

from router.kubernetes.services import adoption
from router.kubernetes.services.last_applied import NOTE
from tests.unit.kubernetes.cluster import Cluster

HTTP = {"name": "web", "port": 80, "targetPort": "http"}
FILES: dict[str, list[dict[str, Any]]] = {
    "target port by name": [HTTP],
    "no target port": [{"port": 80}],
    "two ports": [HTTP, {"name": "admin", "port": 81}],
    "its own target port": [{"port": 80, "targetPort": 8080}],
}


def applied(cluster: Cluster, file: dict[str, Any]) -> dict[str, Any]:
    """``kubectl apply``: three ways, maps key by key, ports by their number."""
    name = file["metadata"]["name"]
    live = copy.deepcopy(cluster.objects["Service"].get(name)) or {"kind": "Service"}
    notes = live.setdefault("metadata", {"name": name}).setdefault("annotations", {})
    last = json.loads(notes.get(NOTE, "{}"))
    text = json.dumps(file, sort_keys=True, separators=(",", ":")) + "\n"
    notes[NOTE] = "".join(f"\\u00{ord(c):02x}" if c in "<>&" else c for c in text)  # As Go does.
    spec, wanted, was = live.setdefault("spec", {}), file["spec"], last.get("spec", {})
    selector = spec.setdefault("selector", {})
    for key in was.get("selector", {}).keys() - wanted["selector"].keys():
        selector.pop(key, None)
    selector.update(wanted["selector"])
    spec["ports"] = merged_ports(spec.get("ports", []), wanted["ports"], was.get("ports", []))
    return cluster.put(live)


def merged_ports(
    live: list[dict[str, Any]], wanted: list[dict[str, Any]], was: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    found = {port["port"]: port for port in live}
    before = {port["port"]: port for port in was}
    numbers = {port["port"] for port in wanted}
    for number in before.keys() - numbers:
        found.pop(number, None)
    for port in wanted:
        there = found.setdefault(port["port"], {})
        for key in before.get(port["port"], {}).keys() - port.keys():
            there.pop(key, None)
        there.update(port)
    return list(found.values())


def file_of(ports: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "shop", "annotations": {"note": "a <b> & c"}},
        "spec": {"selector": {"app": "shop"}, "ports": ports},
    }


def adopted(cluster: Cluster, inner: dict[int, int]) -> dict[str, Any]:
    found = adoption.adopt(cluster.service("shop"), inner, "shop", is_asked=True)
    return cluster.put(found)


@pytest.mark.parametrize("ports", FILES.values(), ids=FILES)
@pytest.mark.parametrize("added", [(), (90,)], ids=["as it is", "with a port of the address"])
def test_applying_the_same_file_leads_to_the_users_pods_and_to_nothing_mixed(
    ports: list[dict[str, Any]], added: tuple[int, ...]
) -> None:
    cluster, file = Cluster(), file_of(copy.deepcopy(ports))
    users = copy.deepcopy(applied(cluster, file))
    inner = {port: 1024 + port for port in (*(p["port"] for p in ports), *added)}
    adopted(cluster, inner)
    for _ in range(3):
        live = applied(cluster, file)
        assert live["spec"]["selector"] == {"app": "shop"}
        assert [port["targetPort"] for port in live["spec"]["ports"]] == [
            port["targetPort"] for port in users["spec"]["ports"]
        ]
        assert adoption.before(adopted(cluster, inner))["spec"]["ports"] == users["spec"]["ports"]
    given_back = adoption.before(cluster.service("shop"))
    assert given_back["metadata"]["annotations"] == users["metadata"]["annotations"]


@pytest.mark.parametrize("note", ["", "{", "[]", '{"spec": 1}', '{"spec": {"ports": [{}]}}'])
def test_a_note_that_no_kubectl_wrote_stays_as_it_is(note: str) -> None:
    cluster = Cluster()
    applied(cluster, file_of([HTTP]))
    cluster.service("shop")["metadata"]["annotations"][NOTE] = note
    live = adopted(cluster, {80: 1024})
    assert live["metadata"]["annotations"][NOTE] == note
    assert adoption.before(live)["metadata"]["annotations"][NOTE] == note
