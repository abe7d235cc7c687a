"""YAML in, documents or the place of each error out."""

import time

import pytest

from router.documents import file_name, plain, read, write
from router.documents.fields import yaml_key
from router.documents.schema import SHAPES
from router.model import limits
from router.model.errors import ConfigError
from router.model.specs import (
    ConnectorSpec,
    Document,
    LinkSpec,
    ListenerSpec,
    PolicySpec,
    ServiceSpec,
    SiteSpec,
    TargetSpec,
)

SERVICE = """\
apiVersion: spillway/v1
kind: Service
name: shop
spec:
"""
POLICY = "apiVersion: spillway/v1\nkind: Policy\nname: shop-cap\nspec:\n  service: shop\n"
CONNECTOR = """\
apiVersion: spillway/v1
kind: Connector
name: shop-here
spec:
"""
SITE = """\
apiVersion: spillway/v1
kind: Site
name: here
spec:
"""


def errors_of(text: str) -> list[ConfigError]:
    return read(text, "f.yaml")[1]


def test_the_example_of_the_contract_is_read() -> None:
    text = """\
apiVersion: spillway/v1
kind: Service
name: shop
spec:
  protocol: http
  ports: [8080]
  policy: {name: fill}
---
apiVersion: spillway/v1
kind: Connector
name: shop-here
spec:
  service: shop
  targets: [{host: 127.0.0.1, port: 9001}, {host: 127.0.0.1, port: 9002}]
  capacity: 10            # in flight per target
"""
    documents, errors = read(text, "shop.yaml")
    assert errors == []
    assert documents == [
        Document("Service", "shop", ServiceSpec(protocol="http", ports=(8080,)), "shop.yaml", 1),
        Document(
            "Connector",
            "shop-here",
            ConnectorSpec(
                service="shop",
                targets=(TargetSpec("127.0.0.1", 9001), TargetSpec("127.0.0.1", 9002)),
                capacity=10,
            ),
            "shop.yaml",
            9,
        ),
    ]


@pytest.mark.parametrize(
    ("text", "line", "column", "words"),
    [
        (SERVICE + "  protocl: http\n  ports: [1]\n", 5, 3, "Did you mean 'protocol'?"),
        (SERVICE + "  ports: [80, 70000]\n", 5, 15, "expected a port from 1 to 65535"),
        (SERVICE + "  ports: [80, abc]\n", 5, 15, "expected a port, got 'abc'"),
        (SERVICE + '  ports: ["80"]\n', 5, 11, "Take the quotes off"),
        (SERVICE + "  ports: 80\n", 5, 10, "expected a list of ports, got '80' (at $.spec.ports)"),
        (SERVICE + "  ports: []\n", 5, 10, "at least one port"),
        (SERVICE + "  ports: [80, 80]\n", 5, 10, "the same port stands twice"),
        (SERVICE + "  protocol: htp\n  ports: [1]\n", 5, 13, "Did you mean 'http'?"),
        (SERVICE + "  ports: [1]\n  policy: fill\n", 6, 11, "Write {name: fill}"),
        (SERVICE + "  ports: [1]\n  policy: {name: sprd}\n", 6, 18, "Did you mean 'spread'?"),
        (SERVICE + "  ports: [1]\n  policy: {name: split}\n", 6, 18, "needs weights by site"),
        (
            SERVICE + "  ports: [1]\n  policy: {name: split, weights: {a: 0, b: 0}}\n",
            *(6, 34, "all weights are 0"),
        ),
        (
            SERVICE + "  ports: [1]\n  policy: {name: split, weights: {a: 1, b: 1.5}}\n",
            *(6, 44, "weight of site b: expected a whole number"),
        ),
        (
            SERVICE + "  ports: [1]\n  policy: {name: split, weights: {a: 60%, b: 60%}}\n",
            *(6, 34, "the percentages sum to 120%, not to 100%"),
        ),
        (
            SERVICE + "  ports: [1]\n  policy: {name: split, weights: {a: [1]}}\n",
            *(6, 38, "expected a weight, got a list"),
        ),
        (
            SERVICE + "  ports: [1]\n  policy: {name: split, weights: 3}\n",
            *(6, 34, "expected weights by site, got '3'"),
        ),
        (SERVICE + "  ports: [1]\n  policy: {nam: fill}\n", 6, 12, "Did you mean 'name'?"),
        (
            SERVICE + "  ports: [1]\n  policy: {weights: {a: 1}}\n",
            6,
            21,
            "belong to policy 'split'",
        ),
        (SERVICE + "  ports: [1]\n  queue: -1\n", 6, 10, "from 0 to 100000"),
        (SERVICE + "  ports: [1]\n  affinity: {by: cookie}\n", 6, 13, "needs protocol http"),
        (SERVICE + "  ports: [1]\n  affinity: {by: header, name: X}\n", 6, 13, "{by: client}"),
        (SERVICE + "  ports: [1]\n  queueWait: 1 s\n", 6, 14, "a duration like 1s or 15m"),
        (SERVICE + "  ports: [1]\n  queueWait: 2h\n", 6, 14, "from 0s to 1h"),
        (SERVICE + "  ports: [1]\n  ports: [2]\n", 6, 3, "duplicate key 'ports'"),
        (SERVICE + "  {}\n", 5, 3, "field 'ports' is missing"),
        (SERVICE + "  - 1\n", 5, 3, "expected a mapping, got a list"),
        (SERVICE + "  ports: [1]\n  requestId: Host\n", 6, 14, "cannot carry a request's id"),
        (SERVICE + "  ports: [1]\n  halfClose: later\n", 6, 14, "cancel"),
        (SERVICE + "  ports: [1]\n  halfClose: serve\n", 6, 14, "needs protocol http"),
        (SITE + "  serviceSync: yes\n", 5, 16, "expected true or false, got 'yes' (at"),
        (SITE + "  serviceSync: True\n", 5, 16, "Write true"),
        (SITE + '  serviceSync: "true"\n', 5, 16, "expected true or false"),
        (SITE + "  bindIp: no\n", 5, 11, "Quote it"),
        (SITE + "  bindIp: 10.0.0.1:80\n", 5, 11, "Host and port are two fields"),
        (SITE + "  bindIp: [1]\n", 5, 11, "got a list"),
        (SITE + "  bindIp: localhost\n", 5, 11, "expected an IP address, got 'localhost'"),
        (SITE + "  ingressBindIp: '[::1]'\n", 5, 18, "expected an IP address"),
        (SITE + "  ingressHosts: [a:b]\n", 5, 18, "expected HOST[:PORT]"),
        (SITE + "  admin: localhost:99999\n", 5, 10, "expected HOST:PORT"),
        (SITE + "  admin: localhost\n", 5, 10, "expected HOST:PORT, got 'localhost'"),
        (SITE + "  routerMode: edge\n", 5, 15, "an edge router accepts no links"),
        (CONNECTOR + "  service: shop\n  capacity: -1/s\n", 6, 13, "expected a rate from 0.001/s"),
        (CONNECTOR + "  service: shop\n  capacity: 0/s\n", 6, 13, "expected a rate from 0.001/s"),
        (CONNECTOR + "  service: shop\n  capacity: 1e99/s\n", 6, 13, "1000000/s, got"),
        (CONNECTOR + "  service: shop\n  capacity: 5/s,6/s\n", 6, 13, "twice"),
        (CONNECTOR + "  service: shop\n  capacity: 15/m\n", 6, 13, "like 10, 15/s or auto"),
        (CONNECTOR + "  service: shop\n  capacity: 15/s\n  resume: 16/s\n", 7, 11, "above"),
        (CONNECTOR + "  service: shop\n  capacity: 10/s\n  resume: 16/s\n", 7, 11, "Use 6.67/s"),
        (CONNECTOR + "  service: shop\n  capacity: 15\n  resume: 9/s\n", 7, 11, "belongs to a"),
        (CONNECTOR + "  service: shop\n  window: 9s\n", 6, 11, "window belongs to a rate"),
        (CONNECTOR + "  service: shop\n  stay: 9s\n", 6, 9, "stay belongs to a rate"),
        (CONNECTOR + "  service: shop\n  capacity: 0.1/s\n  window: 9s\n", 7, 11, "not one"),
        (CONNECTOR + "  service: shop\n  capacity: 9/s\n  window: 2h\n", 7, 11, "from 1s to 1h"),
        (CONNECTOR + "  service: shop\n  capacity: 9/s\n  resume: 9\n", 7, 11, "a rate like 10/s"),
        (POLICY + "  siteCapacity: auto\n", 6, 17, "is configured, not learned"),
        (POLICY + "  siteCapacity: 0\n", 6, 17, "from 1 to 1000000"),
        (POLICY + "  siteCapacity: 5\n  spill: all\n", 7, 10, "spill: all belongs to a rate"),
        (POLICY + "  siteCapacity: 5/s\n  spill: none\n", 7, 10, "expected excess or all"),
        (POLICY + "  siteCapacity: 5/s\n  resume: 6/s\n", 7, 11, "it would never be over"),
        (CONNECTOR + "  service: shop\n  capacity: 0\n", 6, 13, "from 1 to 1000000"),
        (CONNECTOR + "  service: shop\n  capacity: lots\n", 6, 13, "expected a capacity like 10"),
        (CONNECTOR + "  service: Shop\n", 5, 12, "Did you mean 'shop'?"),
        (CONNECTOR + "  service: s\n  targets: [{host: h}]\n", 6, 13, "field 'port' is missing"),
        (CONNECTOR + "  service: s\n  targets: [{port: 1}]\n", 6, 13, "field 'host' is missing"),
        (
            CONNECTOR + "  service: s\n  targets: [{host: h, port: 1, ports: [2]}]\n",
            6,
            39,
            "expected port or ports, got both",
        ),
        (
            CONNECTOR + "  service: s\n  targets: [{host: h, port: 1}, {host: h, port: 1}]\n",
            6,
            12,
            "stands twice",
        ),
        ("apiVersion: spillway/v1\nkind: Servce\nname: a\n", 2, 7, "Did you mean 'Service'?"),
        ("apiVersion: v1\nkind: Link\nname: a\n", 1, 13, "Write spillway/v1"),
        ("kind: Link\nname: a\n", 1, 1, "Add apiVersion: spillway/v1"),
        ("apiVersion: spillway/v1\nkind: Link\n", 1, 1, "field 'name' is missing"),
        (
            "apiVersion: spillway/v1\nkind: Link\nname: a\nmetadata: {}\n",
            4,
            1,
            "The name is at the top level",
        ),
        ("apiVersion: spillway/v1\nkind: Link\nname: a\nspec: {cost: 0}\n", 4, 14, "from 1 to"),
        ("just words\n", 1, 1, "expected a document"),
        ("- a\n", 1, 1, "got a list"),
        ("a: [\n", 2, 1, "not valid YAML"),
        ("a: b: c\n", 1, 5, "not valid YAML"),
        ("\ta: b\n", 1, 1, "not valid YAML"),
        ("a: \x07\n", 1, 4, "not valid YAML"),
        ("ok: 1\na: &x b\n", 2, 4, "an anchor (&x)"),
        ("a: *x\n", 1, 4, "an alias"),
        ("a: !!python/object:os.system x\n", 1, 4, "a tag"),
        ("? [a]\n: b\n", 1, 3, "a key must be a word"),
        ("[" * 1_000, 1, 17, "nested deeper than 16"),
    ],
)
def test_each_mistake_is_named_with_its_place_and_the_next_step(
    text: str, line: int, column: int, words: str
) -> None:
    errors = errors_of(text)
    places = [(error.line, error.column) for error in errors]
    assert places == [(line, column)], [str(error) for error in errors]
    assert words in str(errors[0])
    assert str(errors[0]).startswith(f"f.yaml:{line}:{column}: ")


def test_every_mistake_of_a_file_is_reported_and_right_documents_are_given() -> None:
    text = (
        SERVICE
        + "  ports: [0, x]\n  queu: 1\n---\n"
        + SITE
        + "  bindPort: no\n---\n"
        + "apiVersion: spillway/v1\nkind: Link\nname: good\n"
    )
    documents, errors = read(text, "f.yaml")
    assert [document.name for document in documents] == ["good"]
    assert [error.line for error in errors] == [5, 5, 6, 12]


def test_a_syntax_error_hides_nothing_before_it_and_adds_nothing_to_it() -> None:
    documents, errors = read("apiVersion: spillway/v1\nkind: Link\nname: a\n---\nb: [\n", "f")
    assert [document.name for document in documents] == ["a"]
    assert len(errors) == 1


def test_a_document_that_stands_twice_in_a_file_is_an_error_at_the_second() -> None:
    link = "apiVersion: spillway/v1\nkind: Link\nname: a\n"
    documents, errors = read(f"{link}---\n{link}", "f.yaml")
    assert len(documents) == 1
    assert [(error.line, error.code) for error in errors] == [(5, "SW0106")]


def test_a_file_too_large_is_not_parsed() -> None:
    errors = errors_of("a: " + "x" * limits.CONFIG_FILE_BYTES_MAX)
    assert len(errors) == 1
    assert "expected at most" in str(errors[0])


def test_errors_of_one_file_are_bounded() -> None:
    text = SERVICE + "  ports: [1]\n" + "".join(f"  x{n}: 1\n" for n in range(500))
    assert len(errors_of(text)) == limits.CONFIG_ERRORS_MAX


def test_nothing_at_all_is_no_document_and_no_error() -> None:
    assert read("", "f") == ([], [])
    assert read("---\n---\n# only words\n", "f") == ([], [])


def test_a_byte_order_mark_is_no_part_of_the_first_key() -> None:
    documents, errors = read("\ufeffapiVersion: spillway/v1\nkind: Link\nname: a\n", "f")
    assert errors == []
    assert documents[0].spec == LinkSpec()


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("1s", 1.0), ("200ms", 0.2), ("2", 2.0), ("0.5", 0.5), ("1m", 60.0), ("1h", 3600.0)],
)
def test_durations_are_read_with_and_without_unit(written: str, seconds: float) -> None:
    documents, errors = read(SERVICE + f"  ports: [1]\n  queueWait: {written}\n", "f")
    assert errors == []
    assert isinstance(documents[0].spec, ServiceSpec)
    assert documents[0].spec.queue_wait_s == seconds


def test_every_field_of_every_spec_can_be_written_down() -> None:
    for shape in SHAPES.values():
        fields = {yaml_key(name) for name in shape.struct.__struct_fields__}
        assert set(shape.fields) == fields


@pytest.mark.parametrize(
    "document",
    [
        Document("Site", "here", SiteSpec()),
        Document(
            "Site",
            "here",
            SiteSpec(
                router_mode="edge",
                ingress="none",
                ingress_hosts=("a.example:1", "[::1]:2"),
                service_sync=False,
                service_sync_site_ttl_s=90.5,
                admin="[::1]:8080",
            ),
        ),
        Document(
            "Service",
            "no",
            ServiceSpec(
                protocol="http2",
                ports=(1, 2),
                policy=PolicySpec(name="balanced"),
                queue=0,
                queue_wait_s=0.25,
            ),
        ),
        Document("Connector", "c", ConnectorSpec(service="yes", capacity=7)),
        Document(
            "Connector",
            "c",
            ConnectorSpec(service="s", targets=(TargetSpec("::1", ports=(1, 2)),)),
        ),
        Document("Listener", "x", ListenerSpec(service="s", listen="8080", port=80)),
        Document("Listener", "x", ListenerSpec(service="s", listen="[::1]:8080")),
        Document("Listener", "x", ListenerSpec(service="s", priority=("r", "s"), tls_cert="t")),
        Document("Listener", "x", ListenerSpec(service="s", weighted={"r": 0, "s": 7})),
        Document("Link", "x", LinkSpec(cost=5, disabled=True)),
    ],
)
def test_what_is_written_is_read_back(document: Document) -> None:
    documents, errors = read(write(document), "")
    assert errors == []
    assert [(d.kind, d.name, d.spec) for d in documents] == [
        (document.kind, document.name, document.spec)
    ]


def test_canonical_yaml_leaves_defaults_out() -> None:
    document = Document("Service", "shop", ServiceSpec(protocol="http", ports=(8080,)))
    assert write(document) == SERVICE + "  protocol: http\n  ports: [8080]\n"
    assert plain(document)["spec"] == {"protocol": "http", "ports": [8080]}


def test_a_document_has_one_file_name() -> None:
    assert file_name("Connector", "shop-here") == "connector-shop-here.yaml"


@pytest.mark.parametrize(
    ("text", "allowed"), [("5", False), ("95MiB", False), ("0", True), ("96MiB", True)]
)
def test_a_memory_limit_that_no_router_fits_into_is_refused(text: str, allowed: bool) -> None:
    documents, errors = read(
        f"apiVersion: spillway/v1\nkind: Site\nname: a\nspec: {{memoryLimit: {text}}}\n", "a.yaml"
    )
    assert bool(documents) == allowed
    assert allowed or "from 96MiB" in str(errors[0])


LISTENER = "apiVersion: spillway/v1\nkind: Listener\nname: shop\nspec:\n  service: shop\n"


@pytest.mark.parametrize("listen", ["auto", "none", "80", "127.0.0.2:auto", '"[::1]:auto"'])
def test_a_listener_may_name_an_address_for_all_ports(listen: str) -> None:
    text = LISTENER + f"  listen: {listen}\n"
    documents, errors = read(text, "config/shop.yaml")
    assert errors == []
    assert [document.kind for document in documents] == ["Listener"]


@pytest.mark.parametrize(
    ("spec", "path", "reason"),
    [
        (
            "priority: [shop, x]\n  weighted: {shop: 1}",
            "$.spec.weighted",
            "by priority or by weight",
        ),
        ("priority: [x, y]", "$.spec.priority", "'shop' is not among them"),
        ("weighted: {x: 1}", "$.spec.weighted", "'shop' is not among them"),
        ("priority: [shop, x, x]", "$.spec.priority", "named twice"),
        ("weighted: {shop: 0, x: 0}", "$.spec.weighted", "no service would get anything"),
        ("weighted: {shop: x}", "$.spec.weighted.shop", "weight of service shop"),
    ],
)
def test_a_shared_listener_names_its_services_once(spec: str, path: str, reason: str) -> None:
    _, (error,) = read(LISTENER + f"  {spec}\n", "config/shop.yaml")
    assert error.path == path and reason in error.reason


@pytest.mark.parametrize("listen", ["localhost:auto", "127.0.0.2:", ":auto", "127.0.0.2:none"])
def test_an_address_for_all_ports_is_numeric(listen: str) -> None:
    text = LISTENER + f"  listen: '{listen}'\n"
    assert "expected [IP:]PORT, [IP:]auto or none" in read(text, "config/shop.yaml")[1][0].reason


@pytest.mark.parametrize(
    "text",
    [
        "\n".join(f"k{number}: 1" for number in range(60_000)),
        SERVICE + "\n".join(f"  k{number}: 1" for number in range(60_000)),
    ],
    ids=["document", "spec"],
)
def test_a_text_of_many_wrong_keys_is_read_in_a_moment(text: str) -> None:
    began = time.process_time()
    _, errors = read(text, "own.yaml")
    assert len(errors) == limits.CONFIG_ERRORS_MAX
    assert time.process_time() - began < 5.0  # Quadratic, it was minutes.


def test_a_key_is_shown_in_short_however_long_it_is() -> None:
    _, errors = read("? " + "a" * 100_000 + "\n: 1\n", "own.yaml")
    assert max(len(str(error)) for error in errors) < 1_000


@pytest.mark.parametrize(
    ("words", "is_wrong"),
    [
        ("{service: s, workload: pods/app=a, namespace: work}", False),
        ("{service: s, workload: service/a, namespace: work}", True),
        ("{service: s, targets: [{host: h, port: 1}], namespace: work}", True),
        ("{service: s, workload: pods/app=a, namespace: Work}", True),
    ],
)
def test_only_pods_of_a_selector_can_be_in_another_namespace(words: str, is_wrong: bool) -> None:
    _, errors = read(f"apiVersion: spillway/v1\nkind: Connector\nname: c\nspec: {words}", "t")
    assert [error.path for error in errors] == ["$.spec.namespace"] * is_wrong
