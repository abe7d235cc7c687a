"""This router's identity, for the rooms that sign with it and check signatures of others."""

from typing import Protocol

from router.model.ids import RouterId, SiteId


class OwnIdentity(Protocol):
    """This router's identity; `trust` makes it from `certs`."""

    @property
    def site(self) -> SiteId: ...
    @property
    def router(self) -> RouterId: ...
    @property
    def name(self) -> str: ...
    @property
    def public_key(self) -> bytes: ...

    def sign(self, data: bytes) -> bytes:
        """ECDSA P-256 over SHA-256, DER, by the identity key."""

    def verify(self, public_key: bytes, signature: bytes, data: bytes) -> bool:
        """Whether the signature is valid. False also for an unreadable key or signature; never
        raises.
        """

    def site_of(self, public_key: bytes) -> SiteId: ...
