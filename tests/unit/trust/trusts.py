"""An issuer over a separate directory, for tests of renewal."""

from collections.abc import Callable
from pathlib import Path

from certs.ca.authority import Authority
from certs.identity import SiteIdentity
from certs.joining.redeem import ClaimDesk
from certs.links.revocation import Revocations
from router.trust.certificate_issuer import Issuer
from tests.unit.journal import Journal


class East:
    """A site that issues: identity, CA, register, and who it revoked."""

    def __init__(self, directory: Path, wall: Callable[[], float]) -> None:
        self.secrets = directory / "secrets"
        self.secrets.mkdir(mode=0o700, parents=True)
        self.identity = SiteIdentity.create(self.secrets)
        self.authority = Authority.create(self.secrets, self.identity.site_id, wall())
        self.revocations = Revocations(self.secrets)
        self.journal = Journal()
        self.desk = ClaimDesk(None)
        self.wall = wall
        self.issuer = self.started()

    def started(self) -> Issuer:
        """The issuer of a router that has just started, with the state on disk."""
        return Issuer(
            self.secrets,
            self.identity,
            lambda: self.authority,
            lambda chain: self.authority.ca_pem,
            self.revocations,
            self.desk,
            self.revocations.apply,
            self.journal.tell,
            wall=self.wall,
        )
