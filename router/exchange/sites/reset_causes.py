"""The meaning of a reset of a stream to another site: for its request, and for that site."""

from collections.abc import Mapping
from typing import Final

from router.balance.targets.ejection import Cause
from router.link.ports import ResetCode
from router.service.ports import LegCode

FAILURES: Final[Mapping[ResetCode, LegCode]] = {
    "cancelled": "link-lost",  # Not by us: a router on the way gave it up.
    "target-reset": "target-reset",
    "target-timeout": "target-timeout",
    "bad-message": "bad-message",
    "bad-response": "bad-response",
    "stalled": "stalled",
    "link-lost": "link-lost",
    "internal": "internal",
}
"""The failure of its request."""

BLAMES: Final[Mapping[ResetCode, Cause]] = {
    "cancelled": "lost",
    "link-lost": "lost",
    "target-timeout": "timeout",
    "bad-response": "malformed",
}
"""The cause charged to the site that the stream led to; any other reset is just a reset."""
