"""Laws of `translate`: no object breaks it, and it looks at nothing but the objects."""

import copy
import itertools
import json
from collections.abc import Iterator
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from router.documents import resolve
from router.documents.readers import is_name
from router.kubernetes.services import adoption
from router.kubernetes.translation import skupper_services
from router.kubernetes.translation.annotation_keys import ALL_KINDS
from router.kubernetes.translation.annotation_keys import BY_KEY as ANNOTATIONS
from router.kubernetes.translation.memo import Memo
from router.kubernetes.translation.site_keys import BY_KEY as SITE_KEYS
from router.kubernetes.translation.translate import translate
from tests.examples import examples
from tests.unit.kubernetes.kept import seen
from tests.unit.kubernetes.namespace_objects import (
    config_map,
    documents,
    made,
    picture,
    service,
    site,
    snapshot,
    workload,
)

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 70_000) | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)
VALUES = st.sampled_from(
    [
        *("tcp", "http", "http2", "80", "80:8080,443:https", "true", "Never", "a=b,c=d", "shop"),
        *("10", "fill", "other.ns", "2024-01-01T00:00:00Z", "skupper-router", "router", "none"),
        *('{"selector": {"app": "x"}, "ports": [{"port": 80}]}', "queue: 3", "3m", "500m"),
        *("connection-token", "token-claim", "connection-token-request", "edge", ""),
    ]
)
NAMES = st.sampled_from(["shop", "web", "db", "skupper-router", "skupper-services", "skupper-site"])
LABELS = st.sampled_from(
    ["spillway.dev/service", "skupper.io/type", "spillway.dev/documents", "app", "x y"]
)
NOTES = st.sampled_from(
    [
        *ANNOTATIONS,
        *("skupper.io/adress", "spillway.dev/original", "skupper.io/cost"),
        *("internal.skupper.io/controlled", "internal.skupper.io/originalSelector"),
        *("internal.skupper.io/disabled", "skupper.io/generated-by", "skupper.io/exclude-labels"),
    ]
)
PORTS = st.lists(
    ANYTHING
    | st.fixed_dictionaries(
        {},
        optional={
            "port": st.integers(-1, 70_000) | ANYTHING,
            "containerPort": st.integers(-1, 70_000) | ANYTHING,
            "targetPort": VALUES | st.integers(0, 70_000) | ANYTHING,
            "protocol": st.sampled_from(["TCP", "UDP"]) | ANYTHING,
            "name": VALUES | ANYTHING,
        },
    ),
    max_size=3,
)
TEMPLATE = st.fixed_dictionaries(
    {
        "spec": st.fixed_dictionaries(
            {"containers": st.lists(st.fixed_dictionaries({"ports": PORTS}))}
        )
    }
)
SPEC = st.fixed_dictionaries(
    {},
    optional={
        "ports": PORTS | ANYTHING,
        "selector": st.dictionaries(LABELS, VALUES | ANYTHING, max_size=2) | ANYTHING,
        "template": TEMPLATE | ANYTHING,
        "serviceName": NAMES | ANYTHING,
        "type": st.sampled_from(["ExternalName", "ClusterIP"]) | ANYTHING,
        "externalName": VALUES | ANYTHING,
    },
)
EXPOSING = st.fixed_dictionaries(
    {"skupper.io/proxy": st.sampled_from(["tcp", "http"])},
    optional={key: VALUES for key in ANNOTATIONS if key != "skupper.io/proxy"},
)
METADATA = st.fixed_dictionaries(
    {"annotations": EXPOSING | st.dictionaries(NOTES, VALUES | ANYTHING, max_size=5) | ANYTHING},
    optional={
        "name": NAMES | ANYTHING,
        "labels": st.dictionaries(LABELS, VALUES | ANYTHING, max_size=3) | ANYTHING,
        "creationTimestamp": VALUES | ANYTHING,
        "deletionTimestamp": st.none() | ANYTHING,
        "uid": VALUES | ANYTHING,
    },
)
DOCUMENTS = st.sampled_from(
    [
        "apiVersion: spillway/v1\nkind: Service\nname: shop\nspec: {ports: [80]}\n",
        "apiVersion: spillway/v1\nkind: Connector\nname: c\nspec: {service: web}\n",
        "apiVersion: spillway/v1\nkind: Site\nname: s\n",
        "a: [",
    ]
)
DATA = st.dictionaries(
    st.sampled_from([*SITE_KEYS, "a.yaml", "b.yml", "shop", "rooters"]),
    VALUES | DOCUMENTS | ANYTHING,
    max_size=6,
)
OBJECTS = st.fixed_dictionaries(
    {"metadata": METADATA | ANYTHING},
    optional={"spec": SPEC | ANYTHING, "data": DATA | ANYTHING, "kind": ANYTHING},
)
WRONG_VALUES: list[Any] = [3, "x", None, [3], {"a": 3}]
WRONG = st.sampled_from(WRONG_VALUES)
KINDS = st.sampled_from([*ALL_KINDS, "ConfigMap", "Secret"])
NAMESPACE = {
    found_kind: dict(found_all)
    for found_kind, found_all in snapshot(
        [
            site(name="west", routers="2", ingress="nodeport", service_sync_site_ttl="3m0s"),
            documents(
                "own", "apiVersion: spillway/v1\nkind: Service\nname: shop\nspec: {ports: [80]}"
            ),
            workload(
                "api", 80, 443, proxy="tcp", service_labels="a=b", own_service_spec="queue: 3"
            ),
            workload(
                "shop", 80, proxy="tcp", own_capacity="3", own_connector_spec="notReady: true"
            ),
            workload(
                *("db", 5432),
                kind="StatefulSet",
                spec={"serviceName": "pods"},
                proxy="tcp",
                headless="true",
            ),
            service("pods", {"port": 5432, "targetPort": "pg", "name": "pg"}),
            service("web", {"port": 80, "name": "a"}, 81, proxy="http", target="pods.other"),
            service("far", 80, spec={"type": "ExternalName", "externalName": "x.y"}, proxy="tcp"),
            service("to", {"port": 1, "name": "pg"}, proxy="tcp", target="pods", ingress="Never"),
            dict(adoption.adopt(service("in", 80, proxy="tcp"), {80: 1024}, "in", is_asked=True)),
            made(
                "Secret",
                "east",
                {"skupper.io/cost": "3"},
                labels={"skupper.io/type": "token-claim"},
            ),
            made("Secret", "west", labels={"skupper.io/type": "connection-token"}),
            documents(
                "more", "apiVersion: spillway/v1\nkind: Connector\nname: c\nspec: {service: shop}"
            ),
            made("Deployment", "skupper-router"),
            config_map("skupper-services", {"old": "{}"}),
        ]
    ).objects.items()
}


def _places(within: Any, *path: Any) -> Iterator[tuple[Any, ...]]:
    """The path to everything in an object of `NAMESPACE`."""
    if len(path) > 2:
        yield path
    if isinstance(within, dict | list):
        for key in within if isinstance(within, dict) else range(len(within)):
            yield from _places(within[key], *path, key)


PLACES = list(_places(NAMESPACE))


@st.composite
def spoilt_namespaces(draw: st.DrawFn) -> Any:
    """A namespace where all is right, but for anything at a few places."""
    objects: Any = copy.deepcopy(NAMESPACE)
    for *way, last in draw(st.lists(st.sampled_from(PLACES), max_size=12)):
        place: Any = objects
        for key in way:  # Something on it may be spoilt already.
            place = place[key] if isinstance(place, dict | list) and _has(place, key) else None
        if isinstance(place, dict | list) and _has(place, last):
            place[last] = draw(WRONG | VALUES | ANYTHING)
    return objects


def _has(place: Any, key: Any) -> bool:
    return key in place if isinstance(place, dict) else isinstance(key, int) and key < len(place)


SNAPSHOTS = spoilt_namespaces() | st.dictionaries(
    KINDS, st.dictionaries(NAMES, OBJECTS, max_size=4), max_size=5
)


def test_nothing_wrong_at_any_one_place_breaks_the_translation() -> None:
    for (*way, last), wrong in itertools.product(PLACES, WRONG_VALUES):
        place: Any = NAMESPACE
        for key in way:
            place = place[key]
        right, place[last] = place[last], wrong
        try:
            assert translate(seen("shop", NAMESPACE), "own").documents
        finally:
            place[last] = right


@settings(max_examples=examples(80))
@given(objects=SNAPSHOTS)
def test_no_object_whatever_breaks_the_translation(objects: Any) -> None:
    found = translate(seen("shop", objects), "own")
    resolve(found.documents)
    for document in found.documents:
        assert is_name(document.name)
        assert document.source
    for error in found.errors:
        assert error.source and error.reason
        assert error.code[:4] in ("SW04", "SW01")
        assert str(error).isprintable() or "\n" not in error.reason
    for address, wish in found.wishes.items():
        assert address == wish.address


def test_the_namespace_that_is_spoilt_is_right_before() -> None:
    found = picture(*(found for kind in NAMESPACE.values() for found in kind.values()))
    assert found.errors == ()
    assert len(found.documents) == 18


@settings(max_examples=examples(50))
@given(objects=SNAPSHOTS, data=st.data())
def test_neither_order_nor_history_counts(objects: Any, data: st.DataObject) -> None:
    kinds = data.draw(st.permutations(list(objects)))
    shuffled = {
        kind: {
            name: objects[kind][name] for name in data.draw(st.permutations(list(objects[kind])))
        }
        for kind in kinds
    }
    first = translate(seen("shop", objects), "own")
    again = translate(seen("shop", shuffled), "own")
    assert _plain(first) == _plain(again)
    assert list(first.wishes) == list(again.wishes)


@settings(max_examples=examples(50))
@given(objects=SNAPSHOTS)
def test_the_objects_stay_as_they_are(objects: Any) -> None:
    before = json.dumps(objects, sort_keys=True)
    translate(seen("shop", objects), "own")
    assert json.dumps(objects, sort_keys=True) == before


@settings(max_examples=examples(50))
@given(first=SNAPSHOTS, second=SNAPSHOTS, data=st.data())
def test_what_is_remembered_changes_nothing(first: Any, second: Any, data: st.DataObject) -> None:
    memo = Memo()
    for _ in range(4):
        mixed: Any = {}
        for kind, name in sorted({(k, n) for s in (first, second) for k in s for n in s[k]}):
            choices = [None, *(s[kind][name] for s in (first, second) if name in s.get(kind, ()))]
            chosen = data.draw(st.sampled_from(range(len(choices))))
            if chosen:
                mixed.setdefault(kind, {})[name] = choices[chosen]
        fresh = translate(seen("shop", mixed), "own")
        assert _plain(translate(seen("shop", mixed), "own", memo=memo)) == _plain(fresh)


def _plain(found: Any) -> Any:
    return (
        found.documents,
        found.options,
        found.wishes,
        found.tokens,
        found.requests,
        [(str(e), e.code, e.severity) for e in found.errors],
    )


DEFINITION = st.fixed_dictionaries(
    {},
    optional={
        "protocol": VALUES | ANYTHING,
        "ports": st.lists(st.integers(0, 65_536)) | ANYTHING,
        "targets": st.lists(
            st.fixed_dictionaries(
                {},
                optional={
                    "name": VALUES | ANYTHING,
                    "selector": VALUES | ANYTHING,
                    "service": VALUES | ANYTHING,
                    "targetPorts": st.dictionaries(VALUES, ANYTHING) | ANYTHING,
                },
            )
            | ANYTHING,
            max_size=3,
        )
        | ANYTHING,
        "headless": ANYTHING,
        "labels": st.dictionaries(VALUES, VALUES) | ANYTHING,
        "origin": VALUES | ANYTHING,
        "tlsCredentials": VALUES | ANYTHING,
    },
)


@settings(max_examples=examples(80))
@given(data=st.dictionaries(NAMES, DEFINITION.map(json.dumps) | VALUES | ANYTHING) | ANYTHING)
def test_no_definition_of_skupper_breaks_its_reader(data: Any) -> None:
    found, errors = skupper_services.read({"data": data}, "shop")
    for address, definition in found.items():
        assert definition.address == address
        assert all(is_name(document.name) for document in definition.documents)
        resolve(definition.documents)
    assert all(error.source == "ConfigMap/skupper-services" for error in errors)
