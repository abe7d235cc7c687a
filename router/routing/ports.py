"""What routing needs from outside."""

from typing import Protocol

from router.model.ids import RouterId, SiteId


class RoutingIdentity(Protocol):
    """This router's identity, and how the words of others are checked."""

    @property
    def site(self) -> SiteId: ...
    @property
    def router(self) -> RouterId: ...
    @property
    def name(self) -> str: ...
    @property
    def public_key(self) -> bytes: ...

    def sign(self, data: bytes) -> bytes: ...

    def verify(self, public_key: bytes, signature: bytes, data: bytes) -> bool:
        """False as well for a key or signature that cannot be read; never raises."""

    def site_of(self, public_key: bytes) -> SiteId: ...
