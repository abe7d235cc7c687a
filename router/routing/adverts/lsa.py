"""Link-state adverts: values and codec.

A part on the wire is msgpack ``[payload, signature]``; the payload is an `Lsa`. Each part carries
its origin's key, so each can be judged alone. Later versions may append to arrays.
"""

import math
import re
from collections.abc import Iterable
from typing import Annotated

import msgspec

from router.model.ids import (
    ROUTER_ID,
    SITE_ID,
    RouterId,
    SiteId,
    SiteName,
    is_shown_site_name,
    is_site_id,
)
from router.model.limits import (
    ADJACENCIES_MAX,
    BARS_MAX,
    COUNTER_MAX,
    GRANTS_PER_SERVICE_MAX,
    ID_CHARS_MAX,
    LSA_ENVELOPE_BYTES,
    LSA_PART_BYTES_MAX,
    LSA_PARTS_MAX,
    LSA_SERVICE_PORTS_MAX,
    NAME_CHARS_MAX,
    QUEUE_MAX,
    QUEUE_WAIT_S_MAX,
    RATE_SUM_MAX,
    ROUTING_KEY_CHARS_MAX,
    SERVICES_PER_SITE_MAX,
    SHARING_PATTERN_CHARS_MAX,
    SHARING_PATTERNS_MAX,
)
from router.model.messages import packed
from router.model.messages.adverts import Declaration, TargetsAdvert
from router.model.messages.exports import terms_are_bad
from router.model.own_identity import OwnIdentity
from router.model.rights.grants import VERBS, ServiceGrant
from router.model.rights.sharing import Terms

Router = Annotated[RouterId, msgspec.Meta(pattern=ROUTER_ID)]
Site = Annotated[SiteId, msgspec.Meta(pattern=SITE_ID)]
Count = Annotated[int, msgspec.Meta(ge=0, le=COUNTER_MAX)]
Part = Annotated[int, msgspec.Meta(ge=0, lt=LSA_PARTS_MAX)]
Version = tuple[int, int]
"""(epoch, sequence): the greater is the newer."""


class Node(msgspec.Struct, frozen=True, order=True, cache_hash=True, gc=False):
    """A vertex of the graph. It needs both ids: another site can claim the same router id."""

    router: RouterId
    site: SiteId


class LsaKey(msgspec.Struct, frozen=True, order=True, cache_hash=True):
    """Key of a part in the database: the router and the number of the part."""

    part: int
    node: Node


class Adjacency(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A neighbor as its origin reports it. The cost is as reported; the graph clamps it.

    ``terms``: the number, from 1, of the topology's terms that the neighbor is let in on; 0: free.
    """

    router: Router
    site: Site
    cost: int
    terms: Count = 0


class PartRef(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A further part that belongs to this part 0."""

    part: Part
    sequence: Count


class Bar(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A site that the origin put out, and the time until which it says so (Unix seconds)."""

    site: Site
    until: Count


class Topology(msgspec.Struct, frozen=True, array_like=True, tag="topology", kw_only=True):
    """Body of part 0. ``stub``: never crossed. ``draining``: takes nothing new.

    ``restored``: Unix seconds at which the state of its site was restored from a backup; 0: never.
    ``terms``: the terms that adjacencies refer to. ``bars``: see `router.routing.bars`.
    ``deleted``: the site will not come back. ``common``: all such routers of the site read the same
    documents, as those of a namespace do, so the others speak for one that is lost.
    """

    adjacencies: Annotated[tuple[Adjacency, ...], msgspec.Meta(max_length=ADJACENCIES_MAX)]
    draining: bool
    stub: bool
    name: SiteName
    version: Annotated[str, msgspec.Meta(max_length=NAME_CHARS_MAX)]
    parts: tuple[PartRef, ...]
    restored: Count = 0
    terms: tuple[Terms, ...] = ()
    bars: Annotated[tuple[Bar, ...], msgspec.Meta(max_length=BARS_MAX)] = ()
    deleted: bool = False
    common: bool = False


class Services(msgspec.Struct, frozen=True, array_like=True, tag="services"):
    """Body of a further part."""

    declarations: tuple[Declaration, ...]
    adverts: tuple[TargetsAdvert, ...]


class Lsa(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """One part. ``boot_epoch`` is the epoch its process started with, ``boot_nonce`` is random."""

    router: Router
    site: Site
    part: Part
    epoch: Count
    sequence: Count
    boot_epoch: Count
    boot_nonce: Annotated[bytes, msgspec.Meta(max_length=ID_CHARS_MAX)]
    public_key: bytes
    body: Topology | Services

    @property
    def node(self) -> Node:
        return Node(self.router, self.site)

    @property
    def key(self) -> LsaKey:
        return LsaKey(self.part, self.node)

    @property
    def newness(self) -> Version:
        return (self.epoch, self.sequence)


class LsaFault(msgspec.Struct, frozen=True):
    """Why bytes are not a valid LSA.

    ``code``: too-large, malformed, bad-value, wrong-site or bad-signature; from an edge not-its-own
    or not-an-edge; for an edge's table bad-table.
    """

    code: str
    reason: str


class _Signed(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    payload: bytes
    signature: bytes


class ReceivedLsa(msgspec.Struct, frozen=True):
    """A decoded part. Nothing in it may be trusted before `signature_fault` returned None."""

    lsa: Lsa
    signed: bytes
    payload: bytes
    signature: bytes


def encode_lsa(lsa: Lsa, identity: OwnIdentity) -> bytes:
    """``lsa`` signed by its origin. A ValueError here is a bug: parts are split to fit."""
    payload = packed.pack(lsa)
    signed = packed.pack(_Signed(payload, identity.sign(payload)))
    if len(signed) > LSA_PART_BYTES_MAX:
        raise ValueError(f"LSA part {lsa.part} has {len(signed)} bytes")
    return signed


def decode_lsa(signed: bytes) -> ReceivedLsa | LsaFault:
    """Decode ``signed`` without checking its signature. `signature_fault` does that."""
    if len(signed) > LSA_PART_BYTES_MAX:
        return LsaFault("too-large", f"{len(signed)} bytes")
    try:
        wrapped = packed.read(signed, _Signed)
        lsa = packed.read(wrapped.payload, Lsa)
    except packed.Unreadable as error:
        return LsaFault("malformed", str(error)[:200])
    if packed.pack(wrapped) != signed:
        return LsaFault("malformed", "not the shortest encoding")  # One content has one encoding.
    reason = _bad_value(lsa)
    if reason:
        return LsaFault("bad-value", reason)
    return ReceivedLsa(lsa, signed, wrapped.payload, wrapped.signature)


def signature_fault(received: ReceivedLsa, identity: OwnIdentity) -> LsaFault | None:
    """Check the signature of a part. None: the site with its id signed it."""
    lsa = received.lsa
    if identity.site_of(lsa.public_key) != lsa.site:
        return LsaFault("wrong-site", f"the key is not that of site {lsa.site}")
    if not identity.verify(lsa.public_key, received.signature, received.payload):
        return LsaFault("bad-signature", f"not signed by site {lsa.site}")
    return None


def name_fault(lsa: Lsa, neighbour: Node, name: str) -> LsaFault | None:
    """None: the neighbor's name in ``lsa`` is the one with which it linked, or ``lsa`` gives
    none."""
    topology = lsa.body if lsa.node == neighbour and isinstance(lsa.body, Topology) else None
    if topology is None or not name or topology.name == name:
        return None
    return LsaFault("wrong-name", f"it linked as {name} and calls itself {topology.name}")


def edge_fault(lsa: Lsa, edge: Node) -> LsaFault | None:
    """None: the edge ``edge`` may send ``lsa``, which is about itself, and says that it is an
    edge."""
    if lsa.node != edge:
        return LsaFault("not-its-own", f"an edge spoke of site {lsa.site}")
    topology = lsa.body if isinstance(lsa.body, Topology) else None
    if topology and (not topology.stub or len(topology.adjacencies) > 1):
        return LsaFault("not-an-edge", "an edge has one adjacency and is never crossed")
    return None


def _bad_value(lsa: Lsa) -> str:
    """A fault in the values of ``lsa`` that types cannot exclude; empty: none."""
    match lsa.body:
        case Topology() as body:
            return "adjacencies outside part 0" if lsa.part != 0 else _bad_topology(body)
        case Services() as body:
            if lsa.part == 0:
                return "services in part 0"
            for declaration in body.declarations:
                if declaration_is_bad(declaration):
                    return f"declaration of {declaration.name!r:.80}"
            told: set[tuple[str, int]] = set()
            for advert in body.adverts:
                if advert_is_bad(advert):
                    return f"targets of {advert.name!r:.80}"
                if (advert.name, advert.port) in told:
                    return f"targets of {advert.name!r:.80}, port {advert.port}, twice"
                told.add((advert.name, advert.port))
    return ""


def _bad_topology(body: Topology) -> str:
    if not body.version.isprintable():
        return "version is not printable"
    numbers = [ref.part for ref in body.parts]
    if 0 in numbers or len(set(numbers)) != len(numbers):
        return "the list of parts is wrong"
    if any(adjacency.terms > len(body.terms) for adjacency in body.adjacencies):
        return "an adjacency is on terms that are not given"
    return "terms with too many patterns" if any(map(_terms_are_bad, body.terms)) else ""


# A DNS-1123 label, as in a file: it becomes part of a host name and of a cookie name.
_SERVICE_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")


def _is_shown_key(key: str) -> bool:
    return len(key) <= ROUTING_KEY_CHARS_MAX and key.isprintable()


def _name_is_bad(name: str) -> bool:
    return len(name) > NAME_CHARS_MAX or _SERVICE_NAME.fullmatch(name) is None


def _port_is_bad(port: int) -> bool:
    return not 0 < port < 65_536


def _patterns_are_bad(patterns: tuple[str, ...] | None) -> bool:
    if patterns is None:
        return False
    longest = max(map(len, patterns), default=0)
    return len(patterns) > SHARING_PATTERNS_MAX or longest > SHARING_PATTERN_CHARS_MAX


def _terms_are_bad(terms: Terms) -> bool:
    return any(map(_patterns_are_bad, (terms.declare, terms.export, terms.import_)))


def declaration_is_bad(told: Declaration) -> bool:
    """Whether a value is out of its bounds. Decoding has already checked the types."""
    spec = told.spec
    return bool(
        _name_is_bad(told.name)
        or not 0 < len(spec.ports) <= LSA_SERVICE_PORTS_MAX
        or any(map(_port_is_bad, spec.ports))
        or len(set(spec.ports)) != len(spec.ports)
        or (spec.headless and _name_is_bad(spec.headless))
        or (spec.routing_key and not _is_shown_key(spec.routing_key))
        or not all(map(is_shown_site_name, spec.policy.weights))
        # NaN would break the order that all sites must agree on.
        or not math.isfinite(told.declared_at_s)
        # As in a file: the value applies here too.
        or not 0 <= spec.queue_wait_s <= QUEUE_WAIT_S_MAX
        or not 0 <= (spec.queue or 0) <= QUEUE_MAX
        or _patterns_are_bad(told.export_to)
        or len(told.grants) > GRANTS_PER_SERVICE_MAX
        or any(map(_grant_is_bad, told.grants))
        or (told.export is not None and terms_are_bad(told.export))
    )


def _grant_is_bad(grant: ServiceGrant) -> bool:
    return (
        not is_site_id(grant.site)
        or len(grant.verbs) > 2 * len(VERBS)  # Later versions may have more.
        or any(len(verb) > NAME_CHARS_MAX for verb in grant.verbs)
        or not 0 <= (grant.max_capacity or 0) <= COUNTER_MAX
        or not 0 <= grant.until <= COUNTER_MAX
    )


def advert_is_bad(told: TargetsAdvert) -> bool:
    """Whether a value is out of its bounds. Decoding has already checked the types."""
    return (
        _name_is_bad(told.name)
        or _port_is_bad(told.port)
        or not 0 <= told.targets_ready <= COUNTER_MAX
        or not 0 <= (told.capacity or 0) <= COUNTER_MAX
        or not 0 <= told.reserved <= COUNTER_MAX
        or not 0 <= (told.most_for_one or 0) <= COUNTER_MAX
        or not (told.rate_per_s is None or 0 < told.rate_per_s <= RATE_SUM_MAX)
        or _patterns_are_bad(told.export_to)
    )


_ROOM_BYTES = LSA_PART_BYTES_MAX - LSA_ENVELOPE_BYTES


class Splitter:
    """Splits after each change: an item that is the same object as before is not encoded again."""

    __slots__ = ("_sizes",)

    def __init__(self) -> None:
        self._sizes: dict[int, tuple[Declaration | TargetsAdvert, int]] = {}
        """By id, for items that are held here, and so stay alive."""

    def split(
        self, declarations: Iterable[Declaration], adverts: Iterable[TargetsAdvert]
    ) -> tuple[Services, ...]:
        """Bodies for parts 1, 2, …, each fitting its part; the order given does not matter.

        ValueError: too many services or parts, an item that does not fit into any part, or a bad
        value.
        """
        items: list[Declaration | TargetsAdvert] = [
            *sorted(declarations, key=lambda told: (told.name, told.declared_at_s)),
            *sorted(adverts, key=lambda told: (told.name, told.port)),
        ]
        sizes = self._sizes
        known = {id(item): sizes.get(id(item)) or (item, _size(item)) for item in items}
        self._sizes = known
        shares: list[list[Declaration | TargetsAdvert]] = []
        filled = _ROOM_BYTES
        for item, size in [known[id(item)] for item in items]:
            if filled + size > _ROOM_BYTES:
                shares.append([])
                filled = 0
            shares[-1].append(item)
            filled += size
        names = {item.name for item in items}
        if len(names) > SERVICES_PER_SITE_MAX:
            raise ValueError(f"{len(names)} services, more than {SERVICES_PER_SITE_MAX}")
        if len(shares) >= LSA_PARTS_MAX:
            raise ValueError(f"services need {len(shares)} parts, more than {LSA_PARTS_MAX - 1}")
        return tuple(
            Services(
                tuple([item for item in share if isinstance(item, Declaration)]),
                tuple([item for item in share if isinstance(item, TargetsAdvert)]),
            )
            for share in shares
        )


def _size(item: Declaration | TargetsAdvert) -> int:
    """Bytes that an item takes in a part. ValueError: it is larger than a part."""
    bad = declaration_is_bad(item) if isinstance(item, Declaration) else advert_is_bad(item)
    size = len(packed.pack(item))
    if bad or size > _ROOM_BYTES:
        raise ValueError(f"service {item.name!r:.80} cannot be announced to other sites")
    return size
