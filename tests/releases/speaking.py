"""Samples that a release writes, and the facts that it reads from bytes; each release runs this
alone.

``python speaking.py write`` prints samples as JSON: kind, name, bytes (hex), facts. With ``read``
it takes lines of ``[kind, hex]`` and prints the facts of each, or why it could not be read. This
module may need no more than the oldest release that runs it has.
"""

import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec

# ruff: noqa: E402
_MOVED = {
    "router.link.routing_messages": "router.link.ports",
    "router.link.sessions.handshake": "router.link.handshake",
    "router.process.state": "router.main.state",
    "router.routing.adverts.lsa": "router.routing.lsa",
    "certs.ca.authority": "certs.authority",
    "certs.joining.claims": "certs.claims",
    "certs.links.revocation": "certs.revocation",
    "certs.token_files.tokens": "certs.tokens",
    "router.model.messages.acks": "router.link.ports",
    "router.model.messages.adverts": "router.model.adverts",
    "router.model.messages.edges": "router.model.edges",
}
"""Modules that the last release has elsewhere: it finds them before they are imported."""


def _is_here(name: str) -> bool:
    """Whether this release has the module ``name``."""
    folder = name.rpartition(".")[0]
    if name in sys.modules:
        return sys.modules[name].__spec__ is not None  # Else it is one of ours, made below.
    return (not folder or _is_here(folder)) and find_spec(name) is not None


for _here, _there in _MOVED.items():
    if not _is_here(_here):
        sys.modules[_here] = import_module(_there)
        _folder = _here.rpartition(".")[0]
        if _folder not in sys.modules and not _is_here(_folder):
            sys.modules[_folder] = ModuleType(_folder)

from certs import keys
from certs.ca.authority import Authority
from certs.errors import CertError
from certs.identity import SiteIdentity, site_id_of, verify
from certs.joining import claims
from certs.links import revocation
from certs.token_files import tokens
from router.link import control, frames
from router.link.ports import OpenRequest
from router.link.routing_messages import LoadMessage, LsaMessage
from router.link.sessions.handshake import EDGE, INTERIOR, SIBLING, Abilities, judge_hello
from router.model.errors import HandshakeRejected, RouterError
from router.model.ids import RouterId, SiteId
from router.model.messages.acks import LsaAck
from router.model.messages.adverts import Declaration, LoadReport, RateLoad, TargetsAdvert
from router.model.messages.edges import (
    CandidateRow,
    HaveMessage,
    ServiceRow,
    SiteRow,
    TableMessage,
    WishMessage,
)
from router.model.specs import PolicySpec, ServiceSpec
from router.process.state import FileKeeper
from router.routing.adverts.lsa import (
    Adjacency,
    Lsa,
    LsaFault,
    PartRef,
    Services,
    Topology,
    decode_lsa,
    encode_lsa,
    signature_fault,
)

NOW = 1_780_000_000.0
WEST, EAST = RouterId("0123456789abcdef"), RouterId("fedcba9876543210")
DATA = bytes(range(256))


def facts(value: Any) -> Any:
    """``value`` as JSON has it: a struct by its fields, bytes as hex, sets sorted."""
    match value:
        case msgspec.Struct():
            fields = {name: facts(getattr(value, name)) for name in value.__struct_fields__}
            return {"is": type(value).__name__, **fields}
        case bytes():
            return {"hex": value.hex()}
        case dict():
            return {str(key): facts(item) for key, item in value.items()}
        case set() | frozenset():
            return sorted(value)
        case tuple() | list():
            return [facts(item) for item in value]
        case _:
            return value


class Speaker:
    """An identity with a real key. Implements `OwnIdentity`."""

    def __init__(self, name: str, router: RouterId, key: SiteIdentity | None = None) -> None:
        self.key = key or SiteIdentity(keys.generate())
        self.name, self.router = name, router
        self.site = SiteId(self.key.site_id)
        self.public_key = self.key.public_key

    def sign(self, data: bytes) -> bytes:
        """By its key."""
        return self.key.sign(data)

    def verify(self, public_key: bytes, signature: bytes, data: bytes) -> bool:
        """As every router does."""
        return verify(public_key, signature, data)

    def site_of(self, public_key: bytes) -> SiteId:
        """The site whose key that is."""
        return SiteId(site_id_of(public_key))


SPEC = ServiceSpec(
    protocol="http", ports=(80, 8080), policy=PolicySpec("split", {"west": 3, "east": 1}), queue=5
)
DECLARED = Declaration(name="shop", spec=SPEC, declared_at_s=1_700_000_000.25)
ADVERTS = (
    TargetsAdvert(name="shop", port=80, targets_ready=3, capacity=30, rate_per_s=12.5),
    TargetsAdvert(name="shop", port=8080, targets_ready=0, capacity=None, draining=True),
)
Sample = tuple[str, str, bytes]


def hello(speaker: Speaker, abilities: Abilities) -> control.Hello:
    """A HELLO of ``speaker`` as a dialer."""
    return control.Hello(
        version=control.VERSION,
        minor=control.MINOR,
        router=speaker.router,
        name=speaker.name,
        public_key=speaker.public_key,
        nonce=b"n" * 32,
        boot=b"b" * 32,
        session=b"s" * 32,
        secret=b"t" * 32,
        worker=0,
        cost=7,
        link="to-east",
        software="spillway/0.1",
        features=tuple(sorted(abilities.features)),
        required=tuple(sorted(abilities.required)),
        born=1_700_000_000,
        place="host (process 1)",
        restored=1_690_000_000,
    )


def written() -> Iterator[Sample]:
    """Everything that goes to other routers, or to a disk where another release may read it."""
    west = Speaker("west", WEST)
    for name, abilities in (
        ("interior", INTERIOR),
        ("edge", EDGE),
        ("sibling", SIBLING),
    ):
        yield "control", f"hello, {name}", control.encode(hello(west, abilities))
    for name, message in _messages():
        yield "control", name, control.encode(message)
    for name, request in _opens():
        yield "open", name, control.encode_open(request)
    for lsa in _lsas(west):
        yield "lsa", f"part {lsa.part}, {type(lsa.body).__name__}", encode_lsa(lsa, west)
    yield from _frames()
    yield from _secrets(west)
    yield "state", "state.json", _state()


def _messages() -> Iterator[tuple[str, control.Message]]:
    site = SiteId("5" * 32)
    rows = ServiceRow("shop", msgspec.msgpack.encode(DECLARED), site, True, (SiteId("6" * 32),))
    yield "proof", control.Proof(DATA[:72])
    yield "join", control.Join(b"s" * 32, b"p" * 32)
    yield "joined", control.Joined(b"p" * 32)
    yield "cost", control.CostMessage(65_535)
    yield "drain", control.Drain()
    yield "last", control.Last()
    yield "goaway", control.GoAway("refused", "revoked", "no longer", "ask for a token")
    yield "lsa", LsaMessage(DATA)
    yield "ack", LsaAck(WEST, 32, 2**53, 2**53)
    loads = (
        LoadReport(WEST, 1, "shop", 80, 3, 2, 10),
        LoadReport(WEST, 2, "db", 5432, 0, 0, None),
        LoadReport(WEST, 3, "shop", 80, 3, 2, 10, RateLoad(15.5, 3, 1)),
    )
    yield "load", LoadMessage(loads)
    yield "wish", WishMessage(1, 2, ("db", "shop"))
    yield "wish for all", WishMessage(1, 2, None)
    yield "have", HaveMessage(9, 8)
    yield (
        "table",
        TableMessage(
            series=9,
            base=0,
            version=1,
            wish=2,
            is_last=True,
            left_out=3,
            draining=True,
            sites=(SiteRow(WEST, site, "west", "0.1.0", 5, 1_700_000_000),),
            services=(rows,),
            candidates=(
                CandidateRow("shop", 80, WEST, 3, 30, False, 12.5),
                CandidateRow("shop", 8080, WEST, 0, None, True),
            ),
            gone_sites=(EAST,),
            gone_services=("db",),
            gone_candidates=(("db", 5432, EAST),),
        ),
    )


def _opens() -> Iterator[tuple[str, OpenRequest]]:
    yield "the least", OpenRequest((WEST,), "db", 5432, "tcp", SiteId("5" * 32))
    yield (
        "all fields",
        OpenRequest(
            path=(WEST, EAST),
            service="shop",
            port=80,
            protocol="http",
            ingress=SiteId("5" * 32),
            wait_ms=1_500,
            flags=257,
            body_bytes=2**40,
            head=b"POST / HTTP/1.1\r\nHost: shop\r\n",
            client="[::1]:5",
            session=2**63 - 1,
            local="192.0.2.1:80",
            upgrade="websocket",
        ),
    )


def _lsas(west: Speaker) -> Iterator[Lsa]:
    bodies: tuple[Topology | Services, ...] = (
        Topology(
            adjacencies=(Adjacency(EAST, SiteId("6" * 32), 4),),
            draining=True,
            stub=True,
            name="west",
            version="0.1.0",
            parts=(PartRef(1, 3),),
            restored=1_690_000_000,
        ),
        Services((DECLARED,), ADVERTS),
    )
    for part, body in enumerate(bodies):
        yield Lsa(
            router=WEST,
            site=west.site,
            part=part,
            epoch=1_700_000_000,
            sequence=3,
            boot_epoch=1_699_999_999,
            boot_nonce=b"nonce---",
            public_key=west.public_key,
            body=body,
        )


def _frames() -> Iterator[Sample]:
    for kind, payload in (
        (frames.OPEN, DATA),
        (frames.OPEN | frames.END, DATA),
        (frames.REFUSED, b"\3" + frames.encode_count(-1)),
        (frames.HEAD, b"\xff" * 8 + b"HTTP/1.1 200 OK\r\n"),
        (frames.HEAD | frames.END, bytes(8) + b"HTTP/1.1 204 No\r\n" + frames.encode_count(3)),
        (frames.DATA, DATA),
        (frames.DATA | frames.END, DATA + frames.encode_count(3)),
        (frames.TRAILERS, b"A: b\r\n"),
        (frames.TRAILERS | frames.END, b"A: b\r\n" + frames.encode_count(0)),
        (frames.FIN, frames.encode_count(3)),
        (frames.RESET, b"\5"),
        (frames.WINDOW, b"\0\1\0\0"),
        (frames.PING, DATA[:8]),
        (frames.PONG, DATA[:8]),
        (frames.CONTROL, b"\x91\xa4last"),
    ):
        yield "frames", f"kind {kind:#x}", frames.encode(kind, frames.STREAM_ID_MAX, payload)
    yield "frames", "accepted", frames.encode_counted(frames.ACCEPTED, 1, 12)


def _secrets(west: Speaker) -> Iterator[Sample]:
    authority, _ = Authority.generate(west.site, NOW)
    draft = tokens.Token(
        kind="claim",
        name="west-1",
        site_id=west.site,
        site_name="west",
        endpoints=(("192.0.2.1", 55_671), ("west.example", 443)),
        ca_pem=authority.ca_pem,
        expires_at=int(NOW) + 900,
        cost=7,
    )
    grant, claim = claims.new_grant(draft, uses=3)
    yield "token", "claim", tokens.dump(claim).encode()
    key = keys.generate()
    chain = authority.issue_client_leaf(key.public_key(), "west-2", NOW)
    certificate = msgspec.structs.replace(
        draft,
        kind="certificate",
        name="west-2",
        expires_at=int(NOW) + 30 * 86_400,
        certificate_pem=chain,
        key_pem=keys.to_pem(key),
    )
    yield "token", "certificate", tokens.dump(certificate).encode()
    yield "grant", "unused", claims.encode(grant)
    use = claims.Redemption("ab" * 32, EAST * 2, "east", "1f", chain)
    used = msgspec.structs.replace(grant, uses_left=2, tries=1, redeemed=(use,), revoked=True)
    yield "grant", "used", claims.encode(used)
    listed = revocation.Revoked(frozenset({"1f", "2e"}), frozenset({EAST * 2}))
    yield "revoked", "revoked.json", revocation.encode(listed)


def _state() -> bytes:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "state.json")
        keeper = FileKeeper(path)
        keeper.next_epoch()
        keeper.declared_at("shop")
        return path.read_bytes()


# What a release makes of bytes.


class _Taken:
    def __init__(self) -> None:
        self.frames: list[list[Any]] = []

    def frame(self, kind: int, stream_id: int, payload: memoryview) -> None:
        self.frames.append([kind, stream_id, payload.hex()])


def _read_control(data: bytes) -> Any:
    message = control.decode(memoryview(data))
    if isinstance(message, control.Hello):
        return {**facts(message), "judged": _judged(message)}
    return facts(message)


def _judged(message: control.Hello) -> Any:
    """What an interior router of another site, an edge and a sibling of the sender say to it."""
    site = SiteId(site_id_of(message.public_key))

    class Sibling(Speaker):
        def __init__(self) -> None:
            super().__init__("west", EAST)
            self.site = site

    verdicts: list[Any] = []
    for identity, abilities in (
        (Speaker("east", EAST), INTERIOR),
        (Speaker("east", EAST), EDGE),
        (Sibling(), SIBLING),
        (Sibling(), INTERIOR),
    ):
        try:
            verdicts.append(facts(judge_hello(message, identity, None, abilities)))
        except HandshakeRejected as error:
            verdicts.append(error.code)
    return verdicts


def _read_lsa(data: bytes) -> Any:
    received = decode_lsa(data)
    if isinstance(received, LsaFault):
        return facts(received)
    fault = signature_fault(received, Speaker("reader", EAST))
    return facts(fault) if fault else facts(received.lsa)


def _read_frames(data: bytes) -> Any:
    taken = _Taken()
    frames.FrameDecoder(taken).receive_data(memoryview(data))
    return taken.frames


def _read_state(data: bytes) -> Any:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "state.json")
        path.write_bytes(data)
        keeper = FileKeeper(path)
        return [keeper.router_id, keeper.declared_at("shop")]


READERS: dict[str, Callable[[bytes], Any]] = {
    "control": _read_control,
    "open": lambda data: facts(control.decode_open(memoryview(data))),
    "lsa": _read_lsa,
    "frames": _read_frames,
    "token": lambda data: facts(tokens.load_bytes(data, "token")),
    "grant": lambda data: facts(claims.decode(data, "grant")),
    "revoked": lambda data: facts(revocation.decode(data, "revoked")),
    "state": _read_state,
}


def read(kind: str, data: bytes) -> Any:
    """The facts of ``data``, or ``{"error": …}``."""
    try:
        return READERS[kind](data)
    except (RouterError, CertError, ValueError) as error:
        return {"error": f"{type(error).__name__}: {error}"}


def main() -> None:
    """Write or read."""
    if sys.argv[1] == "write":
        for kind, name, data in written():
            print(json.dumps([kind, name, data.hex(), read(kind, data)]))
    else:
        for line in sys.stdin:
            kind, data = json.loads(line)
            print(json.dumps(read(kind, bytes.fromhex(data))))


if __name__ == "__main__":
    main()
