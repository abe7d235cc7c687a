"""The codec: refused LSAs, and how services are split."""

from collections.abc import Callable
from itertools import pairwise

import msgspec
import pytest

from router.model.ids import RouterId, SiteId
from router.model.limits import (
    COUNTER_MAX,
    GRANTS_PER_SERVICE_MAX,
    LSA_ENVELOPE_BYTES,
    LSA_PART_BYTES_MAX,
    LSA_PARTS_MAX,
    LSA_SERVICE_PORTS_MAX,
    NAME_CHARS_MAX,
    QUEUE_MAX,
    QUEUE_WAIT_S_MAX,
    RATE_SUM_MAX,
    ROUTING_KEY_CHARS_MAX,
    SHARING_PATTERN_CHARS_MAX,
    SHARING_PATTERNS_MAX,
)
from router.model.messages import packed
from router.model.messages.exports import ExportedPort, ExportTerms
from router.model.rights.grants import OFFER, VERBS, ServiceGrant
from router.model.settings import ServiceLimits, Timeouts
from router.routing.adverts.lsa import (
    Adjacency,
    Lsa,
    LsaFault,
    PartRef,
    ReceivedLsa,
    Services,
    Splitter,
    advert_is_bad,
    declaration_is_bad,
    decode_lsa,
    signature_fault,
)
from tests.unit.routing.fakes import (
    FakeIdentity,
    SameSiteIdentity,
    advert,
    declare,
    make_lsa,
    signed,
)

pytestmark = pytest.mark.usefixtures("both_orders")

WEST, EAST = FakeIdentity("west"), FakeIdentity("east")


def received(data: bytes) -> ReceivedLsa:
    result = decode_lsa(data)
    assert isinstance(result, ReceivedLsa)
    return result


def fault(data: bytes) -> str:
    result = decode_lsa(data)
    if isinstance(result, ReceivedLsa):
        judged = signature_fault(result, EAST)
        return judged.code if judged else ""
    return result.code


def test_a_part_comes_back_as_it_was_sent() -> None:
    head = make_lsa(WEST, neighbours=((EAST, 3),), parts=(PartRef(1, 4),))
    body = Services((declare("x"),), (advert("x"),))
    further = make_lsa(WEST, part=1, sequence=4, services=body)
    for lsa in (head, further):
        assert received(signed(lsa, WEST)).lsa == lsa
        assert fault(signed(lsa, WEST)) == ""


def test_a_site_cannot_speak_for_another() -> None:
    lsa = make_lsa(WEST)
    assert fault(signed(lsa, EAST)) == "bad-signature"
    with_own_key = msgspec.structs.replace(lsa, public_key=EAST.public_key)
    assert fault(signed(with_own_key, EAST)) == "wrong-site"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00",
        b"\xc1",
        b"\x91" * 5000,
        b"\xdd\xff\xff\xff\xff",
        msgspec.msgpack.encode([b"", b""]),
        msgspec.msgpack.encode([b"\x91" * 2000, b""]),
        msgspec.msgpack.encode([b"\x9f" * 5000, b""]),
        msgspec.msgpack.encode([1, 2]),
        msgspec.msgpack.encode([b"", b"", b""]),
        signed(make_lsa(WEST), WEST) + b"\x00",
    ],
)
def test_bytes_that_are_no_lsa_are_one_typed_fault(data: bytes) -> None:
    assert fault(data) == "malformed"


def test_one_content_has_one_spelling() -> None:
    data = signed(make_lsa(WEST), WEST)
    payload, signature = msgspec.msgpack.decode(data)
    longer = b"\x92\xc6" + len(payload).to_bytes(4, "big") + payload
    longer += b"\xc6" + len(signature).to_bytes(4, "big") + signature
    assert fault(longer) == "malformed"


def test_too_many_bytes_are_refused_unread() -> None:
    assert fault(bytes(LSA_PART_BYTES_MAX + 1)) == "too-large"


@pytest.mark.parametrize(
    "change",
    [
        {"epoch": -1},
        {"sequence": 2**60},
        {"part": 33},
        {"router": ""},
        {"router": "r" * 65},
        {"epoch": True},
        {"epoch": 1.5},
        {"site": 7},
    ],
)
def test_values_out_of_range_are_malformed(change: dict[str, object]) -> None:
    lsa = msgspec.structs.replace(make_lsa(WEST), **change)
    payload = msgspec.msgpack.encode(lsa)
    assert fault(msgspec.msgpack.encode([payload, WEST.sign(payload)])) == "malformed"


@pytest.mark.parametrize(
    "change",
    [
        {"timeouts": Timeouts(response_s=-1.0)},
        {"timeouts": Timeouts(idle_s=float("nan"))},
        {"limits": ServiceLimits(headers=1_000_000)},
        {"request_id": "X: y\r\n"},
        {"half_close": "maybe"},
        {"tls_cert": "../../etc"},
    ],
)
def test_settings_out_of_their_bounds_are_malformed(change: dict[str, object]) -> None:
    told = declare("x")
    told = msgspec.structs.replace(told, spec=msgspec.structs.replace(told.spec, **change))
    assert fault(signed(make_lsa(WEST, part=1, services=Services((told,), ())), WEST)) == (
        "malformed"
    )


def bad_services() -> list[Services]:
    good = declare("x")
    changes: list[dict[str, object]] = [
        {"name": ""},
        {"name": "../x"},
        {"name": "x\n"},
        {"name": "caf\u00e9"},
        {"name": "x; Domain=evil.example"},
        {"name": "-x"},
        {"declared_at_s": float("nan")},
    ]
    specs: list[dict[str, object]] = [
        {"ports": ()},
        {"ports": (0,)},
        {"queue_wait_s": float("inf")},
        {"queue_wait_s": 3_601.0},
        {"queue": 100_001},
        {"queue": -1},
    ]
    changes += [{"spec": msgspec.structs.replace(good.spec, **change)} for change in specs]
    bad = [Services((msgspec.structs.replace(good, **change),), ()) for change in changes]
    return bad + [
        Services((), (told,))
        for told in (
            advert("x", port=70_000),
            advert("x", ready=-1),
            advert("x", capacity=-1),
            advert("x", rate_per_s=0.0),
            advert("x", rate_per_s=float("nan")),
            advert("x", rate_per_s=1e300),
        )
    ]


@pytest.mark.parametrize("body", bad_services())
def test_services_that_no_router_may_tell_are_bad_values(body: Services) -> None:
    assert fault(signed(make_lsa(WEST, part=1, services=body), WEST)) == "bad-value"


def told_with(**changes: object) -> bool:
    """Whether a router may tell of a service with these values of its declaration or advert."""
    declared, offered = declare("x"), advert("x", rate_per_s=1.0)
    grant = ServiceGrant(WEST.site, ())
    for name, value in changes.items():
        if hasattr(grant, name):
            grants = (msgspec.structs.replace(grant, **{name: value}),)
            declared = msgspec.structs.replace(declared, grants=grants)
        elif hasattr(offered, name):
            offered = msgspec.structs.replace(offered, **{name: value})
        elif hasattr(declared, name):
            declared = msgspec.structs.replace(declared, **{name: value})
        else:
            spec = msgspec.structs.replace(declared.spec, **{name: value})
            declared = msgspec.structs.replace(declared, spec=spec)
    return not (declaration_is_bad(declared) or advert_is_bad(offered))


@pytest.mark.parametrize(
    ("name", "least", "most"),
    [
        ("port", 1, 65_535),
        ("targets_ready", 0, COUNTER_MAX),
        ("capacity", 0, COUNTER_MAX),
        ("reserved", 0, COUNTER_MAX),
        ("most_for_one", 0, COUNTER_MAX),
        ("max_capacity", 0, COUNTER_MAX),
        ("until", 0, COUNTER_MAX),
        ("queue", 0, QUEUE_MAX),
        ("queue_wait_s", 0, int(QUEUE_WAIT_S_MAX)),
        ("rate_per_s", 1, int(RATE_SUM_MAX)),
    ],
)
def test_a_number_may_be_at_its_bounds_and_not_beyond(name: str, least: int, most: int) -> None:
    allowed = [told_with(**{name: value}) for value in (least - 1, least, most, most + 1)]
    assert allowed == [False, True, True, False]


@pytest.mark.parametrize(
    ("name", "least", "most", "item"),
    [
        ("ports", 1, LSA_SERVICE_PORTS_MAX, lambda number: number + 1),
        ("grants", 0, GRANTS_PER_SERVICE_MAX, lambda number: ServiceGrant(WEST.site, ())),
        ("verbs", 0, 2 * len(VERBS), lambda number: OFFER),
        ("export_to", 0, SHARING_PATTERNS_MAX, lambda number: "west"),
    ],
)
def test_a_list_may_be_as_long_as_its_bound_and_no_longer(
    name: str, least: int, most: int, item: Callable[[int], object]
) -> None:
    lengths = [*range(least, min(least + 3, most)), most, most + 1]
    allowed = [told_with(**{name: tuple(map(item, range(count)))}) for count in lengths]
    assert allowed == [count <= most for count in lengths]


@pytest.mark.parametrize(
    ("name", "most", "value"),
    [
        ("name", NAME_CHARS_MAX, lambda text: text),
        ("headless", NAME_CHARS_MAX, lambda text: text),
        ("routing_key", ROUTING_KEY_CHARS_MAX, lambda text: text),
        ("verbs", NAME_CHARS_MAX, lambda text: (text,)),
        ("export_to", SHARING_PATTERN_CHARS_MAX, lambda text: (text,)),
    ],
)
def test_a_text_may_be_as_long_as_its_bound_and_no_longer(
    name: str, most: int, value: Callable[[str], object]
) -> None:
    assert told_with(**{name: value("x" * most)})
    assert not told_with(**{name: value("x" * (most + 1))})


@pytest.mark.parametrize(
    "change",
    [
        {"namespace": "Prod"},
        {"service": "x" * 64},
        {"kind": "NodePort"},
        {"ports": ()},
        {"ports": tuple(ExportedPort(port=port) for port in range(1, 66))},
        {"ports": (ExportedPort(port=70_000),)},
        {"ports": (ExportedPort(port=80, name="a b"),)},
        {"ports": (ExportedPort(port=80, protocol="tcp"),)},
        {"ports": (ExportedPort(port=80, app_protocol="x\ny"),)},
        {"affinity": "Cookie"},
        {"affinity_timeout_s": -1},
        {"internal_traffic_policy": "a: b"},
        {"traffic_distribution": "x" * 64},
        {"families": ("IPv5",)},
        {"families": ("IPv4",) * 1000},
        {"labels": {"a": "b" * 3000}},
        {"annotations": {"a" * 3000: ""}},
    ],
)
def test_an_export_that_no_service_could_have_is_a_bad_value(change: dict[str, object]) -> None:
    right = ExportTerms(namespace="shops", service="cart", ports=(ExportedPort(port=80),))
    for terms, verdict in ((right, ""), (msgspec.structs.replace(right, **change), "bad-value")):
        told = msgspec.structs.replace(declare("x"), export=terms)
        data = signed(make_lsa(WEST, part=1, services=Services((told,), ())), WEST)
        if verdict:
            assert fault(data) == verdict
        else:
            received(data)


@pytest.mark.parametrize(
    "lsa",
    [
        make_lsa(WEST, part=1),
        make_lsa(WEST, services=Services((), ())),
        make_lsa(WEST, parts=(PartRef(0, 1),)),
        make_lsa(WEST, parts=(PartRef(1, 1), PartRef(1, 2))),
    ],
)
def test_a_body_that_does_not_fit_its_part_is_a_bad_value(lsa: Lsa) -> None:
    assert fault(signed(lsa, WEST)) == "bad-value"


@pytest.mark.parametrize(
    "name", ["a b", "a@3469fab8", "-a", "a\n", "a\x1b[31m", "ä", "a/b", "a" * 64]
)
def test_a_name_that_hello_would_not_take_is_malformed(name: str) -> None:
    assert fault(signed(make_lsa(SameSiteIdentity(WEST, "r", name=name)), WEST)) == "malformed"


def test_a_later_version_may_add_fields_at_the_end() -> None:
    payload = msgspec.msgpack.encode(
        [*msgspec.msgpack.decode(msgspec.msgpack.encode(make_lsa(WEST))), "new"]
    )
    data = msgspec.msgpack.encode([payload, WEST.sign(payload)])
    assert fault(data) == ""


@pytest.mark.parametrize("ports", [1, 7, 30, 200, 600, 1_000])
def test_a_part_holds_as_many_services_as_fit_and_no_more(ports: int) -> None:
    told = [declare(f"s{number:03}", ports=tuple(range(1, ports + 1))) for number in range(20)]
    bodies = Splitter().split(told, [])
    sizes = [[len(packed.pack(one)) for one in body.declarations] for body in bodies]
    room = LSA_PART_BYTES_MAX - LSA_ENVELOPE_BYTES
    assert all(sum(size) <= room for size in sizes)
    assert all(sum(size) + after[0] > room for size, after in pairwise(sizes))


def test_many_services_are_split_into_parts_that_fit_whatever_their_order() -> None:
    declarations = [declare(f"service-{number:04}") for number in range(500)]
    adverts = [advert(f"service-{number:04}") for number in range(500)]
    bodies = Splitter().split(declarations, adverts)
    assert len(bodies) > 1
    assert bodies == Splitter().split(reversed(declarations), reversed(adverts))
    assert [told for body in bodies for told in body.declarations] == declarations
    assert [told for body in bodies for told in body.adverts] == adverts
    for number, body in enumerate(bodies, start=1):
        assert fault(signed(make_lsa(WEST, part=number, services=body), WEST)) == ""


def test_services_that_fit_nowhere_are_an_error_of_ours() -> None:
    with pytest.raises(ValueError, match="cannot be announced"):
        Splitter().split([declare("x" * 300)], [])
    with pytest.raises(ValueError, match="services"):
        Splitter().split([declare(f"{n:05}") for n in range(5000)], [])
    many_ports = tuple(range(60_000, 60_900))
    with pytest.raises(ValueError, match=f"more than {LSA_PARTS_MAX - 1}$"):
        Splitter().split([declare(f"{n:05}", ports=many_ports) for n in range(1000)], [])


def test_no_service_needs_no_part() -> None:
    assert Splitter().split([], []) == ()


def test_the_largest_part_0_fits() -> None:
    many = tuple(Adjacency(RouterId(f"{n:016x}"), SiteId(f"{n:032x}"), 65_535) for n in range(256))
    lsa = make_lsa(WEST, parts=tuple(PartRef(n, 2**50) for n in range(1, 33)))
    lsa = msgspec.structs.replace(lsa, body=msgspec.structs.replace(lsa.body, adjacencies=many))
    assert not isinstance(decode_lsa(signed(lsa, WEST)), LsaFault)
