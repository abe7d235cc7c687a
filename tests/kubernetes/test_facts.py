"""The API server of the tests answers as a real one does; each fact of `facts.yaml` is a case.

With SPILLWAY_TEST_KUBECONFIG a real server is asked, so that a fact that is none shows.
"""

import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest
import yaml
from lightkube import KubeConfig
from lightkube.config.client_adapter import Client, ConnectionParams
from lightkube.config.models import User

from router.kubernetes.objects.changes import patch
from router.kubernetes.objects.names import FIELD_MANAGER
from router.kubernetes.services import adoption
from tests.kubernetes import multicluster
from tests.kubernetes.client import Kubectl
from tests.kubernetes.manifests import service
from tests.kubernetes.resources import Json
from tests.kubernetes.upstream import BRINGS_NODE, SERVERS

FILE: Final = yaml.safe_load(Path(__file__).with_name("facts.yaml").read_text())
METHODS: Final = ("get", "post", "put", "patch", "delete")
WITHIN_S: Final = 10.0
DEFINED: Final = {multicluster.GROUP: multicluster.KINDS}
"""Kinds of a fact's `group`, for the cluster of the tests."""


@pytest.fixture
def asking(kubectl: Kubectl) -> Iterator[dict[str, httpx2.Client]]:
    """Who asks: an administrator, and the owner of the namespace."""
    given = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "owner"}
    rbac = {"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": "owner"}}
    subject = {"kind": "ServiceAccount", "name": "owner", "namespace": kubectl.namespace}
    kubectl("create", "serviceaccount", "owner")
    kubectl.apply(
        {**rbac, "kind": "Role", "rules": FILE["owner_rules"]},
        {**rbac, "kind": "RoleBinding", "roleRef": given, "subjects": [subject]},
    )
    token = kubectl("create", "token", "owner").out.strip()
    config = KubeConfig.from_file(kubectl.kubeconfig).get()
    assert config is not None
    admin = Client(config, ConnectionParams(timeout=httpx2.Timeout(WITHIN_S)))
    # The token alone: a client certificate of the kubeconfig would count instead.
    by_token = KubeConfig.from_one(cluster=config.cluster, user=User(token=token)).get()
    assert by_token is not None
    owner = Client(by_token, ConnectionParams(timeout=httpx2.Timeout(WITHIN_S)))
    yield {"admin": admin, "owner": owner}
    admin.close()
    owner.close()


@pytest.mark.programs("kubectl")
@pytest.mark.parametrize("fact", FILE["facts"], ids=lambda fact: fact["name"])
def test_the_server_answers_as_recorded(
    kubectl: Kubectl,
    asking: Mapping[str, httpx2.Client],
    fact: Json,
    request: pytest.FixtureRequest,
) -> None:
    if group := fact.get("group"):
        if not SERVERS or BRINGS_NODE:
            request.getfixturevalue("cluster").define(*DEFINED[group])
        elif asking["admin"].get(f"/apis/{group}").status_code == httpx2.codes.NOT_FOUND:
            pytest.skip(f"the cluster does not serve {group}")
    for number, step in enumerate(_in(kubectl.namespace, fact["steps"]), 1):
        code, answer = _asked(asking[step.get("as", "admin")], step)
        shown = f"step {number}: {code} {json.dumps(answer)[:2000]}"
        assert code == step["status"], shown
        assert _holds(answer, step.get("answer", {})), shown
        assert step.get("message", "") in str(answer.get("message", "")), shown


FILES: Final[dict[str, list[Json]]] = {
    "target-port": [{"port": 80, "targetPort": 8080}],
    "short": [{"port": 80}],
    "two-ports": [{"name": "a", "port": 80, "targetPort": "http"}, {"name": "b", "port": 81}],
}


@pytest.mark.programs("kubectl")
@pytest.mark.parametrize("name", FILES)
def test_kubectl_apply_over_an_adopted_service_leads_to_its_own_pods(
    kubectl: Kubectl, name: str
) -> None:
    file = service(name, name, *FILES[name])
    kubectl.apply(file)
    before = kubectl.get("service", name)
    inner = {port["port"]: 1024 + port["port"] for port in (*FILES[name], {"port": 90})}
    _adopt(kubectl, name, inner)
    kubectl.apply(file)
    found = kubectl.get("service", name)
    assert found["spec"]["selector"] == {"app": name}
    for field in ("port", "targetPort"):
        assert [port[field] for port in found["spec"]["ports"]] == [
            port[field] for port in before["spec"]["ports"]
        ]
    _adopt(kubectl, name, inner)
    found = kubectl.get("service", name)
    given_back = adoption.before(found)
    assert given_back["spec"] == before["spec"]
    assert given_back["metadata"]["annotations"] == before["metadata"]["annotations"]


@pytest.mark.programs("kubectl")
def test_kubectl_apply_mixes_selectors_where_its_note_has_not_ours(kubectl: Kubectl) -> None:
    """What the note of an adopted Service is for."""
    file = service("shop", "shop", {"port": 80})
    kubectl.apply(file)
    ours = {"spec": {"selector": {"app": None, **adoption.ROUTERS}}}
    kubectl("patch", "service", "shop", "--type", "merge", "-p", json.dumps(ours))
    kubectl.apply(file)
    mixed = {"app": "shop", **adoption.ROUTERS}
    assert kubectl.get("service", "shop")["spec"]["selector"] == mixed


def _adopt(kubectl: Kubectl, name: str, inner: Mapping[int, int]) -> None:
    found = kubectl.get("service", name)
    change = patch(found, adoption.adopt(found, inner, name, is_asked=True))
    assert change is not None
    words = ("--type", "merge", "--field-manager", FIELD_MANAGER)
    kubectl("patch", "service", name, *words, "-p", json.dumps(change.body))


def test_each_fact_says_who_knows_it() -> None:
    for fact in FILE["facts"]:
        assert fact["source"].startswith(("seen", "https://")), fact["name"]


def _asked(client: httpx2.Client, step: Json) -> tuple[int, Any]:
    (method,) = [name for name in METHODS if name in step]
    headers = {"Accept": step.get("accept", "application/json")}
    content = None
    if "body" in step:
        content = json.dumps(step["body"]).encode()
        headers["Content-Type"] = step.get("type", "application/json")
    deadline = time.monotonic() + WITHIN_S
    while True:
        answer = client.request(method.upper(), step[method], content=content, headers=headers)
        is_as_told = answer.status_code == step["status"]
        if is_as_told or method != "get" or time.monotonic() > deadline:  # A Role counts soon.
            break
        time.sleep(0.2)
    is_json = answer.headers.get("Content-Type", "").startswith("application/json")
    return answer.status_code, answer.json() if is_json else {"text": answer.text}


def _in(namespace: str, steps: list[Json]) -> list[Json]:
    found: list[Json] = json.loads(json.dumps(steps).replace("NAMESPACE", namespace))
    return found


def _holds(found: Any, wanted: Any) -> bool:
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(
            _holds(found.get(key), value) for key, value in wanted.items()
        )
    if isinstance(wanted, list):
        return (
            isinstance(found, list)
            and len(found) == len(wanted)
            and all(map(_holds, found, wanted))
        )
    return bool(found == wanted)
