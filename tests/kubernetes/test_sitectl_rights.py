"""What `sitectl` says when rights, routers, namespaces or the API server are missing."""

from collections.abc import Iterator

import pytest

from tests.kubernetes.cluster import Cluster
from tests.kubernetes.commands import Commands
from tests.kubernetes.rbac import User

EVERYTHING = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]
NAMESPACE_ADMIN: list[dict[str, list[str]]] = [
    {
        "apiGroups": [
            "",
            "apps",
            "autoscaling",
            "batch",
            "coordination.k8s.io",
            "networking.k8s.io",
            "policy",
            "rbac.authorization.k8s.io",
        ],
        "resources": ["*"],
        "verbs": ["*"],
    },
    {
        "apiGroups": ["discovery.k8s.io"],
        "resources": ["endpointslices"],
        "verbs": ["get", "list", "watch"],
    },
]
"""Of groups that every cluster has, about what ClusterRole ``admin`` grants in a namespace."""
READER = [{"apiGroups": ["", "apps"], "resources": ["*"], "verbs": ["get", "list"]}]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster in which no container runs, with the namespace ``shop``."""
    with Cluster(tmp_path_factory.mktemp("cluster"), without=("kubelet",)) as made:
        made.create("Namespace", "shop")
        yield made


def as_user(
    cluster: Cluster, name: str, namespace: str = "shop", *, rules: list[dict[str, list[str]]]
) -> Commands:
    """Command lines of a user who holds a Role with ``rules`` and nothing in the cluster."""
    cluster.create("Role", name, namespace, rules=rules)
    cluster.create(
        "RoleBinding",
        name,
        namespace,
        roleRef={"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
        subjects=[{"kind": "User", "name": name, "apiGroup": "rbac.authorization.k8s.io"}],
    )
    return Commands(cluster, namespace, cluster.state / "home" / name, User(name), name)


def admin(cluster: Cluster, namespace: str = "shop") -> Commands:
    """Command lines of the cluster's administrator."""
    return Commands(cluster, namespace, cluster.state / "home" / "admin")


def test_an_admin_of_the_namespace_may_install_a_site(cluster: Cluster) -> None:
    cluster.create("Namespace", "own")
    owner = as_user(cluster, "owner", "own", rules=EVERYTHING)
    assert owner("check", "--pre").returncode == 0
    owner.ok("init", "--ingress", "none")
    owner.ok("delete", "--yes")


def test_who_administers_a_namespace_hears_nothing_of_kinds_that_the_cluster_has_not(
    cluster: Cluster,
) -> None:
    cluster.create("Namespace", "mine")
    owner = as_user(cluster, "mine", "mine", rules=NAMESPACE_ADMIN)
    owner.ok("init", "--ingress", "none")
    assert "httpproxies" not in owner("check").stdout
    done = owner("delete", "--yes")
    assert done.returncode == 0
    for word in ("may be left", "routes", "httpproxies", "deploymentconfigs"):
        assert word not in done.stdout + done.stderr


def test_a_reader_is_told_which_rule_is_missing(cluster: Cluster) -> None:
    reader = as_user(cluster, "reader", rules=READER)
    admin(cluster).ok("init", "--ingress", "none")
    done = reader("service", "create", "a", "80")
    assert done.returncode == 7
    assert 'resources: ["configmaps"], verbs: ["create"]' in done.stderr
    done = reader("check", "--pre")
    assert done.returncode == 1
    assert "you may not" in done.stdout
    assert reader("status").returncode == 3
    assert reader("get", "all").returncode == 0


def test_without_a_router_what_objects_tell_is_shown(cluster: Cluster) -> None:
    line = admin(cluster)
    line.ok("init", "--ingress", "none")
    done = line("status")
    assert done.returncode == 3
    assert "no router is ready in namespace shop" in done.stdout
    assert line("why", "shop").returncode == 8
    assert line("events").returncode == 8
    done = line("init", "--ingress", "none", "--wait", "ready", "--timeout", "1s")
    assert done.returncode == 6


def test_a_namespace_that_is_not_there_is_said(cluster: Cluster) -> None:
    line = admin(cluster, "nowhere")
    assert line("status").returncode == 4
    done = line("init", "--ingress", "none")
    assert done.returncode == 4
    assert "kubectl create namespace nowhere" in done.stderr
    assert line("check", "--pre").returncode == 1


def test_credentials_that_are_not_accepted_are_said(cluster: Cluster) -> None:
    line = Commands(cluster, "shop", cluster.state / "home" / "late", User("late"), "late")
    for token in list(cluster.tokens._users):
        if cluster.tokens._users[token].name == "late":
            cluster.tokens.revoke(token)
    done = line("status")
    assert done.returncode == 7
    assert "does not accept these credentials" in done.stderr


def test_an_api_server_that_is_away_is_exit_8(cluster: Cluster) -> None:
    line = admin(cluster)
    cluster.stop_server()
    try:
        done = line("status")
    finally:
        cluster.start_server()
    assert done.returncode == 8
    assert "cannot be reached" in done.stderr


@pytest.mark.parametrize("words", [("--kubeconfig", "/nowhere"), ("--context", "nobody")])
def test_a_configuration_that_is_not_there_is_named(
    cluster: Cluster, words: tuple[str, ...]
) -> None:
    done = admin(cluster)(*words, "status")
    assert done.returncode == 1
    assert words[1] in done.stderr
    assert "kubectl get pods" in done.stderr
