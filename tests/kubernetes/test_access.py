"""Who may do what: tokens, Roles, reviews."""

import ssl
from typing import Any

import httpx2
import pytest
from lightkube import ApiError, Client, KubeConfig
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.apps_v1 import Deployment
from lightkube.resources.core_v1 import ConfigMap, Secret

from tests.kubernetes.client import Kubectl
from tests.kubernetes.cluster import Cluster


def _allow(cluster: Cluster, account: str, *rules: dict[str, Any]) -> None:
    cluster.create("ServiceAccount", account)
    cluster.create("Role", account, rules=list(rules))
    cluster.create(
        "RoleBinding",
        account,
        roleRef={"kind": "Role", "name": account, "apiGroup": "rbac.authorization.k8s.io"},
        subjects=[{"kind": "ServiceAccount", "name": account, "namespace": "default"}],
    )


def _client(cluster: Cluster, account: str) -> Client:
    user = cluster.service_account("default", account)
    config = KubeConfig.from_file(cluster.kubeconfig(user=user)).get()
    return Client(config, trust_env=False)


def test_what_no_role_allows_is_forbidden_in_the_real_words(cluster: Cluster) -> None:
    client = _client(cluster, "nobody")
    with pytest.raises(ApiError) as refused:
        list(client.list(Secret, namespace="default"))
    assert refused.value.status.code == 403
    assert refused.value.status.message == (
        'secrets is forbidden: User "system:serviceaccount:default:nobody" cannot list resource '
        '"secrets" in API group "" in the namespace "default"'
    )
    with pytest.raises(ApiError) as refused:
        client.delete(Deployment, "web", namespace="default")
    assert refused.value.status.message == (
        'deployments.apps "web" is forbidden: User "system:serviceaccount:default:nobody" cannot '
        'delete resource "deployments" in API group "apps" in the namespace "default"'
    )
    client.close()


def test_a_role_allows_its_verbs_on_its_names_in_its_namespace(cluster: Cluster) -> None:
    rule = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list"]}
    named = {**rule, "verbs": ["patch"], "resourceNames": ["mine"]}
    _allow(cluster, "reader", rule, named)
    for name in ("mine", "other"):
        cluster.create("ConfigMap", name)
    client = _client(cluster, "reader")
    assert client.get(ConfigMap, "other", namespace="default").metadata
    client.patch(ConfigMap, "mine", {"data": {"k": "v"}}, namespace="default")
    for refused in (
        lambda: client.patch(ConfigMap, "other", {"data": {"k": "v"}}, namespace="default"),
        lambda: client.get(ConfigMap, "mine", namespace="kube-system"),
        lambda: list(client.list(ConfigMap, namespace="*")),
    ):
        with pytest.raises(ApiError) as found:
            refused()
        assert found.value.status.code == 403
    client.close()


def test_a_role_that_changes_holds_at_once(cluster: Cluster) -> None:
    rule = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["list"]}
    _allow(cluster, "reader", rule)
    client = _client(cluster, "reader")
    assert list(client.list(Secret, namespace="default")) == []
    cluster.patch("Role", "reader", {"rules": []})
    with pytest.raises(ApiError, match="forbidden"):
        list(client.list(Secret, namespace="default"))
    client.close()


def test_an_unknown_token_is_unauthorized(cluster: Cluster) -> None:
    answer = httpx2.get(
        f"{cluster.url}/api/v1/namespaces/default/pods",
        headers={"Authorization": "Bearer wrong"},
        verify=ssl.create_default_context(cafile=cluster.pki.ca_path),
    )
    assert answer.status_code == 401
    assert answer.json()["reason"] == "Unauthorized"


def test_reviews_answer_what_one_may_do(cluster: Cluster, kubectl: Kubectl) -> None:
    rule = {"apiGroups": [""], "resources": ["pods/exec"], "verbs": ["create"]}
    _allow(cluster, "one", rule)
    user = cluster.service_account("default", "one")
    own = Kubectl(cluster.kubeconfig(user=user), kubectl.kubeconfig.parent, "default")
    assert own("auth", "can-i", "create", "pods", "--subresource=exec").out == "yes\n"
    assert own("auth", "can-i", "create", "pods", code=1).out == "no\n"
    assert "pods/exec" in own("auth", "can-i", "--list").out
    assert user.name in own("auth", "whoami").out
    refused = own("get", "secrets", code=1)
    assert 'cannot list resource "secrets" in API group ""' in refused.err


def test_files_of_a_service_account_lead_to_the_api(cluster: Cluster, tmp_path: Any) -> None:
    rule = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["*"]}
    _allow(cluster, "router", rule)
    account = tmp_path / "serviceaccount"
    variables = cluster.in_cluster("default", "router", account)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        config = KubeConfig.from_service_account(str(account)).get()
    client = Client(config, trust_env=False)
    assert config is not None and config.namespace == "default"
    assert client.create(ConfigMap(metadata=ObjectMeta(name="a"))).metadata
    client.close()
