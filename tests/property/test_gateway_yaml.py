"""Laws of gateway YAML: written and read it is the same, in documents too; nothing breaks it."""

import msgspec
from hypothesis import assume, given
from hypothesis import strategies as st

from router.documents.gateway import (
    Endpoint,
    Gateway,
    QdrListener,
    looks_like_gateway,
    read_gateway,
    write_gateway,
)
from sitectl.gateway.definition import documents_of, gateway_of
from tests.property.test_documents import HOSTS, NAMES, PORTS

WORDS = st.text(st.characters(categories=("L", "N", "P", "S")), max_size=20)


@st.composite
def endpoints(draw: st.DrawFn) -> Endpoint:
    ports = draw(st.lists(PORTS, min_size=1, max_size=3, unique=True).map(tuple))
    at = st.sampled_from(ports) if len(ports) > 1 else PORTS
    size = len(ports)
    targets = st.lists(PORTS, min_size=size, max_size=size, unique=True).map(tuple)
    return Endpoint(
        name=draw(WORDS),
        host=draw(st.just("") | HOSTS),
        address=draw(NAMES),
        address_port=draw(st.none() | at),
        protocol=draw(st.sampled_from(("tcp", "http", "http2"))),
        ports=ports,
        target_ports=draw(st.just(()) | targets),
        loopback=draw(st.booleans()),
        local_port=draw(PORTS) if len(ports) == 1 and draw(st.booleans()) else None,
    )


GATEWAYS = st.builds(
    Gateway,
    name=WORDS.filter(bool),
    bindings=st.lists(endpoints(), max_size=3).map(tuple),
    forwards=st.lists(endpoints(), max_size=3).map(tuple),
    qdr_listeners=st.lists(
        st.builds(QdrListener, name=WORDS, host=st.just("") | HOSTS, port=PORTS), max_size=2
    ).map(tuple),
)


def without_lines(gateway: Gateway) -> Gateway:
    def bare(entries: tuple[Endpoint, ...]) -> tuple[Endpoint, ...]:
        return tuple(msgspec.structs.replace(entry, line=0) for entry in entries)

    return msgspec.structs.replace(
        gateway, bindings=bare(gateway.bindings), forwards=bare(gateway.forwards)
    )


@given(gateway=GATEWAYS)
def test_what_is_written_is_read_back(gateway: Gateway) -> None:
    found, findings = read_gateway(write_gateway(gateway), "")
    assert found is not None, findings
    assert without_lines(found) == gateway
    assert all(finding.severity == "warning" for finding in findings)


@given(gateway=GATEWAYS)
def test_an_exported_gateway_makes_the_same_documents_again(gateway: Gateway) -> None:
    documents, errors = documents_of(gateway, "")
    assume(not errors)
    exported, left_out = gateway_of(gateway.name, documents)
    assert left_out == []
    again, findings = read_gateway(write_gateway(exported), "")
    assert again is not None, findings
    documents_again, errors = documents_of(again, "")
    assert errors == []
    assert sorted((d.kind, d.name, repr(d.spec)) for d in documents_again) == sorted(
        (d.kind, d.name, repr(d.spec)) for d in documents
    )


LINES = st.sampled_from(
    (
        *("name: g", "bindings:", "forwards:", "qdr-listeners:", "- name: x", "  host: y"),
        *("  service:", "    address: db:5432", "    ports: [1, 2]", "    protocol: tcp"),
        *("  target_ports: [1]", "  target_ports:", "    - 99999", "- 3", "---", "  &a x"),
        *("\t", "'", "? |", "!!binary x", "  service: {address: a, ports: [1], enabletls: true}"),
    )
)


@given(text=st.lists(LINES, max_size=14).map("\n".join) | st.text(max_size=80))
def test_no_text_breaks_the_reader(text: str) -> None:
    gateway, findings = read_gateway(text, "")
    looks_like_gateway(text)
    assert (gateway is None) == any(finding.severity == "error" for finding in findings)
    for finding in findings:
        assert finding.line >= 1 and finding.column >= 1 and finding.reason
    if gateway is not None:
        documents_of(gateway, "")
