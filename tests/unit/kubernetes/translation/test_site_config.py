"""ConfigMap skupper-site: every key, as Skupper reads it, and its errors."""

from typing import Any

import pytest

from router.kubernetes.objects.picture import SiteOptions
from router.kubernetes.translation import site_keys
from router.kubernetes.translation.site_config import SiteDefaults
from router.kubernetes.translation.translate import translate
from router.model.specs import SiteSpec
from tests.unit.kubernetes.namespace_objects import (
    config_map,
    picture,
    site,
    site_of,
    snapshot,
    told,
)


def options_of(**data: str) -> SiteOptions:
    found = picture(site(**data))
    assert found.errors == (), [str(error) for error in found.errors]
    assert found.options is not None
    return found.options


def wrong(**data: str) -> list[tuple[str, str, str]]:
    found = picture(site(**data))
    assert found.options == SiteOptions(name="shop")
    return [(error.code, error.path, error.severity) for error in found.errors]


def test_without_data_it_is_a_full_site_named_after_the_namespace() -> None:
    for found in (config_map("skupper-site"), config_map("skupper-site", {}), site(name="")):
        name, spec = site_of(picture(found))
        assert (name, spec.router_mode, spec.ingress) == ("shop", "interior", "host")
        assert picture(found).options == SiteOptions(name="shop")
        assert picture(found).errors == ()


def test_without_the_config_map_there_is_no_site() -> None:
    going = site()
    going["metadata"]["deletionTimestamp"] = "2024-01-01T00:00:00Z"
    for objects in ([], [going]):
        found = picture(*objects)
        assert (found.options, found.documents) == (None, ())


def test_what_skupper_init_writes_is_read_without_a_finding() -> None:
    options = options_of(
        name="west",
        router_mode="interior",
        service_controller="true",
        service_sync="true",
        console="false",
        flow_collector="false",
        cluster_permissions="false",
        router_console="false",
        router_logging="",
        console_authentication="internal",
        console_user="",
        console_password="",
        ingress="loadbalancer",
        enable_skupper_events="true",
        create_network_policy="false",
        flow_collector_record_ttl="15m0s",
        prometheus_server_authentication="tls",
        xp_router_max_frame_size="16384",
        xp_router_max_session_frames="640",
    )
    assert options == SiteOptions(name="west")


def test_the_site_document_follows() -> None:
    found = picture(site(service_sync="0", service_sync_site_ttl="5m0s", drain_grace="1m"))
    assert site_of(found) == (
        "shop",
        SiteSpec(
            ingress_bind_ip="0.0.0.0",
            bind_ip="0.0.0.0",
            service_sync=False,
            service_sync_site_ttl_s=300.0,
            drain_grace_s=60.0,
        ),
    )


def test_our_own_keys_reach_the_site_document() -> None:
    found = picture(
        site(
            adopt_services="true", rewrite_selectors="false", access_log_share="0.5", tracing="true"
        )
    )
    _, spec = site_of(found)
    assert (spec.adopt_services, spec.access_log_share, spec.tracing) == (True, 0.5, True)
    assert found.options is not None and not found.options.rewrite_selectors
    assert found.errors == ()


def test_defaults_come_from_the_caller() -> None:
    found = translate(snapshot([site()]), defaults=SiteDefaults(ingress="route", bind_ip="::"))
    assert found.options is not None and found.options.ingress == "route"
    _, spec = site_of(found)
    assert (spec.bind_ip, spec.ingress_bind_ip, spec.bind_port) == ("::", "::", 55671)


def test_an_edge_accepts_no_links() -> None:
    for data in ({"router_mode": "edge", "ingress": "loadbalancer"}, {"edge": "true"}):
        found = picture(site(**data))
        _, spec = site_of(found)
        assert (spec.router_mode, spec.ingress) == ("edge", "none")
        assert found.options is not None and found.options.ingress == "none"
        assert found.errors == ()


def test_several_routers_of_an_edge_are_told_that_none_helps_another() -> None:
    (error,) = picture(site(router_mode="edge", routers="2")).errors
    assert (error.path, error.severity) == ("data.routers", "warning")
    assert options_of(router_mode="edge", routers="1").routers == 1
    assert options_of(router_mode="interior", routers="2").routers == 2


def test_older_keys_count_where_the_newer_is_not_there() -> None:
    assert options_of(cluster_local="true").ingress == "none"
    assert options_of(cluster_local="true", ingress="nodeport").ingress == "nodeport"
    assert options_of(edge="true", router_mode="interior").router_mode == "interior"
    assert options_of(edge="false", cluster_local="false") == SiteOptions(name="shop")


def test_ingress_none_accepts_links_from_inside_the_cluster_as_skupper_does() -> None:
    found = picture(site(ingress="none"))
    _, spec = site_of(found)
    assert spec.ingress == "host"
    assert found.options is not None and found.options.ingress == "none"


@pytest.mark.parametrize("kind", site_keys.INGRESSES)
def test_every_kind_of_ingress_of_skupper_is_read(kind: str) -> None:
    assert options_of(ingress=kind).ingress == kind


def test_annotations_are_split_as_skupper_splits_them() -> None:
    assert options_of(ingress_annotations="a.b/c=d,e=f").ingress_annotations == {
        "a.b/c": "d",
        "e": "f",
    }
    assert options_of(router_pod_annotations="a=1\\,2, b=c=d").router_pod_annotations == {
        "a": "1,2",
        "b": "c=d",
    }
    own = options_of(router_service_annotations="a=1,2;b=3", annotation_separator=";")
    assert own.router_service_annotations == {"a": "1,2", "b": "3"}


def test_resources_are_quantities() -> None:
    options = options_of(
        router_cpu="500m", router_memory="256Mi", router_cpu_limit="1", router_memory_limit="1.5Gi"
    )
    assert (options.router_cpu, options.router_memory_limit) == ("500m", "1.5Gi")


def test_a_request_above_its_limit_is_told_and_the_limit_is_used() -> None:
    found = picture(site(router_memory="2Gi", router_memory_limit="512Mi"))
    assert found.options is not None
    assert found.options.router_memory == "512Mi"
    assert told(found) == [("SW0405", "ConfigMap/skupper-site", "data.router-memory")]


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("name", "West Site"),
        ("router_mode", "egde"),
        ("ingress", "loadbalncer"),
        ("ingress_host", "a b"),
        ("ingress_annotations", "a b=c"),
        ("routers", "two"),
        ("routers", "-1"),
        ("routers", "65"),
        ("create_network_policy", "yes"),
        ("run_as_user", "0"),
        ("run_as_group", "root"),
        ("service_controller", "on"),
        ("service_sync", "2"),
        ("service_sync_site_ttl", "soon"),
        ("service_sync_site_ttl", "31d"),
        ("console_authentication", "basic"),
        ("console_ingress", "x"),
        ("router_logging", "ROUTER:loud"),
        ("router_load_balancer_ip", "host"),
        ("router_cpu", "a lot"),
        ("router_memory", "-1Gi"),
        ("router_cpu_limit", "0"),
        ("router_memory_limit", "1GB"),
        ("router_memory_limit", "95Mi"),
        ("router_memory_limit", "0"),
        ("router_node_selector", "a=b c"),
        ("drain_grace", "2h"),
        ("access_log_share", "50%"),
        ("tracing", "maybe"),
        ("edge", "maybe"),
        ("cluster_local", "maybe"),
        ("controller_cpu", "x"),
    ],
)
def test_a_wrong_value_is_told_and_the_default_used(key: str, text: str) -> None:
    assert wrong(**{key: text}) == [("SW0405", f"data.{key.replace('_', '-')}", "error")]


def test_a_memory_limit_within_which_no_router_serves_is_told_with_the_least() -> None:
    """Its pod was killed at each start, or refused all requests."""
    found = picture(site(router_memory_limit="64Mi"))
    assert found.options is not None and found.options.router_memory_limit == ""
    assert found.errors[0].reason == (
        "router-memory-limit: a router serves no client within '64Mi', it takes 96Mi at least; "
        "512Mi is used"
    )
    assert found.errors[0].hint == "Write 96Mi or more"
    least = picture(site(router_memory_limit="96Mi"))
    assert least.errors == () and least.options is not None
    assert least.options.router_memory_limit == "96Mi"


def test_a_sharing_mode_that_cannot_be_read_is_the_strict_one() -> None:
    assert site_of(picture(site()))[1].sharing == "open"
    assert site_of(picture(site(sharing="strict")))[1].sharing == "strict"
    found = picture(site(sharing="strikt"))
    assert site_of(found)[1].sharing == "strict"
    assert told(found) == [("SW0405", "ConfigMap/skupper-site", "data.sharing")]
    assert "strict is used" in found.errors[0].reason


@pytest.mark.parametrize("key", ["controller-cpu", "config-sync-memory", "prometheus-server-user"])
def test_a_key_without_effect_is_told_as_a_warning(key: str) -> None:
    found = picture(config_map("skupper-site", {key: "1"}))
    assert told(found) == [("SW0407", "ConfigMap/skupper-site", f"data.{key}")]
    assert found.errors[0].severity == "warning"


def test_links_without_mutual_tls_are_refused() -> None:
    assert wrong(router_disable_mutual_tls="true") == [
        ("SW0407", "data.router-disable-mutual-tls", "error")
    ]
    assert wrong(router_disable_mutual_tls="false") == []


def test_values_that_are_not_done_here_are_told_with_what_is_used() -> None:
    contour = picture(site(console_ingress="contour-http-proxy"))
    assert contour.options is not None and contour.options.console_ingress == "none"
    assert told(contour) == [("SW0407", "ConfigMap/skupper-site", "data.console-ingress")]
    unsecured = picture(site(console_authentication="unsecured"))
    assert unsecured.options == SiteOptions(name="shop")
    assert told(unsecured) == [("SW0407", "ConfigMap/skupper-site", "data.console-authentication")]


def test_a_console_may_ask_openshift_who_somebody_is() -> None:
    found = picture(site(console="true", console_authentication="openshift"))
    assert told(found) == []
    document = next(one for one in found.documents if one.kind == "Site")
    assert isinstance(document.spec, SiteSpec) and document.spec.console is not None
    assert document.spec.console.auth == "openshift"


def test_an_unknown_key_is_told_with_the_nearest() -> None:
    found = picture(site(ingres="route", zzz="1"))
    assert told(found) == [
        ("SW0406", "ConfigMap/skupper-site", "data.ingres"),
        ("SW0406", "ConfigMap/skupper-site", "data.zzz"),
    ]
    assert found.errors[0].hint == "Did you mean 'ingress'?"


def test_a_password_is_never_shown() -> None:
    found = picture(site(prometheus_server_password="hunter2"))
    assert "hunter2" not in "".join(map(str, found.errors))
    assert len(found.errors) == 1


def test_less_than_a_minute_counts_as_a_minute() -> None:
    found = picture(site(service_sync_site_ttl="10s"))
    assert found.options is not None and found.options.service_sync_site_ttl_s == 60.0
    assert found.errors[0].severity == "warning"


def test_labels_spread_but_for_those_excluded_and_those_of_tools() -> None:
    labels = {
        "team": "shop",
        "cost": "1",
        "internal.skupper.io/site-controller-ignore": "true",
        "app.kubernetes.io/instance": "argo",
        "argocd.argoproj.io/instance": "x",
    }
    notes = {
        "skupper.io/exclude-labels": "cost, other",
        "skupper.io/exclude-annotations": "b",
        "a": "1",
        "b": "2",
        "kubectl.kubernetes.io/last-applied-configuration": "{}",
        "kustomize.toolkit.fluxcd.io/checksum": "x",
    }
    options = picture(config_map("skupper-site", annotations=notes, labels=labels)).options
    assert options is not None
    assert (options.labels, options.annotations) == ({"team": "shop"}, {"a": "1"})
    assert options.is_left_alone


def test_shapes_that_are_none_are_told() -> None:
    listed: Any = ["name"]
    assert told(picture(config_map("skupper-site", listed))) == [
        ("SW0405", "ConfigMap/skupper-site", "data")
    ]
    number: Any = 2
    assert told(picture(config_map("skupper-site", {"routers": number}))) == [
        ("SW0405", "ConfigMap/skupper-site", "data.routers")
    ]


def test_every_key_has_a_field_that_exists_or_says_why_not() -> None:
    read_apart = {"annotation-separator"}
    for entry in site_keys.KEYS:
        if entry.key in read_apart:
            continue
        assert bool(entry.field) != bool(entry.why), entry.key
        fields = (SiteSpec if entry.of_site else SiteOptions).__struct_fields__
        assert not entry.field or entry.field in fields, entry.key
    assert len(site_keys.BY_KEY) == len(site_keys.KEYS)


SKUPPER_KEYS = """
name router-mode ingress ingress-annotations ingress-host create-network-policy routers
run-as-user run-as-group cluster-permissions console console-authentication console-user
console-password console-ingress rest-api flow-collector flow-collector-record-ttl
flow-collector-cpu flow-collector-memory flow-collector-cpu-limit flow-collector-memory-limit
prometheus-external-server prometheus-server-authentication prometheus-server-user
prometheus-server-password prometheus-server-cpu prometheus-server-memory
prometheus-server-cpu-limit prometheus-server-memory-limit prometheus-server-pod-annotations
router-console router-logging router-debug-mode router-cpu router-memory router-cpu-limit
router-memory-limit router-pod-affinity router-pod-antiaffinity router-node-selector
xp-router-max-frame-size xp-router-max-session-frames router-data-connection-count
router-ingress-host router-service-annotations router-pod-annotations router-load-balancer-ip
router-disable-mutual-tls router-drop-tcp-connections service-controller service-sync
service-sync-site-ttl controller-cpu controller-memory controller-cpu-limit
controller-memory-limit controller-pod-affinity controller-pod-antiaffinity
controller-node-selector controller-ingress-host controller-service-annotations
controller-pod-annotations controller-load-balancer-ip config-sync-cpu config-sync-memory
config-sync-cpu-limit config-sync-memory-limit enable-skupper-events annotation-separator edge
cluster-local
"""


def test_every_key_of_skupper_is_known() -> None:
    assert set(SKUPPER_KEYS.split()) <= set(site_keys.BY_KEY)
