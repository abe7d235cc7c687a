"""Laws of exports and imports: any order, any object, and a plan that comes to rest."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from router.kubernetes.multicluster import exported, imports, merging, reports
from router.kubernetes.multicluster.imports import ImportState
from router.kubernetes.multicluster.names import EXPORT, IMPORT, is_ours, network_name
from router.kubernetes.objects.changes import Create
from router.model.ids import ServiceKey, SiteId
from router.model.messages.exports import (
    CLUSTER_SET_IP,
    HEADLESS,
    ExportedPort,
    ExportTerms,
    SiteExport,
)
from tests.unit.kubernetes.kept import seen
from tests.unit.kubernetes.multicluster.objects import NOW, after

NAMES = st.sampled_from(["shop", "bank", "shop-clusterset", "kubernetes"])
PORTS = st.builds(
    ExportedPort,
    name=st.sampled_from(["", "http", "admin"]),
    protocol=st.sampled_from(["TCP", "UDP", "SCTP"]),
    port=st.integers(80, 83),
    app_protocol=st.sampled_from(["", "http"]),
)
TEXTS = st.dictionaries(st.sampled_from(["team", "spillway.dev/clusterset"]), st.just("a"))
TERMS = st.builds(
    ExportTerms,
    namespace=st.just("prod"),
    service=NAMES,
    kind=st.sampled_from([CLUSTER_SET_IP, HEADLESS]),
    ports=st.lists(PORTS, max_size=3).map(tuple),
    affinity=st.sampled_from(["None", "ClientIP"]),
    affinity_timeout_s=st.sampled_from([0, 10]),
    families=st.sampled_from([("IPv4",), ("IPv6", "IPv4")]),
    labels=TEXTS,
    annotations=TEXTS,
)
SITES = st.sampled_from(["east", "west", "hub"])
EXPORTS = st.lists(
    st.builds(
        SiteExport,
        site=SITES.map(SiteId),
        terms=TERMS,
        made_at_s=st.sampled_from([1.0, 2.0]),
        site_name=SITES,
        is_owner=st.booleans(),
    ),
    min_size=1,
    max_size=4,
    unique_by=lambda one: one.site,
)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda each: st.lists(each, max_size=3) | st.dictionaries(st.text(max_size=5), each),
    max_leaves=8,
)


def _name(found: Any) -> str:
    return str(found["metadata"]["name"])


SERVICES: st.SearchStrategy[Any] = st.fixed_dictionaries(
    {
        "kind": st.just("Service"),
        "metadata": st.fixed_dictionaries({"name": NAMES}),
        "spec": st.dictionaries(
            st.sampled_from(
                ["ports", "type", "clusterIP", "sessionAffinity", "sessionAffinityConfig"]
            ),
            JSON | st.just([{"port": 80}]),
        ),
    }
)


@given(exports=EXPORTS, data=st.data())
def test_the_order_of_exports_does_not_matter(
    exports: list[SiteExport], data: st.DataObject
) -> None:
    assert merging.merge(data.draw(st.permutations(exports))) == merging.merge(exports)


@given(exports=EXPORTS)
def test_exports_conflict_exactly_when_they_differ(exports: list[SiteExport]) -> None:
    merged = merging.merge(exports)

    first = merged.first.terms
    same = all(
        one.terms.ports
        and set(one.terms.ports) == set(first.ports)
        and one.terms.kind == first.kind
        for one in exports
    )
    assert not ("PortConflict" in merged.reasons and same)
    if merged.reasons:
        assert merged.first.site_name in merged.conflict
    for one in exports:
        if one.terms.kind != first.kind:
            assert "TypeConflict" in merged.reasons
        if one.terms.labels != first.labels:
            assert "LabelsConflict" in merged.reasons


@given(exports=EXPORTS)
def test_ports_are_a_union_in_which_nothing_is_twice(exports: list[SiteExport]) -> None:
    ports = merging.merge(exports).terms.ports

    assert len({port.name for port in ports}) == len(ports)
    assert len({(port.protocol, port.port) for port in ports}) == len(ports)
    known = {(port.protocol, port.port) for port in ports} | {port.name for port in ports}
    for one in exports:
        for port in one.terms.ports:
            assert port.name in known or (port.protocol, port.port) in known


@given(
    exports=EXPORTS,
    foreign=st.lists(SERVICES, max_size=2, unique_by=_name),
    is_import_foreign=st.booleans(),
    may_write=st.booleans(),
)
def test_a_plan_comes_to_rest_and_touches_nothing_of_others(
    exports: list[SiteExport],
    foreign: list[dict[str, Any]],
    is_import_foreign: bool,
    may_write: bool,
) -> None:
    by_name: dict[str, list[SiteExport]] = {}
    for one in exports:
        by_name.setdefault(network_name("prod", one.terms.service), []).append(one)
    objects: dict[str, dict[str, Any]] = {
        "Service": {each["metadata"]["name"]: each for each in foreign},
        IMPORT: {"shop": {"kind": IMPORT, "metadata": {"name": "shop"}}}
        if is_import_foreign
        else {},
    }
    before = found = seen("prod", objects)
    inner = {ServiceKey(name, 80): 1024 + index for index, name in enumerate(sorted(by_name))}
    told = {name: tuple(each) for name, each in by_name.items()}

    def planned(exports: dict[str, tuple[SiteExport, ...]]) -> imports.ImportPlan:
        state = ImportState(
            snapshot=found, namespace="prod", inner=inner, may_write=may_write, now=NOW
        )
        return imports.plan(exports, state)

    for exported_now in (told, {}):
        for _ in range(6):
            plan = planned(exported_now)
            for change in plan.changes:
                there = found.get(change.kind, change.name)
                assert isinstance(change, Create) if there is None else is_ours(there)
            found = after(found, plan.changes)
            if not plan.changes:
                break
        assert not plan.changes
        for kind, each in before.objects.items():
            for name, theirs in each.items():
                assert found.get(kind, name) == theirs
    assert {kind: dict(each) for kind, each in found.objects.items() if each} == {
        kind: each for kind, each in objects.items() if each
    }


@given(export=JSON, service=JSON | SERVICES, status=JSON)
def test_whatever_is_in_the_objects_nothing_raises(export: Any, service: Any, status: Any) -> None:
    found: dict[str, Any] = {"kind": EXPORT, "metadata": {"name": "shop"}}
    found |= {"spec": export, "status": status}
    services = {"shop": service} if isinstance(service, dict) else {}
    reads = exported.read_all(seen("prod", {EXPORT: {"shop": found}, "Service": services}), "prod")

    reports.statuses(reads, {}, (), NOW)
