"""A deterministic identity without cryptography, and short ways to make values."""

from hashlib import sha256

from router.model.ids import RouterId, SiteId
from router.model.messages.adverts import Declaration, TargetsAdvert
from router.model.specs import ServiceSpec
from router.routing.adverts.lsa import Adjacency, Lsa, Node, PartRef, Services, Topology, encode_lsa


def hexadecimal(data: bytes) -> str:
    """As of all ids here; see `conftest.both_orders`."""
    return data.hex()


class FakeIdentity:
    """Signs by a hash over a secret that follows from the public key: only tests know how."""

    def __init__(self, name: str, router: str = "") -> None:
        self._name = name
        self._public_key = b"key of " + name.encode()
        self._router, self._hash = router, sha256(name.encode()).digest()[:8]

    @property
    def site(self) -> SiteId:
        return self.site_of(self._public_key)

    @property
    def router(self) -> RouterId:
        return RouterId(self._router or hexadecimal(self._hash))

    @property
    def name(self) -> str:
        return self._name

    @property
    def public_key(self) -> bytes:
        return self._public_key

    @property
    def node(self) -> Node:
        return Node(self.router, self.site)

    def sign(self, data: bytes) -> bytes:
        return _signature(self._public_key, data)

    def verify(self, public_key: bytes, signature: bytes, data: bytes) -> bool:
        return signature == _signature(public_key, data)

    def site_of(self, public_key: bytes) -> SiteId:
        return SiteId(hexadecimal(sha256(public_key).digest()[:16]))


class SameSiteIdentity(FakeIdentity):
    """A further router of a site, or (``name``) the same key under another name."""

    def __init__(self, of: FakeIdentity, router: str, name: str = "") -> None:
        super().__init__(of.name, router)
        self._name = name or of.name


def _signature(public_key: bytes, data: bytes) -> bytes:
    return sha256(b"secret" + public_key + data).digest()


def make_lsa(
    who: FakeIdentity,
    *,
    neighbours: tuple[tuple[FakeIdentity, int], ...] = (),
    epoch: int = 1,
    sequence: int = 1,
    parts: tuple[PartRef, ...] = (),
    services: Services | None = None,
    part: int = 0,
    boot_nonce: bytes = b"n",
    boot_epoch: int = 1,
    draining: bool = False,
    stub: bool = False,
) -> Lsa:
    adjacencies = tuple(Adjacency(other.router, other.site, cost) for other, cost in neighbours)
    topology = Topology(
        adjacencies=adjacencies,
        draining=draining,
        stub=stub,
        name=who.name,
        version="1",
        parts=parts,
    )
    return Lsa(
        router=who.router,
        site=who.site,
        part=part,
        epoch=epoch,
        sequence=sequence,
        boot_epoch=boot_epoch,
        boot_nonce=boot_nonce,
        public_key=who.public_key,
        body=services or topology,
    )


def signed(lsa: Lsa, who: FakeIdentity) -> bytes:
    return encode_lsa(lsa, who)


def declare(
    name: str, *, at: float = 0.0, protocol: str = "http", ports: tuple[int, ...] = (80,)
) -> Declaration:
    return Declaration(
        name=name,
        spec=ServiceSpec(protocol="http" if protocol == "http" else "tcp", ports=ports),
        declared_at_s=at,
    )


def advert(
    name: str,
    *,
    port: int = 80,
    ready: int = 1,
    capacity: int | None = 10,
    rate_per_s: float | None = None,
) -> TargetsAdvert:
    return TargetsAdvert(
        name=name, port=port, targets_ready=ready, capacity=capacity, rate_per_s=rate_per_s
    )
