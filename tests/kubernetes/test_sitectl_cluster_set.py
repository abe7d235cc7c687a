"""What `sitectl check` says of the Multi-Cluster Services API."""

import json
from collections.abc import Iterator

import pytest

from router.kubernetes.multicluster.names import network_name
from tests.kubernetes import multicluster
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.commands import Commands
from tests.kubernetes.test_sitectl_rights import NAMESPACE_ADMIN, admin, as_user

NAMESPACE = "shop"


@pytest.fixture
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster in which no container runs, with the namespace ``shop``."""
    with Cluster(tmp_path_factory.mktemp("cluster"), without=("kubelet",)) as made:
        made.create("Namespace", NAMESPACE)
        yield made


def said(commands: Commands, code: str = "SW0493") -> list[tuple[str, str, str]]:
    """Severity, message and hint of the findings of ``code``."""
    found = json.loads(commands("check", "-o", "json").stdout)["items"]
    return [
        (one["level"], one["message"], one.get("hint", "")) for one in found if one["code"] == code
    ]


def test_check_says_that_it_is_off_only_where_the_cluster_serves_the_kinds(
    cluster: Cluster,
) -> None:
    owner = admin(cluster)
    owner.ok("init", "--ingress", "none")
    assert said(owner) == []
    cluster.define(*multicluster.KINDS)
    ((severity, message, hint),) = said(owner)
    assert severity == "info" and "is off" in message and "v1beta1" in message
    assert hint == "sitectl -n shop update --mcs"


def test_check_says_that_the_cluster_has_no_kinds(cluster: Cluster) -> None:
    owner = admin(cluster)
    owner.ok("init", "--ingress", "none", "--mcs")
    ((severity, message, hint),) = said(owner)
    assert severity == "error" and "does not serve ServiceExports" in message
    assert "install the CRDs" in hint


def test_check_names_each_rule_that_the_router_lacks(cluster: Cluster) -> None:
    owner = admin(cluster)
    owner.ok("init", "--ingress", "none", "--mcs")
    cluster.define(*multicluster.KINDS)
    exports, imports, _ = said(owner)
    assert "may not read ServiceExports" in exports[1]
    assert 'resources: ["serviceexports"], verbs: ["get", "list", "watch"]' in exports[2]
    assert "may not write ServiceImports" in imports[1]
    assert 'resources: ["serviceimports", "serviceimports/status"]' in imports[2]

    reads = {
        "apiGroups": [multicluster.GROUP],
        "resources": ["serviceexports"],
        "verbs": ["get", "list", "watch"],
    }
    multicluster.permit(cluster, [reads])
    multicluster.bind(cluster, NAMESPACE)
    status, _, _ = said(owner)
    assert "may not write serviceexports/status" in status[1]
    assert 'resources: ["serviceexports/status"]' in status[2]


@pytest.mark.parametrize("served", [multicluster.KINDS, multicluster.OLDER_KINDS])
def test_check_counts_exports_and_imports_and_says_why_an_export_is_refused(
    cluster: Cluster, served: multicluster.Kinds
) -> None:
    owner = admin(cluster)
    owner.ok("init", "--ingress", "none", "--mcs")
    multicluster.install(cluster, served)
    multicluster.bind(cluster, NAMESPACE)
    cluster.create("Service", "web", NAMESPACE, spec={"ports": [{"port": 80}]})
    spec = {"type": "ExternalName", "externalName": "example.com"}
    cluster.create("Service", "outside", NAMESPACE, spec=spec)
    for name in ("web", "outside", "lost"):
        multicluster.export(cluster, NAMESPACE, name)
    theirs: dict[str, object] = {"type": "ClusterSetIP", "ports": []}
    cluster.create("ServiceImport", "theirs", NAMESPACE, spec=theirs)

    ((severity, message, _),) = said(owner)
    assert severity == "ok"
    assert message == (
        f"the Multi-Cluster Services API is on ({served[0].api_version}): 3 exports, 2 of them "
        "refused; 0 imports of this site, 1 of others"
    )
    lost, outside = said(owner, "SW0490")
    assert "there is no Service lost" in lost[1]
    assert "Service outside is of type ExternalName" in outside[1]


@pytest.mark.parametrize("served", [multicluster.KINDS, multicluster.OLDER_KINDS])
def test_verbs_that_would_change_an_exported_service_name_its_export(
    cluster: Cluster, served: multicluster.Kinds
) -> None:
    owner = admin(cluster)
    owner.ok("init", "--ingress", "none", "--mcs")
    multicluster.install(cluster, served)
    cluster.create("Service", "web", NAMESPACE, spec={"ports": [{"port": 80}]})
    multicluster.export(cluster, NAMESPACE, "web")
    name = network_name(NAMESPACE, "web")

    for verb, *words in (("edit", "set", name, "--capacity", "5"), ("delete", "delete", name)):
        done = owner("service", *words)
        assert done.returncode == 5, done.stdout + done.stderr
        assert "is in your own object, ServiceExport/web" in done.stderr
        assert f"Next: kubectl -n shop {verb} serviceexport/web" in done.stderr
    assert name in owner.ok("get", "service", name)


def test_an_admin_of_the_namespace_is_told_which_rule_shows_the_objects(cluster: Cluster) -> None:
    admin(cluster).ok("init", "--ingress", "none", "--mcs")
    multicluster.install(cluster)
    multicluster.bind(cluster, NAMESPACE)
    reviews = {
        "apiGroups": ["authorization.k8s.io"],
        "resources": ["localsubjectaccessreviews"],
        "verbs": ["create"],
    }
    for name, rules in (("may-ask", [*NAMESPACE_ADMIN, reviews]), ("may-not", NAMESPACE_ADMIN)):
        owner = as_user(cluster, name, rules=rules)
        ((severity, message, hint),) = said(owner)
        assert severity == "info" and "you may not list serviceexports" in message
        assert 'resources: ["serviceexports"], verbs: ["list"]' in hint
