"""Control messages and the payload of OPEN: typed values to MessagePack and back, bounded.

All messages are arrays with their name first, so no map occurs and no key can be repeated. Wrong
types, false lengths, booleans as numbers and trailing bytes are refused
(`router.model.messages.packed`). Unknown fields at an array's end are skipped: a newer peer may add
some.
"""

from collections.abc import Callable
from typing import Annotated, Literal, Protocol, get_args

import msgspec

from router.link.ports import BroughtRequest, OpenRequest
from router.link.routing_messages import LoadMessage, RoutingMessage
from router.model import limits
from router.model.errors import LocalProtocolError, RemoteProtocolError
from router.model.ids import SiteName
from router.model.messages import packed
from router.net.ports import Buffer

VERSION = 1
MINOR = 2
"""A peer of the same version and a higher minor version may send messages that we do not know."""

DRAINS_FROM_MINOR = 1
"""Peers with a lower minor version know neither DRAIN nor LAST: their lanes can only be closed."""

NONCE_BYTES = 32

_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=253)]
_Bytes32 = Annotated[bytes, msgspec.Meta(min_length=NONCE_BYTES, max_length=NONCE_BYTES)]
_Cost = Annotated[int, msgspec.Meta(ge=limits.COST_MIN, le=limits.COST_MAX)]
_Router = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{16}\Z")]
_Text = Annotated[str, msgspec.Meta(max_length=1024)]
_Features = Annotated[tuple[_Name, ...], msgspec.Meta(max_length=64)]


class Hello(msgspec.Struct, frozen=True, array_like=True, tag="hello"):
    """The first message each way on a control lane.

    ``boot`` identifies the process: all its links use one value, and another value means a restart.
    ``session`` names the group of lanes, ``secret`` proves a JOIN to it; both are the sender's.
    ``cost`` counts only from the dialer. ``link`` is the dialer's name for the link. ``required``
    are features without which the sender refuses the link. ``born`` is the epoch that the process
    began with: of two routers with one identity the later born is the copy. 0: not known. ``place``
    is the human-readable location of that process. ``restored``: Unix seconds at which its state
    was restored from a backup, 0: never. Routers of one site with different values run in different
    places. ``worker``: the number of the process among the workers of one router, each of which
    dials its links. 0: the first one, or not known.
    """

    version: int
    minor: int
    router: _Router
    name: SiteName
    public_key: Annotated[bytes, msgspec.Meta(min_length=1, max_length=1024)]
    nonce: _Bytes32
    boot: _Bytes32
    session: _Bytes32
    secret: _Bytes32
    worker: Annotated[int, msgspec.Meta(ge=0, le=65_535)]
    cost: _Cost
    link: Annotated[str, msgspec.Meta(max_length=253)]
    software: _Text
    features: _Features = ()
    required: _Features = ()
    born: Annotated[int, msgspec.Meta(ge=0, le=limits.COUNTER_MAX)] = 0
    place: Annotated[str, msgspec.Meta(max_length=limits.PLACE_CHARS_MAX)] = ""
    restored: Annotated[int, msgspec.Meta(ge=0, le=limits.COUNTER_MAX)] = 0


class Proof(msgspec.Struct, frozen=True, array_like=True, tag="proof"):
    """The identity key's signature over `handshake.transcript`."""

    signature: Annotated[bytes, msgspec.Meta(min_length=1, max_length=256)]


class Join(msgspec.Struct, frozen=True, array_like=True, tag="join"):
    """The first message of a data lane: the acceptor's session, and a proof that we know its
    secret."""

    session: _Bytes32
    proof: _Bytes32


class Joined(msgspec.Struct, frozen=True, array_like=True, tag="joined"):
    """The answer to JOIN: a proof that the acceptor also knows the dialer's secret."""

    proof: _Bytes32


class CostMessage(msgspec.Struct, frozen=True, array_like=True, tag="cost"):
    """The dialer changed the link's cost."""

    cost: _Cost


class Drain(msgspec.Struct, frozen=True, array_like=True, tag="drain"):
    """Asks the peer to open no more streams. On a data lane: on this lane, which will be replaced.
    On a control lane: on any lane of this link."""


class Last(msgspec.Struct, frozen=True, array_like=True, tag="last"):
    """The sender opens no more streams on this lane."""


class GoAway(msgspec.Struct, frozen=True, array_like=True, tag="goaway"):
    """The last message of a lane, and its reason. ``kind`` as in `fault.Fault`."""

    kind: Literal["lost", "refused", "violation"]
    code: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    reason: _Text
    hint: _Text = ""


class Renew(msgspec.Struct, frozen=True, array_like=True, tag="renew"):
    """The dialer asks for a new certificate to replace the one it showed on this lane.

    ``request`` (PEM) is signed by the key of the new certificate. Sent only to peers with feature
    `renew`.
    """

    request: Annotated[str, msgspec.Meta(min_length=1, max_length=limits.RENEW_REQUEST_CHARS_MAX)]


class Renewed(msgspec.Struct, frozen=True, array_like=True, tag="renewed"):
    """The acceptor's answer: the certificate, and all CAs that it can be verified by from now on.

    Both are PEM. ``chain`` empty: the acceptor issues none, ``reason`` says why, and the old
    certificate stays in use.
    """

    chain: Annotated[str, msgspec.Meta(max_length=limits.RENEWED_CHARS_MAX)]
    cas: Annotated[str, msgspec.Meta(max_length=limits.RENEWED_CHARS_MAX)]
    reason: _Text = ""


class RenewDue(msgspec.Struct, frozen=True, array_like=True, tag="renew-due"):
    """The acceptor: the certificate or CAs that you hold from me are outdated, ask for new ones."""


_Own = (
    Hello | Proof | Join | Joined | CostMessage | Drain | Last | GoAway | Renew | Renewed | RenewDue
)
Message = _Own | RoutingMessage

_KINDS: dict[str, type[Message]] = {
    str(kind.__struct_config__.tag): kind for kind in (*get_args(_Own), *get_args(RoutingMessage))
}

# OPEN is on the path of each request: msgspec reads and writes it in a quarter of the time.
_OPEN: msgspec.msgpack.Decoder[OpenRequest] = msgspec.msgpack.Decoder(OpenRequest)
_BROUGHT: msgspec.msgpack.Decoder[BroughtRequest] = msgspec.msgpack.Decoder(BroughtRequest)

# Errors of msgspec on hostile input: RecursionError by depth, OverflowError by far timestamps.
_UNDECODABLE = (msgspec.MsgspecError, RecursionError, OverflowError, UnicodeDecodeError)


class GoAwayFacts(Protocol):
    """The contents of GOAWAY: a `fault.Fault`."""

    @property
    def code(self) -> str: ...
    @property
    def reason(self) -> str: ...
    @property
    def hint(self) -> str: ...


def encode(message: Message) -> bytes:
    """The payload of a CONTROL frame. Raises LocalProtocolError if it does not fit in one frame."""
    payload = packed.pack(message)
    if len(payload) > limits.FRAME_PAYLOAD_BYTES_MAX:
        raise LocalProtocolError("message-too-large", f"{len(payload)} bytes")
    return payload


def encode_goaway(kind: Literal["lost", "refused", "violation"], facts: GoAwayFacts) -> bytes:
    """A GOAWAY with its texts cut to the lengths that the peer accepts."""
    return encode(GoAway(kind, facts.code[:64], facts.reason[:1024], facts.hint[:1024]))


def decode(payload: memoryview, *, ignore_unknown: bool = False) -> Message | None:
    """The message; None: its kind is not known here. Raises RemoteProtocolError.

    ``ignore_unknown``: the peer speaks a newer minor version.
    """
    if len(payload) > limits.CONTROL_MESSAGE_BYTES_MAX:
        raise RemoteProtocolError("message-too-large", f"control message of {len(payload)} bytes")
    try:
        items = packed.unpack(payload)
    except packed.Unreadable as error:
        raise RemoteProtocolError("bad-message", f"control message: {error}") from error
    if not isinstance(items, tuple) or not items or not isinstance(items[0], str):
        raise RemoteProtocolError("bad-message", "control message: no array with its name first")
    kind = _KINDS.get(items[0])
    if kind is None and ignore_unknown:
        return None
    if kind is None:
        raise RemoteProtocolError("bad-message", f"control message: unknown kind {items[0]!r:.80}")
    try:
        return packed.judge(items, kind)
    except packed.Unreadable as error:
        if kind is Hello:
            _check_version(items)
        raise RemoteProtocolError("bad-message", f"control message: {error}") from error


def _check_version(hello: tuple[object, ...]) -> None:
    """Raises RemoteProtocolError if a HELLO that we cannot read has another version."""
    version = hello[1] if len(hello) > 1 else VERSION
    if type(version) is int and version != VERSION:
        raise RemoteProtocolError(
            "version",
            f"the peer speaks version {version} of the link protocol, we {VERSION}. Upgrade "
            "the older of the two routers",
        )


encode_open: Callable[[OpenRequest], bytes] = msgspec.msgpack.Encoder().encode
"""The payload of OPEN."""


def decode_open(payload: Buffer) -> OpenRequest:
    """The payload of OPEN with its numbers in range. Raises RemoteProtocolError."""
    try:
        return _OPEN.decode(payload)
    except _UNDECODABLE as error:
        raise RemoteProtocolError("bad-open", f"OPEN: {error}") from error


def decode_brought(payload: Buffer) -> BroughtRequest:
    """As `decode_open`, for an OPEN from another router of this site."""
    try:
        return _BROUGHT.decode(payload)
    except _UNDECODABLE as error:
        raise RemoteProtocolError("bad-open", f"OPEN: {error}") from error


def split_loads(message: LoadMessage) -> list[LoadMessage]:
    """``message`` in pieces that fit in a frame each."""
    size = limits.LOADS_PER_MESSAGE_MAX
    reports = message.reports
    return [LoadMessage(reports[at : at + size]) for at in range(0, len(reports), size)]
