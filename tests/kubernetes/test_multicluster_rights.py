"""The ClusterRole that we ship permits all that a router does, on this cluster or a real one."""

import json

import pytest
import yaml

from sitectl.kubernetes.cluster_set_checks import ROUTER_RIGHTS, question
from tests.kubernetes import multicluster
from tests.kubernetes.client import Kubectl


@pytest.mark.programs("kubectl")
def test_the_role_that_we_ship_allows_what_check_asks_for_and_nothing_did_before(
    kubectl: Kubectl,
) -> None:
    def allowed() -> list[bool]:
        found = []
        for resource, verb in ROUTER_RIGHTS:
            asked = json.dumps(question(kubectl.namespace, resource, verb))
            answer = kubectl("create", "-f", "-", "-o", "json", given=asked).out
            found.append(bool(json.loads(answer)["status"].get("allowed")))
        return found

    assert not any(allowed())
    (role,) = yaml.safe_load_all(multicluster.PERMISSIONS.read_text())
    kubectl.apply({**role, "kind": "Role", "metadata": {"name": "mcs"}})
    account = f"{kubectl.namespace}:spillway-router"
    kubectl("create", "rolebinding", "mcs", "--role", "mcs", "--serviceaccount", account)
    assert all(allowed())
