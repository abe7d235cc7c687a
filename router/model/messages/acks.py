"""Acknowledgments of LSA parts."""

from zlib import crc32

import msgspec

from router.model.ids import RouterId


class LsaAck(msgspec.Struct, frozen=True, array_like=True, tag="ack"):
    """The version of an LSA part that was received: (router, part, epoch, sequence).

    ``checksum``: `checksum_of` its signed bytes, because a router that lost its epoch may use one
    number twice (RFC 2328, 13.7); 0: not given, as by earlier releases.
    """

    router: RouterId
    part: int
    epoch: int
    sequence: int
    checksum: int = 0


def checksum_of(signed: bytes) -> int:
    """A CRC-32 to distinguish received parts. It proves nothing: signatures do."""
    return crc32(signed)
