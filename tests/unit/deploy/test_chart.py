"""The Helm chart renders what the renderer makes, by Helm's own engine."""

from collections.abc import Iterator
from typing import Any

import helm_python
import pytest
import yaml

from deploy.__main__ import HERE
from deploy.alerts import ALERTS
from deploy.autoscaling import demand_service
from deploy.chart import NEEDS_CONTROLLER
from deploy.monitoring import dashboards
from router.kubernetes.manifests import IMAGE, controller_objects, headless_objects, site_objects
from router.kubernetes.objects.findings import ObjectFindings
from router.kubernetes.objects.objects import Object
from router.kubernetes.translation import site_config

CHART = str(HERE / "helm" / "spillway")
DIGEST = f"sha256:{'0' * 64}"
NAMESPACE = "west"
Objects = dict[tuple[str, str], Object]


@pytest.fixture(scope="module")
def chart() -> Iterator[helm_python.Chart]:
    """The chart, loaded once."""
    with helm_python.Chart.load(CHART) as loaded:
        yield loaded


def helm(chart: helm_python.Chart, **values: Any) -> Objects:
    """What Helm renders with ``values``."""
    chart.validate_schema(values)
    texts = chart.render(values, name="release", namespace=NAMESPACE)
    found = [
        one
        for name, text in texts.items()
        if name.endswith(".yaml")
        for one in yaml.safe_load_all(text)
        if one is not None
    ]
    return by_kind(found)


def by_kind(objects: list[Any]) -> Objects:
    made = {(found["kind"], found["metadata"]["name"]): found for found in objects}
    assert len(made) == len(objects)
    return made


def wanted(openshift: bool = False, **site: Any) -> Objects:
    """What the renderer makes of the same keys."""
    data = {key: _text(value) for key, value in site.items()}
    found = {"metadata": {"name": "skupper-site"}, "data": data}
    noted = ObjectFindings("ConfigMap/skupper-site")
    defaults = site_config.SiteDefaults(ingress="route" if openshift else "loadbalancer")
    options, _ = site_config.read(found, NAMESPACE, defaults, noted)
    return by_kind(
        site_objects(options, namespace=NAMESPACE, image=IMAGE, openshift=openshift, data=data)
    )


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def test_helm_has_nothing_to_complain_about() -> None:
    found = helm_python.lint(CHART)
    assert found["errors"] == []
    assert [one["error"] for one in found["messages"]] == ["icon is recommended"]


def test_without_values_it_is_what_sitectl_init_applies(chart: helm_python.Chart) -> None:
    assert helm(chart) == wanted()


@pytest.mark.parametrize(
    "site",
    [
        {"name": "other", "router-mode": "edge", "ingress": "nodeport"},
        {"ingress": "none"},
        {"ingress": "nodeport", "router-load-balancer-ip": "192.0.2.1"},
        {"ingress": "loadbalancer", "router-load-balancer-ip": "192.0.2.1"},
        {"ingress": "nginx-ingress-v1", "ingress-host": "x.org"},
        {"ingress": "ingress"},
        {"ingress": "ingress", "ingress-host": "x.org", "router-ingress-host": "y.org"},
        {"ingress": "contour-http-proxy", "ingress-host": "x.org"},
        {"ingress": "contour-http-proxy"},
        {"routers": 3, "create-network-policy": True},
        {"routers": 0, "create-network-policy": False},
        {"routers": "2", "run-as-user": 2000, "run-as-group": "3000"},
        {"router-cpu": "1", "router-cpu-limit": "3"},
        {"router-memory": "1Gi", "router-memory-limit": "2Gi", "console": True},
    ],
)
def test_with_keys_of_the_site_it_is_what_the_renderer_makes(
    chart: helm_python.Chart, site: dict[str, Any]
) -> None:
    assert helm(chart, site=site) == wanted(**site)


@pytest.mark.parametrize(
    "site",
    [
        {},
        {"ingress-host": "x.org"},
        {"ingress": "none"},
        {"console": True, "console-authentication": "openshift"},
        {"console": "true", "console-authentication": "openshift", "console-ingress": "none"},
        {"console": False, "console-authentication": "openshift"},
    ],
)
def test_on_openshift_it_is_what_the_renderer_makes_there(
    chart: helm_python.Chart, site: dict[str, Any]
) -> None:
    assert helm(chart, site=site, openshift=True) == wanted(openshift=True, **site)


def test_the_right_to_headless_names_is_asked_for_apart(chart: helm_python.Chart) -> None:
    further = by_kind(headless_objects(NAMESPACE))
    assert helm(chart, headlessNames=True) == wanted() | further


@pytest.mark.parametrize(
    ("everywhere", "openshift"), [(True, False), (True, True), (False, False), (False, True)]
)
def test_the_controller_takes_the_place_of_the_site(
    chart: helm_python.Chart, everywhere: bool, openshift: bool
) -> None:
    made = helm(
        chart, controller={"enabled": True, "everyNamespace": everywhere}, openshift=openshift
    )
    assert made == by_kind(
        controller_objects(
            namespace=NAMESPACE, image=IMAGE, every_namespace=everywhere, openshift=openshift
        )
    )


def test_with_the_controller_all_keys_go_into_a_config_map_that_it_looks_after(
    chart: helm_python.Chart,
) -> None:
    site = {"router-node-selector": "disk=ssd", "drain-grace": "1m"}
    made = helm(chart, site=site, controller={"enabled": True, "makeSite": True})
    config = made["ConfigMap", "skupper-site"]
    assert config["data"] == site
    assert "internal.skupper.io/site-controller-ignore" not in config["metadata"]["labels"]


def test_monitoring_keeps_the_braces_of_prometheus(chart: helm_python.Chart) -> None:
    made = helm(chart, monitoring={"enabled": True})
    rules = made["PrometheusRule", "spillway-router"]["spec"]["groups"][0]["rules"]
    assert rules == [alert.rule() for alert in ALERTS]
    assert made["ConfigMap", "spillway-dashboards"] == dashboards(NAMESPACE)
    assert made["PodMonitor", "spillway-router"]["metadata"]["namespace"] == NAMESPACE


def test_the_way_to_the_demand_is_made_when_asked_for(chart: helm_python.Chart) -> None:
    made = helm(chart, autoscaling={"enabled": True})
    assert made == wanted() | by_kind([demand_service(NAMESPACE)])


def test_another_image_is_run_everywhere(chart: helm_python.Chart) -> None:
    image = {"repository": "mirror.example/spillway", "tag": "2"}
    for controller in (False, True):
        made = helm(chart, image=image, controller={"enabled": controller})
        text = str(made)
        assert "mirror.example/spillway:2" in text
        assert IMAGE not in text


def test_an_image_may_be_named_by_digest_and_pulled_otherwise(chart: helm_python.Chart) -> None:
    image = {"repository": "mirror.example/s", "digest": DIGEST, "pullPolicy": "Never"}
    for controller in (False, True):
        text = str(helm(chart, image=image, controller={"enabled": controller}))
        assert f"'mirror.example/s@{DIGEST}'" in text
        assert "'imagePullPolicy': 'Never'" in text
        assert "IfNotPresent" not in text


@pytest.mark.parametrize("key", NEEDS_CONTROLLER)
def test_keys_that_the_chart_cannot_render_are_refused_with_a_hint(
    chart: helm_python.Chart, key: str
) -> None:
    with pytest.raises(helm_python.HelmError) as told:
        helm(chart, site={key: "x=y"})
    assert f"site.{key}" in str(told.value)
    assert "controller.enabled" in str(told.value)


@pytest.mark.parametrize(
    "values",
    [
        {"sites": {}},
        {"site": {"ingress": "nginx"}},
        {"site": {"name": "Not A Name"}},
        {"site": {"routers": -1}},
        {"site": {"run-as-user": 0}},
        {"site": {"router-memory-limit": "64Mi"}},
        {"site": {"router-memory": "64Mi", "router-memory-limit": "95Mi"}},
        {"controller": {"enable": True}},
    ],
)
def test_values_that_mean_nothing_are_refused(
    chart: helm_python.Chart, values: dict[str, Any]
) -> None:
    with pytest.raises(helm_python.HelmError):
        helm(chart, **values)
