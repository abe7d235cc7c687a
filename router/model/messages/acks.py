"""What a router says of an LSA part that it received."""

from zlib import crc32

import msgspec

from router.model.ids import RouterId


class LsaAck(msgspec.Struct, frozen=True, array_like=True, tag="ack"):
    """What of an origin was received: (router, part, epoch, sequence).

    ``checksum``: `checksum_of` its signed bytes, as two lives of a router that lost its epoch may
    use one number twice (RFC 2328, 13.7); 0: not told, as by earlier releases.
    """

    router: RouterId
    part: int
    epoch: int
    sequence: int
    checksum: int = 0


def checksum_of(signed: bytes) -> int:
    """It tells what was received apart and proves nothing: signatures do."""
    return crc32(signed)
