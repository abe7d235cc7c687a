"""Laws of documents: a written document reads back the same, and no text breaks the reader."""

from typing import TypeVar

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from router.documents import capacities, read, write
from router.model.limits import MEMORY_LIMIT_BYTES_MIN
from router.model.specs import (
    ConnectorSpec,
    Document,
    LinkSpec,
    ListenerSpec,
    PolicySpec,
    ServiceSpec,
    SitePolicySpec,
    SiteSpec,
    TargetSpec,
)
from tests.property.settings import AFFINITIES, HEALTH, LIMITS, TIMEOUTS

T = TypeVar("T", ConnectorSpec, SitePolicySpec)

NAMES = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,10}[a-z0-9])?", fullmatch=True)
PORTS = st.integers(1, 65_535)
HOSTS = st.one_of(
    st.ip_addresses(v=4).map(str), st.ip_addresses(v=6).map(str), st.just("db.example")
)
SECONDS = st.one_of(
    st.integers(0, 3_600).map(float), st.integers(0, 3_600_000).map(lambda ms: ms / 1000)
)


def shows_its_sessions(spec: ServiceSpec) -> bool:
    """A tcp connection shows neither cookie nor header, carries no id, and has no request."""
    by_client = spec.affinity is None or spec.affinity.by == "client"
    is_plain = not spec.request_id and spec.half_close == "cancel"
    return (by_client and is_plain) or spec.protocol != "tcp"


SERVICES = st.builds(
    ServiceSpec,
    protocol=st.sampled_from(("tcp", "http", "http2")),
    ports=st.lists(PORTS, min_size=1, max_size=4, unique=True).map(tuple),
    policy=st.builds(PolicySpec, name=st.sampled_from(("fill", "balanced", "spread", "failover")))
    | st.builds(
        PolicySpec,
        name=st.just("split"),
        weights=st.dictionaries(
            st.sampled_from(("east", "west", "a-1")), st.integers(1, 1_000_000), min_size=1
        ),
    ),
    queue=st.none() | st.integers(0, 100_000),
    queue_wait_s=SECONDS,
    affinity=st.none() | AFFINITIES,
    timeouts=TIMEOUTS,
    limits=LIMITS,
    tls_cert=st.sampled_from(("", "shop-tls")),
    request_id=st.sampled_from(("", "X-Request-Id")),
    half_close=st.sampled_from(("cancel", "serve")),
).filter(shows_its_sessions)
TARGETS = st.builds(TargetSpec, HOSTS, port=PORTS) | st.builds(
    TargetSpec, HOSTS, ports=st.lists(PORTS, min_size=1, max_size=3).map(tuple)
)
CONNECTORS = st.builds(
    ConnectorSpec,
    service=NAMES,
    targets=st.lists(TARGETS, max_size=4, unique_by=lambda t: (t.host, t.ports or (t.port,))).map(
        tuple
    ),
    capacity=st.none() | st.integers(1, 1_000_000) | st.just("auto"),
    health=HEALTH,
    tls_trust=st.sampled_from(("", "db-ca")),
    tls_server_name=st.sampled_from(("", "db.example")),
    proxy_protocol=st.booleans(),
    allow_link_local=st.booleans(),
)
RATED = st.tuples(
    st.none() | st.integers(1, 1_000_000), st.floats(1.0, 1_000_000.0), st.floats(0.01, 1.0)
)


def rated(spec: T, field: str, slots: int | None, per_s: float, share: float) -> T:
    """``spec`` with a rate and a resume below it."""
    text = capacities.spec_value(capacities.Stated(slots, per_s))
    resume = capacities.rate_text(max(0.001, per_s * share))
    return msgspec.structs.replace(spec, resume=resume, **{field: text})


RATES = st.builds(
    lambda spec, terms: rated(spec, "capacity", *terms),
    st.builds(
        ConnectorSpec,
        service=NAMES,
        window_s=st.none() | st.integers(1, 3600).map(float),
        stay_s=st.none() | st.floats(0, 900).map(lambda s: round(s, 3)),
    ),
    RATED,
)
CAPS = st.builds(
    lambda spec, terms: rated(spec, "site_capacity", *terms),
    st.builds(SitePolicySpec, service=NAMES, spill=st.sampled_from(("excess", "all"))),
    RATED,
)
LISTENERS = st.builds(
    ListenerSpec,
    service=NAMES,
    listen=st.sampled_from(("auto", "none", "80", "10.0.0.1:80", "[::1]:80")),
    port=st.none() | PORTS,
    tls_cert=st.sampled_from(("", "here")),
)
LINKS = st.builds(LinkSpec, cost=st.none() | st.integers(1, 65_535), disabled=st.booleans())
SITES = st.builds(
    SiteSpec,
    ingress=st.sampled_from(("host", "none")),
    bind_port=PORTS,
    bind_ip=st.ip_addresses().map(str),
    service_sync=st.booleans(),
    drain_grace_s=SECONDS,
    workers=st.integers(1, 64) | st.just("auto"),
    memory_limit_bytes=st.just(0) | st.integers(MEMORY_LIMIT_BYTES_MIN, 2**40),
    listeners_per_site=st.integers(0, 65_535),
    access_log_share=st.sampled_from((0.0, 0.01, 1.0)),
    tracing=st.booleans(),
)
DOCUMENTS = st.one_of(
    st.builds(Document, st.just("Service"), NAMES, SERVICES),
    st.builds(Document, st.just("Connector"), NAMES, CONNECTORS),
    st.builds(Document, st.just("Connector"), NAMES, RATES),
    st.builds(Document, st.just("Policy"), NAMES, CAPS),
    st.builds(Document, st.just("Listener"), NAMES, LISTENERS),
    st.builds(Document, st.just("Link"), NAMES, LINKS),
    st.builds(Document, st.just("Site"), NAMES, SITES),
)
LINES = st.sampled_from(
    (
        "apiVersion: spillway/v1",
        "kind: Service",
        "kind: Connector",
        "name: shop",
        "spec:",
        "  ports: [80]",
        "  targets: [{host: a, port: 1}]",
        "  service: shop",
        "---",
        "  - &a x",
        "  *a : {",
        "\t",
        "? |",
        "%YAML 1.1",
        "'",
        "!!binary x",
    )
)


@given(document=DOCUMENTS)
def test_what_is_written_is_read_back(document: Document) -> None:
    documents, errors = read(write(document), "")
    assert errors == []
    assert [(d.kind, d.name, d.spec) for d in documents] == [
        (document.kind, document.name, document.spec)
    ]


@given(text=st.text() | st.lists(LINES | st.text(max_size=9)).map("\n".join))
def test_any_text_gives_documents_or_errors_that_have_a_place(text: str) -> None:
    documents, errors = read(text, "any.yaml")
    assert all(error.line >= 1 and error.column >= 1 for error in errors)
    assert all("\n" not in str(error) for error in errors)
    assert all(document.line >= 1 for document in documents)


@given(document=DOCUMENTS, at=st.integers(0, 400), junk=st.text(max_size=3))
def test_an_edited_document_is_never_read_with_an_exception(
    document: Document, at: int, junk: str
) -> None:
    text = write(document)
    read(text[:at] + junk + text[at:], "edited.yaml")
