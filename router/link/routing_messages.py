"""Messages between routers on a link about routes and loads."""

from typing import Annotated

import msgspec

from router.model import limits
from router.model.messages.acks import LsaAck
from router.model.messages.adverts import LoadReport
from router.model.messages.edges import EdgeMessage
from router.model.messages.shares import SharesMessage


class LsaMessage(msgspec.Struct, frozen=True, array_like=True, tag="lsa"):
    """One signed LSA part, verbatim, and how long ago its router sent it, as far as is known."""

    signed: bytes
    age_s: Annotated[int, msgspec.Meta(ge=0, le=limits.COUNTER_MAX)] = 0


class DigestMessage(msgspec.Struct, frozen=True, array_like=True, tag="digest"):
    """Hashes of the sender's link-state database. Sent only to peers with feature `digest`."""

    digest: Annotated[bytes, msgspec.Meta(max_length=8 * limits.DIGEST_BUCKETS_MAX)]
    wants_answer: bool


class LoadMessage(msgspec.Struct, frozen=True, array_like=True, tag="load"):
    """Load reports, several at once."""

    reports: tuple[LoadReport, ...]


RoutingMessage = LsaMessage | LsaAck | DigestMessage | LoadMessage | EdgeMessage | SharesMessage
"""Control messages that links carry for others. Messages of the links (HELLO, PING, …) stay
inside."""
