"""Laws of finding targets: step-by-step changes end with the same targets as a fresh search."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from router.kubernetes.targets.targets import Expander
from router.model.specs import ConnectorSpec, Document, ServiceSpec
from tests.unit.kubernetes.kept import seen
from tests.unit.kubernetes.objects_made import endpoint, endpoints, pod, service, workload

Made = dict[str, Any]
NAMES = st.sampled_from(["a", "b", "c"])
IPS = st.sampled_from(["10.0.0.1", "10.0.0.2", "fd00::1", "fd00::2"])
LABELS = st.fixed_dictionaries(
    {"app": st.sampled_from(["shop", "cart"])},
    optional={"spillway.dev/component": st.just("router"), "tier": st.just("web")},
)
PODS = st.builds(
    lambda name, ips, labels, ready, phase, ports, deleted, notes: pod(
        name,
        *ips,
        labels=labels,
        ready=ready,
        phase=phase,
        ports=ports,
        deleted=deleted,
        **notes,
    ),
    NAMES,
    st.lists(IPS, max_size=2, unique=True),
    LABELS,
    st.booleans(),
    st.sampled_from(["Pending", "Running", "Succeeded", "Failed", "Unknown"]),
    st.dictionaries(st.sampled_from(["web", "admin", ""]), st.integers(1, 65_535), max_size=3),
    st.booleans(),
    st.dictionaries(st.just("capacity"), st.sampled_from(["3", "0", "lots", ""]), max_size=1),
)
WORKLOADS = st.builds(
    workload,
    st.sampled_from(["Deployment", "StatefulSet", "DaemonSet"]),
    st.sampled_from(["shop", "cart"]),
    st.integers(0, 2),
)
PORTS = st.lists(
    st.fixed_dictionaries(
        {"port": st.integers(80, 82)},
        optional={
            "name": st.sampled_from(["http", "admin"]),
            "targetPort": st.sampled_from(["web", 8080]),
            "protocol": st.sampled_from(["TCP", "UDP"]),
        },
    ),
    max_size=2,
)
SERVICES = st.builds(
    lambda name, ports, spec: service(name, *ports, **spec),
    st.sampled_from(["shop", "cart"]),
    PORTS,
    st.fixed_dictionaries(
        {},
        optional={
            "selector": st.sampled_from(
                [{"app": "shop"}, {"spillway.dev/component": "router"}, {}]
            ),
            "type": st.just("ExternalName"),
            "externalName": st.just("db.example.com"),
            "ipFamilies": st.sampled_from([["IPv4"], ["IPv6", "IPv4"]]),
            "publishNotReadyAddresses": st.booleans(),
        },
    ),
)
ENDPOINTS = st.builds(
    lambda ip, name, conditions: endpoint(ip, name, **conditions),
    IPS,
    st.sampled_from(["", "a", "b", "gone"]),
    st.dictionaries(st.sampled_from(["ready", "serving", "terminating"]), st.booleans()),
)
SLICES = st.builds(
    lambda name, of, found, ports, family, manager: endpoints(
        name, of, *found, ports=ports, family=family, managed_by=manager
    ),
    NAMES,
    st.sampled_from(["shop", "cart"]),
    st.lists(ENDPOINTS, max_size=3),
    st.dictionaries(
        st.sampled_from(["http", "admin", ""]), st.none() | st.integers(1, 65_535), max_size=2
    ),
    st.sampled_from(["IPv4", "IPv6", "FQDN"]),
    st.sampled_from(["endpointslice-controller.k8s.io", "spillway", "me"]),
)
OBJECTS = st.one_of(PODS, WORKLOADS, SERVICES, SLICES)
CONNECTORS = st.builds(
    lambda name, workload, ports, not_ready: Document(
        "Connector",
        name,
        ConnectorSpec(
            service="shop", workload=workload, target_ports=tuple(ports), not_ready=not_ready
        ),
        f"ConfigMap/{name}",
    ),
    NAMES,
    st.sampled_from(
        [
            "deployment/shop",
            "statefulset/cart",
            "daemonset/none",
            "pods/app=shop",
            "pods/app=shop,!tier",
            "pods/=",
            "service/shop",
            "service/cart.web",
            "service/db.data",
            "service/none",
        ]
    ),
    st.lists(st.sampled_from([80, 8080, "web", "http"]), max_size=2),
    st.booleans(),
)
SHOP = Document("Service", "shop", ServiceSpec(ports=(80,)), "ConfigMap/shop")
BASE: dict[str, dict[str, Made]] = {
    "Service": {
        name: service(name, {"name": "http", "port": 80}, selector={"app": name})
        for name in ("shop", "cart")
    },
    "Deployment": {"shop": workload("Deployment", "shop")},
}
"""Something to begin with, so that most steps matter."""
WIDE = [
    Document("Connector", str(n), ConnectorSpec(service="shop", workload=w), f"ConfigMap/{n}")
    for n, w in enumerate(("service/shop", "service/cart", "deployment/shop", "pods/app=shop"))
]
Step = tuple[str, Any]
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), OBJECTS),
        st.tuples(st.just("put"), SLICES),
        st.tuples(st.just("remove"), st.tuples(st.sampled_from(["Pod", "Service"]), NAMES)),
        st.tuples(st.just("connect"), st.lists(CONNECTORS, max_size=3, unique_by=lambda d: d.name)),
        st.tuples(st.just("missing"), st.frozensets(st.sampled_from(["Pod", "EndpointSlice"]))),
    ),
    max_size=12,
)


@given(steps=STEPS)
def test_step_by_step_gives_what_is_found_from_nothing(steps: list[Step]) -> None:
    expander = Expander()
    objects = BASE
    documents = [SHOP, *WIDE]
    missing: frozenset[str] = frozenset()
    for what, value in steps:
        if what == "put":
            known = dict(objects.get(value["kind"], {}))
            known[value["metadata"]["name"]] = value
            objects = {**objects, value["kind"]: known}
        elif what == "remove":
            kind, name = value
            objects = {
                **objects,
                kind: {n: o for n, o in objects.get(kind, {}).items() if n != name},
            }
        elif what == "connect":
            documents = [SHOP, *value]
        else:
            missing = value
        view = seen("web", objects, missing)
        kept, fresh = expander.expand(documents, view), Expander().expand(documents, view)
        assert kept.documents == fresh.documents
        # Hints may name other objects as they were.
        assert [e.message for e in kept.errors] == [e.message for e in fresh.errors]


@given(found=st.lists(st.one_of(PODS, SLICES), max_size=8), connectors=st.lists(CONNECTORS))
def test_no_router_and_no_place_twice_is_a_target_and_an_ending_pod_only_as_last_resort(
    found: list[Made], connectors: list[Document]
) -> None:
    by_kind: dict[str, dict[str, Made]] = {kind: dict(known) for kind, known in BASE.items()}
    for each in found:
        by_kind.setdefault(each["kind"], {})[each["metadata"]["name"]] = each
    pods = by_kind.get("Pod", {})
    expanded = Expander().expand([SHOP, *WIDE, *connectors], seen("web", by_kind))
    for document in expanded.documents:
        if not isinstance(document.spec, ConnectorSpec):
            continue
        targets = document.spec.targets
        places = [(target.host, target.port, target.ports) for target in targets]
        assert len(places) == len(set(places))
        for target in targets:
            behind = pods.get(target.name)
            if behind is not None:
                assert target.last_resort or "deletionTimestamp" not in behind["metadata"]
                assert "spillway.dev/component" not in behind["metadata"]["labels"]
