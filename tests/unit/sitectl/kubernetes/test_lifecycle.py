"""`init`, `update`, `delete`, `run`, `start`, `stop`: a site's objects from first to last."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from router import __version__
from router.kubernetes.codecs.owners import owners_map
from tests.unit.sitectl.kubernetes.conftest import NamespaceLine
from tests.unit.sitectl.kubernetes.fakes import FakeCluster

RUNNING = {
    ("ServiceAccount", "spillway-router"),
    ("Role", "spillway-router"),
    ("RoleBinding", "spillway-router"),
    ("Service", "spillway-router"),
    ("Deployment", "spillway-router"),
}
HEADLESS = {("Role", "spillway-router-headless"), ("RoleBinding", "spillway-router-headless")}


def test_init_writes_the_site_and_what_runs_it(empty: NamespaceLine, cluster: FakeCluster) -> None:
    assert empty.json("init")["change"] == "created"
    assert set(cluster.objects) == RUNNING | HEADLESS | {("ConfigMap", "skupper-site")}
    site = cluster.found("ConfigMap", "skupper-site")
    assert site["metadata"]["labels"]["internal.skupper.io/site-controller-ignore"] == "true"
    assert "data" not in site, "the API would drop an empty one"
    cluster.calls.clear()
    assert empty.json("init")["change"] == "unchanged"
    assert all(method == "GET" for method, _ in cluster.calls)


def test_flags_of_init_are_keys_of_the_site(empty: NamespaceLine, cluster: FakeCluster) -> None:
    empty.ok(
        *("init", "--site-name", "east", "--routers", "2", "--ingress", "nodeport"),
        *("--ingress-host", "10.0.0.7", "--enable-console", "--console-auth", "internal"),
        *("--router-cpu", "250m", "--router-memory-limit", "1Gi", "--enable-service-sync=false"),
        *("--service-sync-site-ttl", "5m", "--create-network-policy", "--adopt-services"),
        *("--labels", "team=shop", "--annotations", "note=x", "--enable-controller=false"),
    )
    site = cluster.found("ConfigMap", "skupper-site")
    assert site["data"] == {
        "name": "east",
        "routers": "2",
        "ingress": "nodeport",
        "ingress-host": "10.0.0.7",
        "console": "true",
        "console-authentication": "internal",
        "router-cpu": "250m",
        "router-memory-limit": "1Gi",
        "service-sync": "false",
        "service-sync-site-ttl": "300s",
        "create-network-policy": "true",
        "adopt-services": "true",
        "service-controller": "false",
    }
    assert site["metadata"]["labels"]["team"] == "shop"
    assert site["metadata"]["annotations"] == {"note": "x"}
    spec = cluster.found("Deployment", "spillway-router")["spec"]
    assert spec["replicas"] == 2
    assert ("NetworkPolicy", "spillway-router") in cluster.objects
    assert ("PodDisruptionBudget", "spillway-router") in cluster.objects


def test_init_of_another_site_is_a_conflict_with_a_diff(shop: NamespaceLine) -> None:
    said = shop.fails(5, "init", "--ingress", "nodeport", "--ingress-host", "10.0.0.7")
    assert "-ingress: none" in said
    assert "+ingress: nodeport" in said
    assert "sitectl update" in said


def test_init_beside_a_users_site_takes_it_as_it_is(
    empty: NamespaceLine, cluster: FakeCluster
) -> None:
    cluster.put("ConfigMap", "skupper-site", data={"name": "old", "ingress": "none"})
    assert empty.json("init")["name"] == "old"
    assert cluster.found("ConfigMap", "skupper-site")["data"] == {"name": "old", "ingress": "none"}
    assert set(cluster.objects) >= RUNNING


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--router-cpu", "much"), "router-cpu"),
        (("--router-memory-limit", "64Mi"), "Write 96Mi or more"),
        (("--ingress", "pigeon"), "ingress"),
        (("--router-disable-mutual-tls",), "mutual TLS"),
        (("--labels", "nonsense"), "NAME=VALUE"),
    ],
)
def test_init_refuses_values_that_cannot_be_used(
    empty: NamespaceLine, cluster: FakeCluster, words: tuple[str, ...], says: str
) -> None:
    result = empty("init", *words)
    assert result.exit_code in (1, 2)
    assert says in result.stderr
    assert not cluster.objects


def test_a_dry_run_of_init_prints_everything_for_kubectl(
    empty: NamespaceLine, cluster: FakeCluster
) -> None:
    text = empty.ok("init", "--image", "registry/router:1", "--dry-run", "-o", "yaml").stdout
    objects = list(yaml.safe_load_all(text))
    assert {(one["kind"], one["metadata"]["name"]) for one in objects} == RUNNING | {
        ("ConfigMap", "skupper-site")
    }
    assert "registry/router:1" in text
    assert not cluster.objects


def test_on_openshift_the_ingress_is_a_route(empty: NamespaceLine, cluster: FakeCluster) -> None:
    cluster.serves_routes = True
    empty.ok("init")
    assert ("Route", "spillway-router") in cluster.objects


def test_wait_says_what_keeps_the_router_from_being_ready(
    empty: NamespaceLine, cluster: FakeCluster
) -> None:
    waiting = {"reason": "ImagePullBackOff", "message": "no such image"}
    cluster.put(
        "Pod",
        "spillway-router-1",
        metadata={"labels": {"spillway.dev/component": "router"}},
        status={"containerStatuses": [{"state": {"waiting": waiting}}]},
    )
    empty.ok("init")
    deployed(cluster, observedGeneration=2)
    said = empty.fails(6, "init", "--wait", "ready", "--timeout", "0s")
    assert "ImagePullBackOff: no such image" in said
    del cluster.objects["Pod", "spillway-router-1"]
    cluster.run_router()
    deployed(cluster, observedGeneration=2, updatedReplicas=1)
    assert empty.ok("init", "--wait", "ready")


def test_of_a_router_that_ends_again_and_again_its_log_is_the_next_step(
    shop: NamespaceLine, cluster: FakeCluster
) -> None:
    cluster.put(
        "Pod",
        "spillway-router-1",
        metadata={"labels": {"spillway.dev/component": "router"}},
        spec={"containers": [{"name": "router"}]},
        status={"containerStatuses": [{"state": {"waiting": {"reason": "CrashLoopBackOff"}}}]},
    )

    assert "kubectl -n shop logs spillway-router-1 -c router --previous" in shop.fails(
        8, "why", "shop"
    )


def test_update_changes_keys_and_objects(shop: NamespaceLine, cluster: FakeCluster) -> None:
    assert shop.json("update")["change"] == "unchanged"
    assert shop.json("update", "--routers", "2")["change"] == "updated"
    assert cluster.found("ConfigMap", "skupper-site")["data"] == {"ingress": "none", "routers": "2"}
    assert cluster.found("Deployment", "spillway-router")["spec"]["replicas"] == 2
    assert shop.json("update", "--routers", "2")["change"] == "unchanged"


def test_the_sharing_mode_is_a_key_of_the_site(shop: NamespaceLine, cluster: FakeCluster) -> None:
    assert shop.json("update", "--sharing", "strict")["change"] == "updated"
    assert cluster.found("ConfigMap", "skupper-site")["data"]["sharing"] == "strict"
    assert shop.json("update", "--sharing", "strict")["change"] == "unchanged"
    item = json.loads(shop("status", "-o", "json").stdout)["item"]
    assert item["sharing"] == "strict"


@pytest.mark.parametrize("key", ["ingress", "cluster-local", "console-ingress"])
@pytest.mark.parametrize("command", [("update",), ("update", "--check"), ("init",)])
def test_a_typo_in_who_may_reach_a_site_opens_nothing(
    empty: NamespaceLine, cluster: FakeCluster, key: str, command: tuple[str, ...]
) -> None:
    """Someone edited the ConfigMap of a site that is closed."""
    empty.ok("init", "--ingress", "none", "--enable-console")
    cluster.found("ConfigMap", "skupper-site")["data"] = {"console": "true", key: "nonne"}
    assert f"{key}: " in empty.fails(1, *command)
    assert cluster.found("Service", "spillway-router")["spec"].get("type") != "LoadBalancer"


def test_update_check_names_what_would_change(shop: NamespaceLine, cluster: FakeCluster) -> None:
    assert shop("update", "--check").exit_code == 0
    cluster.found("Role", "spillway-router")["rules"] = []
    cluster.calls.clear()
    result = shop("update", "--check")
    assert result.exit_code == 3
    said = "Role/spillway-router would be updated (of this version, with other content)\n"
    assert result.stdout == said
    cluster.found("Role", "spillway-router")["metadata"]["annotations"] = {}
    said = "Role/spillway-router would be updated (it is of a version that did not say so)\n"
    assert shop("update", "--check").stdout == said
    assert all(method == "GET" for method, _ in cluster.calls)


def test_update_leaves_a_users_site_to_the_user(shop: NamespaceLine, cluster: FakeCluster) -> None:
    site = cluster.found("ConfigMap", "skupper-site")
    site["metadata"]["labels"] = {"kustomize.toolkit.fluxcd.io/name": "apps"}
    said = shop.fails(5, "update", "--routers", "2")
    assert "kept by Flux" in said
    assert "+routers: 2" in said
    site["metadata"]["labels"] = {}
    assert "kubectl -n shop edit configmap skupper-site" in shop.fails(
        5, "update", "--routers", "2"
    )


def test_a_chosen_image_outlasts_an_update(empty: NamespaceLine, cluster: FakeCluster) -> None:
    empty.ok("init", "--image", "registry/router:7")
    assert empty.json("update")["change"] == "unchanged"
    empty.ok("update", "--image", "registry/router:8")
    (container,) = cluster.found("Deployment", "spillway-router")["spec"]["template"]["spec"][
        "containers"
    ]
    assert container["image"] == "registry/router:8"


def test_a_pull_policy_goes_to_the_pods_and_outlasts_an_update(
    empty: NamespaceLine, cluster: FakeCluster
) -> None:
    empty.ok("init", "--image-pull-policy", "always")
    assert _pulls(cluster) == "Always"
    assert empty.json("update")["change"] == "unchanged"
    assert _pulls(cluster) == "Always"
    empty.ok("update", "--image-pull-policy", "missing")
    assert _pulls(cluster) == "IfNotPresent"
    assert "pods have no pull policy" in empty.fails(2, "update", "--image-pull-policy", "newer")


def test_the_environment_names_the_image_of_an_update_too(
    empty: NamespaceLine, cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SITECTL_IMAGE", "registry/router@sha256:" + "1" * 64)
    empty.ok("init")
    monkeypatch.setenv("SITECTL_IMAGE", "registry/router@sha256:" + "2" * 64)
    assert empty.json("update")["change"] == "updated"
    assert _container(cluster)["image"].endswith("2")


def _pulls(cluster: FakeCluster) -> str:
    return str(_container(cluster)["imagePullPolicy"])


def _container(cluster: FakeCluster) -> Any:
    deployment = cluster.found("Deployment", "spillway-router")
    return deployment["spec"]["template"]["spec"]["containers"][0]


def test_force_restart_changes_the_pods_template(shop: NamespaceLine, cluster: FakeCluster) -> None:
    shop.ok("update", "--force-restart")
    template = cluster.found("Deployment", "spillway-router")["spec"]["template"]
    assert "spillway.dev/restarted-at" in template["metadata"]["annotations"]


def test_delete_restores_what_was_adopted_and_leaves_what_is_the_users(
    shop: NamespaceLine, cluster: FakeCluster
) -> None:
    shop.ok("service", "create", "shop", "8080")
    cluster.put("Secret", "token-of-mine", metadata={"labels": {"skupper.io/type": "token-claim"}})
    cluster.put("Service", "untouched", spec={"selector": {"app": "x"}, "ports": [{"port": 1}]})
    own = {"spillway.dev/service": "made", "app.kubernetes.io/part-of": "spillway"}
    cluster.put(
        "Secret",
        "spillway-identity",
        metadata={
            "labels": {"spillway.dev/type": "identity", "app.kubernetes.io/managed-by": "spillway"}
        },
    )
    cluster.put("Service", "made", metadata={"labels": own}, spec={"ports": [{"port": 1}]})
    owners = owners_map("a" * 32, {})
    cluster.put("ConfigMap", "spillway-owners", metadata=owners["metadata"], data=owners["data"])
    assert shop.json("delete")["change"] == "deleted"
    assert set(cluster.objects) == {("Secret", "token-of-mine"), ("Service", "untouched")}
    assert shop.json("delete")["change"] == "unchanged"


def test_routers_hear_that_the_site_goes_and_lose_their_rights_before_services_are_restored(
    shop: NamespaceLine, cluster: FakeCluster
) -> None:
    shop.ok("delete")
    deleted = [
        path.split("/namespaces/shop/")[1] for verb, path in cluster.calls if verb == "DELETE"
    ]
    assert deleted[:8] == [
        "configmaps/skupper-site",
        "rolebindings/spillway-router",
        "roles/spillway-router",
        "deployments/spillway-router",
        "rolebindings/spillway-router-skupper-v2",
        "roles/spillway-router-skupper-v2",
        "rolebindings/spillway-router-headless",
        "roles/spillway-router-headless",
    ]


def test_delete_leaves_the_site_of_skupper(shop: NamespaceLine, cluster: FakeCluster) -> None:
    cluster.put("Deployment", "skupper-router")
    result = shop.ok("delete")
    assert "Skupper's router in this namespace uses it" in result.stderr
    assert ("ConfigMap", "skupper-site") in cluster.objects


def test_delete_goes_on_where_a_right_is_missing(shop: NamespaceLine, cluster: FakeCluster) -> None:
    cluster.refused.add(("delete", "roles"))
    assert "Role/spillway-router may be left" in shop.ok("delete").stderr
    assert ("Deployment", "spillway-router") not in cluster.objects


def test_start_and_stop_say_what_to_type(shop: NamespaceLine) -> None:
    assert "kubectl scale deployment/spillway-router --replicas=0" in shop.fails(2, "stop")
    assert "--replicas=1" in shop.fails(2, "start")


def test_run_becomes_the_router_of_the_namespace(
    shop: NamespaceLine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ran: list[list[str]] = []
    monkeypatch.setattr(os, "execve", lambda _path, words, _env: ran.append(words))
    monkeypatch.setenv("SPILLWAY_SITE_DIR", str(tmp_path / "site"))
    monkeypatch.setenv("POD_NAMESPACE", "shop")
    shop.ok("run")
    assert ran[0][3:8] == [
        "router.process.main",
        "--namespace",
        "shop",
        "--site-dir",
        str(tmp_path / "site"),
    ]


def test_switch_is_remembered_and_flags_come_first(
    shop: NamespaceLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    from click.testing import CliRunner

    from sitectl.main import cli

    shop.ok("switch", "kubernetes")
    plain = CliRunner(env={"XDG_CONFIG_HOME": str(shop.state / "config"), "SITECTL_PLATFORM": None})
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    assert plain.invoke(cli, ["switch"]).stdout == "kubernetes\n"
    assert plain.invoke(cli, ["--platform", "process", "switch"]).stdout == "process\n"
    plain.invoke(cli, ["switch", "process"])
    assert plain.invoke(cli, ["switch"]).stdout == "process\n"


def grace_s(cluster: FakeCluster) -> int:
    """How long the cluster lets a router's pod drain."""
    pod = cluster.found("Deployment", "spillway-router")["spec"]["template"]["spec"]
    return int(pod["terminationGracePeriodSeconds"])


def test_a_pod_may_take_as_long_to_end_as_its_router_drains(
    empty: NamespaceLine, cluster: FakeCluster
) -> None:
    empty.ok("init", "--drain-grace", "2m")
    assert grace_s(cluster) == 135
    assert cluster.found("ConfigMap", "skupper-site")["data"] == {"drain-grace": "2m"}
    empty.ok("update", "--drain-grace", "5m")
    assert grace_s(cluster) == 315
    assert empty("update", "--check").exit_code == 0


def test_where_the_cluster_has_skupper_v2s_kinds_the_router_may_read_them_until_it_goes(
    empty: NamespaceLine, cluster: FakeCluster
) -> None:
    cluster.put("Listener", "front")
    rights = {(kind, "spillway-router-skupper-v2") for kind in ("Role", "RoleBinding")}
    empty.ok("init")
    assert rights <= set(cluster.objects)
    empty.ok("delete", "--yes")
    assert not rights & set(cluster.objects)


def test_routers_start_only_when_all_their_rights_are_there(
    empty: NamespaceLine, cluster: FakeCluster
) -> None:
    """A router that asks for a right too early learns of it later."""
    empty.ok("init")
    assert list(cluster.objects)[-1] == ("Deployment", "spillway-router")
    cluster.objects = {key: one for key, one in cluster.objects.items() if key not in HEADLESS}
    del cluster.objects["Deployment", "spillway-router"]
    empty.ok("update")
    assert list(cluster.objects)[-1] == ("Deployment", "spillway-router")


def test_rights_that_only_a_clusters_administrator_may_grant_are_tried_apart(
    empty: NamespaceLine, cluster: FakeCluster
) -> None:
    cluster.headless_is_refused = True
    assert "StatefulSets" not in empty.ok("init", "--dry-run").stderr
    cluster.put("StatefulSet", "db")
    result = empty.ok("init")
    assert "names for the pods of headless StatefulSets" in result.stderr
    del cluster.objects["StatefulSet", "db"]
    assert set(cluster.objects) == RUNNING | {("ConfigMap", "skupper-site")}
    assert "unchanged" in empty.ok("init").stdout
    assert empty.ok("update", "--check").stdout.startswith("All objects are as")
    cluster.headless_is_refused = False
    empty.ok("update")
    assert ("RoleBinding", "spillway-router-headless") in cluster.objects
    empty.ok("delete")
    assert not cluster.objects


def test_services_are_given_back_though_one_of_them_may_not_be(
    shop: NamespaceLine, cluster: FakeCluster
) -> None:
    for name in ("a", "b"):
        own = {"spillway.dev/service": name}
        cluster.put("Service", name, metadata={"labels": own}, spec={"ports": [{"port": 1}]})
    by_us = {"endpointslice.kubernetes.io/managed-by": "spillway"}
    cluster.put("EndpointSlice", "a-spillway-ipv4", metadata={"labels": by_us})
    cluster.refused |= {("delete", "endpointslices")}
    cluster.protected.add(("Service", "a"))
    result = shop.ok("delete")
    assert "Service/a could not be put back" in result.stderr
    assert cluster.names("EndpointSlice") == {"a-spillway-ipv4"}
    assert "EndpointSlice" not in result.stderr  # The cluster removes it with its Service.
    assert cluster.names("Service") == {"a"}
    assert not cluster.names("Deployment")


def test_who_took_the_name_of_a_service_of_ours_keeps_it(
    shop: NamespaceLine, cluster: FakeCluster
) -> None:
    own = {"spillway.dev/service": "made", "app.kubernetes.io/part-of": "spillway"}
    cluster.put("Service", "made", metadata={"labels": own}, spec={"ports": [{"port": 1}]})
    cluster.replaced_before_deletion = ("Service", "made")
    shop.ok("delete")
    assert cluster.found("Service", "made")["metadata"]["labels"] == {}


def older(cluster: FakeCluster, version: str) -> None:
    """Have the site's objects as another version made them."""
    for kind, name in RUNNING | HEADLESS:
        notes = cluster.found(kind, name)["metadata"]["annotations"]
        notes["spillway.dev/version"] = version
    template = cluster.found("Deployment", "spillway-router")["spec"]["template"]
    template["spec"]["containers"][0]["image"] = f"localhost/spillway/router:{version}"


def test_update_check_tells_versions_and_images(shop: NamespaceLine, cluster: FakeCluster) -> None:
    older(cluster, "0.0.9")
    result = shop("update", "--check", "-o", "json")
    assert result.exit_code == 3
    items = {item["object"]: item for item in json.loads(result.stdout)["items"]}
    assert set(items) == {f"{kind}/{name}" for kind, name in RUNNING}
    assert items["Deployment/spillway-router"] == {
        "object": "Deployment/spillway-router",
        "change": "updated",
        "version": {"from": "0.0.9", "to": __version__},
        "image": {
            "from": "localhost/spillway/router:0.0.9",
            "to": f"localhost/spillway/router:{__version__}",
        },
    }
    assert "image" not in items["Role/spillway-router"]
    assert "router:0.0.9 to " in shop("update", "--check").stdout
    assert shop.json("update")["change"] == "updated"
    assert shop("update", "--check").exit_code == 0


def test_an_update_across_several_versions_is_refused(
    shop: NamespaceLine, cluster: FakeCluster
) -> None:
    older(cluster, "0.7.0")
    before = json.dumps([*cluster.objects.values()])
    assert "one before and the one after" in shop.fails(5, "update")
    assert json.dumps([*cluster.objects.values()]) == before
    checked = shop("update", "--check")
    assert (checked.exit_code, "one before" in checked.stderr) == (3, True)


@pytest.mark.parametrize(
    ("note", "who", "says"),
    [
        ("spillway.dev/applied", "the site controller", "kubectl -n shop edit configmap"),
        ("meta.helm.sh/release-name", "Helm", "wherever Helm takes it from"),
    ],
)
def test_what_another_makes_is_updated_by_them(
    shop: NamespaceLine, cluster: FakeCluster, note: str, who: str, says: str
) -> None:
    older(cluster, "0.0.9")
    cluster.found("Deployment", "spillway-router")["metadata"]["annotations"][note] = "x"
    cluster.calls.clear()
    said = shop.fails(5, "update")
    assert who in said and says in said
    assert f"made by {who}" in shop.ok("init", "--ingress", "none").stderr
    assert all(method == "GET" for method, _ in cluster.calls)
    shop.ok("update", "--force-restart")


def deployed(cluster: FakeCluster, **status: int) -> None:
    """The status of the Deployment."""
    found = cluster.found("Deployment", "spillway-router")
    found["metadata"]["generation"] = 2
    found["status"] = status


def test_waiting_for_the_configuration_is_less_than_waiting_for_a_router(
    empty: NamespaceLine, cluster: FakeCluster
) -> None:
    at_once = ("--timeout", "0s")
    empty.ok("init", "--wait", "none")
    deployed(cluster, observedGeneration=1)
    said = empty.fails(6, "init", "--wait", "configured", *at_once)
    assert "Deployment/spillway-router was not taken up" in said
    deployed(cluster, observedGeneration=2)
    empty.ok("init", "--wait", "configured", *at_once)
    empty.fails(6, "init", "--wait", "ready", *at_once)
    cluster.run_router()
    assert "pods are still being replaced" in empty.fails(6, "init", "--wait", "ready", *at_once)
    deployed(cluster, observedGeneration=2, updatedReplicas=1)
    empty.ok("init", "--wait", "ready", *at_once)


def test_version_tells_that_of_the_router_too(
    shop: NamespaceLine, cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    older(cluster, "0.0.9")
    image = "localhost/spillway/router:0.0.9"
    assert shop.json("version")["router"] == {"version": None, "image": image}
    cluster.run_router()
    cluster.item("/api/v1/status", {"version": "0.0.8"})
    assert shop.json("version")["router"] == {"version": "0.0.8", "image": image}
    assert f"router 0.0.8 ({image})" in shop.ok("version").stdout
    cluster.is_down = True
    result = shop.ok("version")
    assert "cannot be reached" in result.stderr and "spillway" in result.stdout


def test_update_takes_away_what_the_site_no_longer_consists_of(
    empty: NamespaceLine, cluster: FakeCluster
) -> None:
    cluster.serves_routes = True
    empty.ok("init", "--routers", "2", "--create-network-policy")
    optional = {"Route", "PodDisruptionBudget", "NetworkPolicy"}
    assert optional <= {kind for kind, _ in cluster.objects}
    cluster.put("Ingress", "spillway-router")  # The user's: it does not say that it is ours.
    words = ("update", "--routers", "1", "--ingress", "loadbalancer", "--no-create-network-policy")
    checked = empty(*words, "--check")
    assert checked.exit_code == 3
    for kind in optional:
        assert f"{kind}/spillway-router would be deleted" in checked.stdout
    assert optional <= {kind for kind, _ in cluster.objects}
    assert empty.json(*words)["change"] == "updated"
    assert not optional & {kind for kind, _ in cluster.objects}
    assert ("Ingress", "spillway-router") in cluster.objects
    assert empty(*words, "--check").exit_code == 0


def test_delete_takes_every_kind_of_ingress_along(
    empty: NamespaceLine, cluster: FakeCluster
) -> None:
    empty.ok("init", "--ingress", "contour-http-proxy", "--ingress-host", "x.example")
    assert ("HTTPProxy", "spillway-router") in cluster.objects
    empty.ok("delete")
    assert not cluster.objects


def test_on_openshift_the_rights_to_a_route_are_asked_for_before(
    empty: NamespaceLine, cluster: FakeCluster
) -> None:
    cluster.refused.add(("create", "routes"))
    assert empty("check", "--pre").exit_code == 0
    cluster.serves_routes = True
    result = empty("check", "--pre")
    assert result.exit_code == 1
    assert "you may not create routes" in result.stdout
