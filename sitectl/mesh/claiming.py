"""Credentials for the links of a mesh: claims made at one end and kept at the other.

Where both ends are in reach nothing is written to a file. For a site that is not, all claims of its
links go into one file, its invitation; each claim works once.
"""

import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from certs.errors import CertError
from router.model.rights.sharing import Terms
from sitectl.base.failure import Failure, not_found, usage
from sitectl.mesh.reach import Reached, named
from sitectl.mesh.values import Mesh, MeshLink
from sitectl.site.claims import endpoints_to_dial, grant_claim

if TYPE_CHECKING:
    from certs.ca.terms import TokenTerms
    from certs.token_files.tokens import Token
    from sitectl.site.ports import LinkTokens


def claim_of(mesh: Mesh, link: MeshLink, acceptor: Reached, life_s: float | None) -> "Token":
    """A claim of the link's accepting site, for one use. Failure: no site can dial it."""
    try:
        return grant_claim(
            acceptor.site,
            f"{mesh.name}-{link.from_}-{secrets.token_hex(4)}"[:63],
            endpoints_to_dial(acceptor.site, ()),
            cost=link.cost,
            life_s=life_s,
            terms=_token_terms(link.allow),
        )
    except Failure as failure:
        raise named(failure, acceptor) from None


def keep(dialer: Reached, link: MeshLink, token: "Token", *, is_first: bool) -> None:
    """Have the dialing site use ``token``, in place of another one. Its caller holds the site.

    ``is_first``: there was none of that site. Another apply may have been faster: its token stays.
    """
    links = dialer.site.links
    if links.exists(link.title) and not links.holds(link.title, token):
        if is_first and _site_of(links, link.title) == token.site_id:
            return
        links.remove(link.title)
    links.add(link.title, token, link.proxy)


def _site_of(links: "LinkTokens", name: str) -> str:
    """The ID of the site whose token that is; empty: it is damaged."""
    try:
        return links.token(name).site_id
    except CertError:
        return ""


def _token_terms(allow: Terms) -> "TokenTerms":
    from certs.ca.terms import TokenTerms

    return TokenTerms(declare=allow.declare, export=allow.export, import_=allow.import_)


def write_invitation(path: Path, tokens: Iterable["Token"]) -> None:
    """All claims of one site in one file that only its owner reads (0600)."""
    from certs.token_files import tokens as codec
    from sitectl.base.texts import write_atomically

    write_atomically(path, "---\n".join(map(codec.dump, tokens)), 0o600)


def read_invitation(path: Path) -> dict[str, "Token"]:
    """The claims in an invitation, by the ID of the site that made each. Failure: it is none."""
    from certs.token_files import tokens as codec
    from sitectl.base import texts

    found: dict[str, Token] = {}
    for part in texts.text_of(path).split("\n---\n"):
        if not part.strip():
            continue
        try:
            token = codec.load(part, str(path))
        except CertError as error:
            raise usage(f"{path} is no invitation: {error.reason}", error.hint) from error
        found[token.site_id] = token
    if not found:
        raise not_found(f"{path} holds no claim", "sitectl mesh apply -f FILE --invite DIR")
    return found


def token_for(link: MeshLink, mesh: Mesh, invited: Mapping[str, "Token"]) -> "Token | None":
    """The claim in the invitation that is of the site that ``link`` leads to."""
    wanted = mesh.sites[link.to].id
    for site_id, token in invited.items():
        if site_id == wanted or (not wanted and token.site_name == link.to):
            return token
    return None
