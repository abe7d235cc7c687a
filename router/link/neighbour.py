"""The router at the other end of a link."""

import msgspec

from router.model.ids import RouterId, SiteId
from router.model.rights.sharing import FREE, Terms


class LinkPermission(msgspec.Struct, frozen=True):
    """How a site was let in here: on which terms, and by which token; empty: without a token."""

    terms: Terms = FREE
    token: str = ""


class Neighbour(msgspec.Struct, frozen=True):
    """The router at the other end of a link, proven by its identity key.

    ``is_edge``: it gets a table instead of LSAs, and names destinations instead of paths.
    ``is_sibling``: another router of our own site. ``tells_shares``: a sibling that reports its
    shares. ``judges``: it withholds from an edge the streams of sites that the edge does not offer
    its service to. ``compares``: it knows digests of databases. ``terms``: the terms on which its
    site was let in here. ``token``: the token that let it in; empty: none, as where this site
    dials.
    """

    router: RouterId
    site: SiteId
    name: str
    public_key: bytes  # DER SubjectPublicKeyInfo.
    is_edge: bool = False
    is_sibling: bool = False
    tells_shares: bool = False
    judges: bool = False
    compares: bool = False
    terms: Terms = FREE
    token: str = ""

    @property
    def holder(self) -> str:
        """The holder whose rates bound its messages: the token that let it in, else its site. Each
        router of our own site has separate rates."""
        return self.router if self.is_sibling else self.token or self.site

    @property
    def is_plain(self) -> bool:
        """Streams from and to it need no check by us on their way."""
        return self.terms is FREE and not self.is_edge


class LinkedDialer(msgspec.Struct, frozen=True):
    """The other end of an incoming link that is up.

    ``renews``: it can renew its certificate over the link, and then dials the link again.
    ``certificate``: the one that it shows (DER); empty: the link drains, so no other one follows.
    """

    neighbour: Neighbour
    renews: bool
    certificate: bytes
