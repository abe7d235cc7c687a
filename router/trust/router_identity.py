"""Who one router of a site is, to its neighbours."""

import msgspec

from certs.identity import SiteIdentity, site_id_of, verify
from router.model.ids import RouterId, SiteId


class RouterIdentity(msgspec.Struct, frozen=True):
    """The identity of one router of the site. Implements `OwnIdentity`."""

    key: SiteIdentity
    router: RouterId
    name: str

    @property
    def site(self) -> SiteId:
        """The hash of the public key."""
        return SiteId(self.key.site_id)

    @property
    def public_key(self) -> bytes:
        """DER."""
        return self.key.public_key

    def sign(self, data: bytes) -> bytes:
        """By the identity key."""
        return self.key.sign(data)

    def verify(self, public_key: bytes, signature: bytes, data: bytes) -> bool:
        """Whether the owner of ``public_key`` signed ``data``; garbage is just not."""
        return verify(public_key, signature, data)

    def site_of(self, public_key: bytes) -> SiteId:
        """The site whose key that is."""
        return SiteId(site_id_of(public_key))
