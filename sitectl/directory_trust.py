"""Identity, grants and revocations of a process site, by the stores of `certs`."""

import time
from collections.abc import Iterable
from pathlib import Path

from certs.authority import CA_FILE, CA_KEY_FILE, LEAF_FILE, LEAF_KEY_FILE, Authority
from certs.claims import Grant, GrantStore
from certs.identity import SiteIdentity
from certs.revocation import Revocations


class DirectoryTrust:
    """Implements `sitectl.site.Trust` in ``secrets/``."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    @property
    def site_id(self) -> str:
        """The id that its identity key gives it."""
        return SiteIdentity.load(self._directory).site_id

    def authority(self) -> Authority:
        """Its CA."""
        return Authority.load(self._directory)

    def grants(self) -> GrantStore:
        """In ``secrets/grants``."""
        return GrantStore(self._directory / "grants", self.authority())

    def granted(self) -> list[Grant]:
        """Every claim, as it is now."""
        if not (self._directory / "grants").is_dir():
            return []
        grants = self.grants()
        return [grant for name in grants.names() if (grant := grants.get(name)) is not None]

    def sweep(self, now: float) -> None:
        """Forget grants that expired without ever being used."""
        self.grants().sweep(now)

    def revoke(self, grants: Iterable[str], serials: Iterable[str], sites: Iterable[str]) -> None:
        """Refuse these claims, certificates and sites from now on."""
        store = self.grants()
        for name in grants:
            store.revoke(name)
        Revocations(self._directory).add(serials=tuple(serials), sites=tuple(sites))

    def is_revoked(self, site_id: str) -> bool:
        """By ``revoked.json``."""
        return Revocations(self._directory).is_revoked("", site_id)

    def renew(self, now: float) -> None:
        """Make another CA and forget all claims."""
        for grant in self.granted():
            self.revoke([grant.name], [], [])
        for file in (CA_FILE, CA_KEY_FILE, LEAF_FILE, LEAF_KEY_FILE):
            (self._directory / file).unlink(missing_ok=True)
        Authority.create(self._directory, self.site_id, now or time.time())
