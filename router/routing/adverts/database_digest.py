"""A digest of a database, so that two neighbors send only the differences (RFC 2328, 7.2).

Parts fall into buckets by their key; a digest has one hash for each bucket, over the signed bytes
of its parts. Both ends use the number of buckets in the sender's digest.
"""

from hashlib import sha256

from router.model.limits import DIGEST_BUCKETS_MAX
from router.routing.adverts.lsa import LsaKey
from router.routing.adverts.lsdb import Lsdb

HASH_BYTES = 8
"""Of a bucket. Hiding a change of another site's part takes a second preimage, some 2^64 tries."""

_EMPTY = bytes(HASH_BYTES)


def is_digest(digest: bytes) -> bool:
    """Whether ``digest`` has a hash for each of 1, 2, 4 … `DIGEST_BUCKETS_MAX` buckets."""
    buckets, rest = divmod(len(digest), HASH_BYTES)
    return not rest and 0 < buckets <= DIGEST_BUCKETS_MAX and not buckets & (buckets - 1)


class DatabaseDigest:
    """Digests of ``lsdb`` in its present state. Each part is hashed once in its life."""

    __slots__ = ("_hashed", "_lsdb")

    def __init__(self, lsdb: Lsdb) -> None:
        self._lsdb = lsdb
        self._hashed: dict[LsaKey, tuple[bytes, int, bytes]] = {}
        """By key: the signed bytes, the number that chooses the bucket, their hash."""

    def digest(self) -> bytes:
        """The digest of all parts, with about one bucket for each."""
        keys, count = self._lsdb.keys(), 1
        while count < min(len(keys), DIGEST_BUCKETS_MAX):
            count *= 2
        return b"".join(self._hash(bucket) for bucket in self._buckets(keys, count))

    def differing(self, digest: bytes) -> list[LsaKey]:
        """Keys of our parts in buckets that differ from a neighbor's ``digest``."""
        starts = range(0, len(digest), HASH_BYTES)
        theirs = [digest[start : start + HASH_BYTES] for start in starts]
        ours = self._buckets(self._lsdb.keys(), len(theirs))
        return sorted(
            key
            for bucket, their_hash in zip(ours, theirs, strict=True)
            if self._hash(bucket) != their_hash
            for key in bucket
        )

    def _buckets(self, keys: list[LsaKey], count: int) -> list[list[LsaKey]]:
        """Distribute sorted ``keys``, which must be all keys, and keep their order within each
        bucket."""
        known, self._hashed = self._hashed, {}
        buckets: list[list[LsaKey]] = [[] for _ in range(count)]
        for key in keys:
            stored = self._lsdb.get(key)
            assert stored is not None
            signed, hashed = stored[1], known.get(key)
            if hashed is None or hashed[0] is not signed:
                hashed = (signed, _number(key), sha256(signed).digest())
            self._hashed[key] = hashed
            buckets[hashed[1] % count].append(key)
        return buckets

    def _hash(self, bucket: list[LsaKey]) -> bytes:
        if not bucket:
            return _EMPTY
        return sha256(b"".join(self._hashed[key][2] for key in bucket)).digest()[:HASH_BYTES]


def _number(key: LsaKey) -> int:
    """The number of a key, the same at every router."""
    named = "\0".join((str(key.part), key.node.router, key.node.site))
    return int.from_bytes(sha256(named.encode()).digest()[:4])
