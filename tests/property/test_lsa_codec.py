"""Laws of the LSA codec: any bytes are one value or one fault, and no edit passes."""

import re
from random import Random

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from router.model.ids import SITE_NAME, RouterId, SiteId
from router.model.limits import COUNTER_MAX, RATE_SUM_MAX
from router.model.messages.adverts import Declaration, TargetsAdvert
from router.model.specs import PolicySpec, ServiceSpec
from router.routing.adverts.lsa import (
    Adjacency,
    Bar,
    Lsa,
    LsaFault,
    PartRef,
    ReceivedLsa,
    Services,
    Splitter,
    Topology,
    decode_lsa,
    signature_fault,
)
from tests.examples import examples
from tests.property.settings import AFFINITIES, LIMITS, TIMEOUTS
from tests.unit.routing.fakes import FakeIdentity, signed

WEST = FakeIdentity("west")
ROUTERS = st.text("0123456789abcdef", min_size=16, max_size=16).map(RouterId)
SITES = st.text("0123456789abcdef", min_size=32, max_size=32).map(SiteId)
NAMES = st.from_regex(SITE_NAME, fullmatch=True)
VERSIONS = st.text("abcxyz-.é", min_size=1, max_size=20)
SERVICE_NAMES = st.from_regex(r"\A[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\Z")
COUNTS = st.integers(0, COUNTER_MAX)
MOMENTS = st.floats(allow_nan=False, allow_infinity=False)

ADJACENCIES = st.builds(Adjacency, ROUTERS, SITES, st.integers(-(2**60), 2**60))
TOPOLOGIES = st.builds(
    Topology,
    adjacencies=st.lists(ADJACENCIES, max_size=5).map(tuple),
    draining=st.booleans(),
    stub=st.booleans(),
    name=NAMES,
    version=VERSIONS,
    parts=st.lists(
        st.builds(PartRef, st.integers(1, 32), COUNTS), max_size=4, unique_by=lambda ref: ref.part
    ).map(tuple),
    bars=st.lists(st.builds(Bar, SITES, COUNTS), max_size=3).map(tuple),
)
DECLARATIONS = st.builds(
    Declaration,
    name=SERVICE_NAMES,
    spec=st.builds(
        ServiceSpec,
        protocol=st.sampled_from(["tcp", "http", "http2"]),
        ports=st.lists(st.integers(1, 65_535), min_size=1, max_size=3, unique=True).map(tuple),
        policy=st.builds(
            PolicySpec,
            st.sampled_from(["fill", "split", "of-tomorrow"]),
            st.dictionaries(
                NAMES | NAMES.map("{}@0123abcd".format), st.integers(0, 100), max_size=3
            ),
        ),
        queue=st.none() | st.integers(0, 100_000),
        queue_wait_s=st.floats(0, 1000),
        affinity=st.none() | AFFINITIES,
        timeouts=TIMEOUTS,
        limits=LIMITS,
        tls_cert=st.sampled_from(("", "shop-tls")),
        request_id=st.sampled_from(("", "X-Request-Id")),
        half_close=st.sampled_from(("cancel", "serve")),
        headless=st.just("") | SERVICE_NAMES,
    ),
    declared_at_s=MOMENTS,
)
ADVERTS = st.builds(
    TargetsAdvert,
    name=SERVICE_NAMES,
    port=st.integers(1, 65_535),
    targets_ready=COUNTS,
    capacity=st.none() | COUNTS,
    draining=st.booleans(),
    rate_per_s=st.none() | st.floats(0.001, RATE_SUM_MAX),
)
SERVICES = st.builds(
    Services,
    st.lists(DECLARATIONS, max_size=3).map(tuple),
    st.lists(ADVERTS, max_size=3, unique_by=lambda told: (told.name, told.port)).map(tuple),
)


def make(part: int, numbers: tuple[int, int, int], body: Topology | Services) -> Lsa:
    epoch, sequence, boot_epoch = numbers
    return Lsa(
        router=WEST.router,
        site=WEST.site,
        part=part,
        epoch=epoch,
        sequence=sequence,
        boot_epoch=boot_epoch,
        boot_nonce=b"nonce",
        public_key=WEST.public_key,
        body=body,
    )


NUMBERS = st.tuples(COUNTS, COUNTS, COUNTS)
LSAS = st.builds(make, st.just(0), NUMBERS, TOPOLOGIES) | st.builds(
    make, st.integers(1, 32), NUMBERS, SERVICES
)


@given(lsa=LSAS)
def test_what_is_encoded_comes_back_equal(lsa: Lsa) -> None:
    received = decode_lsa(signed(lsa, WEST))
    assert isinstance(received, ReceivedLsa)
    assert received.lsa == lsa
    assert signature_fault(received, WEST) is None


ODD_IDS = (
    st.text(max_size=40)
    | st.text("0123456789abcdef", max_size=40)
    | st.sampled_from(["a" * 16 + "\n", "A" * 16, "a" * 32 + "\n", "A" * 32, "\u0661" * 16])
)


@given(lsa=LSAS, odd=ODD_IDS)
def test_ids_that_no_router_or_site_makes_are_malformed(lsa: Lsa, odd: str) -> None:
    """Wherever an LSA has one: they are shown to people, and kept."""
    if not re.fullmatch("[0-9a-f]{16}", odd):
        one = Adjacency(RouterId(odd), WEST.site, 1)
        assert is_malformed(replace(lsa, router=RouterId(odd)))
        assert is_malformed(make(0, (1, 1, 1), topology(adjacencies=(one,))))
    if not re.fullmatch("[0-9a-f]{32}", odd):
        other = Adjacency(WEST.router, SiteId(odd), 1)
        assert is_malformed(replace(lsa, site=SiteId(odd)))
        assert is_malformed(make(0, (1, 1, 1), topology(adjacencies=(other,))))
        assert is_malformed(make(0, (1, 1, 1), topology(bars=(Bar(SiteId(odd), 1),))))


def topology(adjacencies: tuple[Adjacency, ...] = (), bars: tuple[Bar, ...] = ()) -> Topology:
    return Topology(
        adjacencies=adjacencies,
        draining=False,
        stub=False,
        name=WEST.name,
        version="1",
        parts=(),
        bars=bars,
    )


def is_malformed(lsa: Lsa) -> bool:
    fault = decode_lsa(signed(lsa, WEST))
    return isinstance(fault, LsaFault) and fault.code == "malformed"


@given(told=ADVERTS, again=ADVERTS)
def test_a_port_that_one_part_tells_of_twice_is_refused(
    told: TargetsAdvert, again: TargetsAdvert
) -> None:
    again = replace(again, name=told.name, port=told.port)
    fault = decode_lsa(signed(make(1, (1, 1, 1), Services((), (told, again))), WEST))
    assert isinstance(fault, LsaFault) and fault.code == "bad-value"
    assert fault.reason == f"targets of {told.name!r:.80}, port {told.port}, twice"


ODD_NAMES = st.text(min_size=1, max_size=80) | st.sampled_from(
    ["a\n", "-a", "\x1b[31mred", "a" * 64, "a b", "@12345678 ", "a@1234567g", "\u202ea"]
)


@given(told=DECLARATIONS, odd=ODD_NAMES, port=st.integers(1, 65_535))
def test_a_declaration_names_sites_and_services_as_these_are_called(
    told: Declaration, odd: str, port: int
) -> None:
    """Site names of its weights, its headless service; and each of its ports once."""
    spec = told.spec
    if not re.fullmatch(rf"({SITE_NAME})?(@[0-9a-f]{{8}})?", odd, re.ASCII):
        assert is_bad(replace(told, spec=replace(spec, policy=PolicySpec("split", {odd: 1}))))
    if not re.fullmatch("[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", odd):
        assert is_bad(replace(told, spec=replace(spec, headless=odd)))
    assert is_bad(replace(told, spec=replace(spec, ports=(port, port))))


def is_bad(told: Declaration) -> bool:
    fault = decode_lsa(signed(make(1, (1, 1, 1), Services((told,), ())), WEST))
    return isinstance(fault, LsaFault) and fault.code == "bad-value"


@given(data=st.binary(max_size=200))
def test_any_bytes_are_a_fault_or_come_back_equal(data: bytes) -> None:
    received = decode_lsa(data)
    if isinstance(received, ReceivedLsa):
        assert received.signed == data
    else:
        assert isinstance(received, LsaFault) and received.code


JSON_LIKE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text()
    | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(content=JSON_LIKE, lsa=LSAS, position=st.integers(0, 8))
def test_any_content_in_any_place_is_a_value_or_a_fault(
    content: object, lsa: Lsa, position: int
) -> None:
    fields = msgspec.msgpack.decode(msgspec.msgpack.encode(lsa))
    fields[position] = content
    payload = msgspec.msgpack.encode(fields)
    decode_lsa(msgspec.msgpack.encode([payload, WEST.sign(payload)]))
    decode_lsa(msgspec.msgpack.encode([msgspec.msgpack.encode(content), b""]))


@given(lsa=LSAS, data=st.data())
def test_edited_bytes_are_never_believed(lsa: Lsa, data: st.DataObject) -> None:
    wire = bytearray(signed(lsa, WEST))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(wire) - 1))
        match data.draw(st.sampled_from(["flip", "drop", "add"])):
            case "flip":
                wire[place] ^= data.draw(st.integers(1, 255))
            case "drop":
                del wire[place]
            case _:
                wire.insert(place, data.draw(st.integers(0, 255)))
    if bytes(wire) == signed(lsa, WEST):
        return  # One edit has undone another.
    received = decode_lsa(bytes(wire))
    if isinstance(received, ReceivedLsa):
        assert signature_fault(received, WEST) is not None


@settings(max_examples=examples(50))
@given(
    declarations=st.lists(DECLARATIONS, max_size=20, unique_by=lambda told: told.name),
    adverts=st.lists(ADVERTS, max_size=20, unique_by=lambda told: (told.name, told.port)),
    shuffle=st.randoms(use_true_random=False),
)
def test_splitting_keeps_everything_in_an_order_of_its_own(
    declarations: list[Declaration], adverts: list[TargetsAdvert], shuffle: Random
) -> None:
    bodies = Splitter().split(declarations, adverts)
    assert {told.name for body in bodies for told in body.declarations} == {
        told.name for told in declarations
    }
    assert sum(len(body.adverts) for body in bodies) == len(adverts)
    shuffle.shuffle(declarations)
    shuffle.shuffle(adverts)
    assert Splitter().split(declarations, adverts) == bodies


@settings(max_examples=examples(50))
@given(
    rounds=st.lists(
        st.tuples(
            st.lists(DECLARATIONS, max_size=8, unique_by=lambda told: told.name),
            st.lists(ADVERTS, max_size=8, unique_by=lambda told: (told.name, told.port)),
            st.integers(0, 8),
        ),
        max_size=5,
    )
)
def test_what_was_split_before_changes_nothing_of_what_is_split_now(
    rounds: list[tuple[list[Declaration], list[TargetsAdvert], int]],
) -> None:
    splitter = Splitter()
    kept: list[TargetsAdvert] = []
    for declarations, fresh, keeps in rounds:
        there = {(told.name, told.port): told for told in (*fresh, *kept[:keeps])}
        kept = list(there.values())
        assert splitter.split(declarations, kept) == Splitter().split(declarations, kept)
