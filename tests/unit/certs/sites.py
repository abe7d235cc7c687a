"""A site's secrets in a directory, as `sitectl init` makes them, for the tests of this room."""

from pathlib import Path

import msgspec

from certs.ca.authority import Authority
from certs.identity import SiteIdentity
from certs.joining import issue
from certs.joining.claims import ClaimRequest, GrantStore
from certs.joining.redeem import make_request
from certs.token_files.tokens import Token

NOW = 1_790_000_000.0
ENDPOINTS = (("east.example", 55671), ("fd00::7", 55671))


class Site:
    """Identity, CA and grants of a site called ``name`` under ``root``."""

    def __init__(self, root: Path, name: str = "east", now: float = NOW) -> None:
        self.name = name
        self.secrets = root / name / "secrets"
        self.identity = SiteIdentity.create(self.secrets)
        self.authority = Authority.create(self.secrets, self.identity.site_id, now)
        self.grants = GrantStore(self.secrets / "grants", self.authority)

    def claim(
        self,
        name: str = "to-east",
        *,
        now: float = NOW,
        life_s: float = 900,
        uses: int = 1,
        cost: int | None = 3,
    ) -> Token:
        return issue.claim_token(
            self.grants,
            self.authority,
            name=name,
            site_id=self.identity.site_id,
            site_name=self.name,
            endpoints=ENDPOINTS,
            now=now,
            life_s=life_s,
            uses=uses,
            cost=cost,
        )

    def certificate_token(
        self, name: str = "to-east", *, now: float = NOW, life_s: float = 86_400
    ) -> Token:
        return issue.certificate_token(
            self.authority,
            name=name,
            site_id=self.identity.site_id,
            site_name=self.name,
            endpoints=ENDPOINTS,
            now=now,
            life_s=life_s,
        )


OTHER_SITE_ID = "ab" * 16


def request_of(token: Token, key_pem: str | None = None) -> bytes:
    """The body of a redeemer called west."""
    return make_request(token, OTHER_SITE_ID, "west", key_pem)[1]


def parsed(body: bytes) -> ClaimRequest:
    return msgspec.json.decode(body, type=ClaimRequest)
