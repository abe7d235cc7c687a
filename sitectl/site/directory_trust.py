"""Identity, grants and revocations of a process site, by the stores of `certs`."""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from certs.ca import rotation
from certs.ca.authority import Authority
from certs.ca.ca_files import CaFiles
from certs.ca.rotation import CaState
from certs.errors import CertError
from certs.identity import SiteIdentity
from certs.joining.claims import Grant, GrantStore
from certs.links.register import DIRECTORY, Admitted, Register
from certs.links.revocation import Revocations


class DirectoryTrust:
    """Implements `sitectl.site.ports.Trust` in ``secrets/``."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    @property
    def site_id(self) -> str:
        """The id that its identity key gives it."""
        return SiteIdentity.load(self._directory).site_id

    def authority(self) -> Authority:
        """Its CA."""
        return Authority.load(self._directory)

    def ca(self) -> CaState:
        """Its CA with the rotation it is in."""
        return CaFiles(self._directory).load()

    def rotate(self, now: float, *, hurried: bool) -> CaState:
        """Start to replace the CA, or hurry a running replacement; the stored state after it."""
        files, (made, key_pem) = CaFiles(self._directory), Authority.generate(self.site_id, now)
        while True:
            before = files.load()
            new = CaState(key_pem, made.ca_pem)
            after = rotation.announced(before, new, now, hurried=hurried)
            if after == before or files.change(before, after):
                return after

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
        register, barred = Register(self._directory / DIRECTORY), tuple(sites)
        known = [entry for site in barred if (entry := register.get(site)) is not None]
        held = [serial for entry in known for serial in entry.serials]
        Revocations(self._directory).add(serials=(*serials, *held), sites=barred)

    def admitted(self) -> list[Admitted]:
        """By the routers' register, without damaged entries: the others can be revoked."""
        if not (self._directory / DIRECTORY).is_dir():
            return []
        register = Register(self._directory / DIRECTORY)
        found: list[Admitted] = []
        for site in register.sites():
            with suppress(CertError):
                entry = register.get(site)
                if entry is not None:
                    found.append(entry)
        return found

    def is_revoked(self, site_id: str = "", *, serial: str = "") -> bool:
        """By ``revoked.json``."""
        return Revocations(self._directory).is_revoked(serial, site_id)

    def renew(self, now: float) -> None:
        """Make another CA and forget all claims."""
        Register(self._directory / DIRECTORY).forget_all()
        for grant in self.granted():
            self.revoke([grant.name], [], [])
        CaFiles(self._directory).replace(self.site_id, now)  # Last: no site rejoins by the new one.
