"""Names of things that cross rooms."""

from typing import NewType

import msgspec

SiteId = NewType("SiteId", str)
"""SHA-256 of the site's public identity key (DER), first 128 bits, 32 lower-case hex digits."""

RouterId = NewType("RouterId", str)
"""Random, made once per router and kept in its state: 16 lower-case hex digits."""


class ServiceKey(msgspec.Struct, frozen=True, order=True, cache_hash=True):
    """One port of a service: what is listened on, balanced and counted."""

    name: str
    port: int

    def __str__(self) -> str:
        return f"{self.name}:{self.port}"
