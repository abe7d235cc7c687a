"""Sites that may link here: a register of the certificates that this site issued, by site.

One JSON file per site in ``secrets/admitted/``, replaced whole. Renewals are judged by it,
`revoke-access` bars its sites, and `link access` lists it.
"""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import msgspec

from certs import certificates, files, limits, names
from certs.errors import CertError

DIRECTORY = "admitted"
_SUFFIX, _LOCK_FILE = ".json", ".lock"


class Issued(msgspec.Struct, frozen=True):
    """One certificate. ``key``: SHA-256 of its public key (DER), hex."""

    key: str
    serial: str
    expires: float
    chain: str


class Admitted(msgspec.Struct, frozen=True, kw_only=True):
    """A site that may link here. Times are Unix seconds, 0: never; ``issued`` is oldest first.

    ``by`` is the name of the token that let it in. ``name`` is the name it gives itself. ``left``:
    when it was deleted, by its own report.
    """

    site_id: Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{32}\Z")]
    name: str
    by: str
    since: float
    seen: float = 0.0
    renewed: float = 0.0
    issued: tuple[Issued, ...] = ()
    left: float = 0.0
    version: int = files.STATE_VERSION

    @property
    def is_gone(self) -> bool:
        """Whether it was deleted, and not restored and linked since."""
        return self.left > self.seen

    @property
    def expires(self) -> float:
        """When the last of its certificates ends."""
        return max((one.expires for one in self.issued), default=0.0)

    @property
    def tokens(self) -> tuple[str, ...]:
        """Names of all known tokens that let it in; that of its newest certificate last."""
        names = {self.by: None}
        for one in self.issued:
            name = certificates.common_name(one.chain)
            names.pop(name, None)
            names[name] = None
        return tuple(name for name in names if name)

    @property
    def serials(self) -> tuple[str, ...]:
        """Serials of all its certificates that may still be valid."""
        return tuple(one.serial for one in self.issued)


def encode(entry: Admitted) -> bytes:
    """The stored form."""
    return msgspec.json.encode(entry)


def decode(data: bytes, source: str) -> Admitted:
    """Decode `encode`'s result. `CertError` naming ``source``: damaged or of a newer version."""
    advice = "Delete it; the site is entered again when it links"
    return files.decode_state(data, Admitted, source, advice)


def joined(one: Admitted, other: Admitted) -> Admitted:
    """Both entries of a site, merged; certificates known only to ``other`` are the newer ones."""
    chains = {issued.serial: issued.chain for issued in (*one.issued, *other.issued)}
    chains |= {issued.serial: issued.chain for issued in one.issued if issued.chain}
    known = dict.fromkeys((*one.issued, *other.issued))
    by_serial = {issued.serial: issued for issued in known}
    both = [msgspec.structs.replace(each, chain=chains[s]) for s, each in by_serial.items()]
    later = other if other.seen >= one.seen else one
    return msgspec.structs.replace(
        one,
        name=later.name,
        since=min(one.since, other.since),
        seen=later.seen,
        renewed=max(one.renewed, other.renewed),
        left=max(one.left, other.left),
        issued=tuple(both[-limits.ISSUED_PER_SITE_MAX :]),
    )


def brief(entry: Admitted) -> Admitted:
    """The entry without the texts of older certificates; a site rejoins by its newest one."""
    older = [msgspec.structs.replace(one, chain="") for one in entry.issued[:-1]]
    return msgspec.structs.replace(entry, issued=(*older, *entry.issued[-1:]))


class Register:
    """The register in ``directory`` (``secrets/admitted``). Safe between processes."""

    __slots__ = ("_directory",)

    def __init__(self, directory: Path) -> None:
        files.make_private_directory(directory)
        self._directory = directory

    def sites(self) -> list[str]:
        """Ids of all sites, sorted."""
        found = (entry for entry in os.listdir(self._directory) if not entry.startswith("."))
        return sorted(e.removesuffix(_SUFFIX) for e in found if e.endswith(_SUFFIX))

    def get(self, site_id: str) -> Admitted | None:
        """The entry of a site. `CertError` if its file is damaged."""
        if not names.is_site_id(site_id):
            return None
        path = self._path(site_id)
        try:
            data = files.read_secret(path, limits.ADMITTED_FILE_BYTES_MAX)
        except FileNotFoundError:
            return None
        return decode(data, str(path))

    def seen(self, site_id: str, name: str, certificate: bytes, now: float) -> bool:
        """Record a link by ``certificate``; whether that was written: if new, else once a day."""
        known = self.get(site_id)
        serial = certificates.serial_of(certificate)
        is_known = known is not None and known.name == name and serial in known.serials
        if (
            known is not None
            and not known.is_gone
            and is_known
            and 0 <= now - known.seen < limits.SEEN_EACH_S
        ):
            return False
        by = certificates.common_name(certificate)
        shown = Issued(
            key=certificates.key_id(certificate),
            serial=serial,
            expires=certificates.expires_at(certificate),
            chain=certificates.to_pem(certificates.read(certificate)),
        )
        with self._lock():
            entry = self.get(site_id) or Admitted(site_id=site_id, name=name, by=by, since=now)
            # The time of its deletion may be later by another clock; a site that links is not gone.
            entry = msgspec.structs.replace(entry, name=name, seen=max(now, entry.left))
            if serial not in entry.serials:
                entry = _with(entry, shown, now)[0]
            self._write(entry)
        return True

    def keep(self, site_id: str, name: str, chain_pem: str, now: float) -> tuple[str, ...]:
        """Enter a certificate before it is handed out; returns certificates that had no room.

        The caller must revoke those that are the site's own, since they cannot be named any more.
        `CertError`: the register is full.
        """
        issued = Issued(
            key=certificates.key_id(chain_pem),
            serial=certificates.serial_of(chain_pem),
            expires=certificates.expires_at(chain_pem),
            chain=chain_pem,
        )
        with self._lock():
            entry = self.get(site_id) or Admitted(
                site_id=site_id, name=name, by=certificates.common_name(chain_pem), since=now
            )
            entry = msgspec.structs.replace(entry, renewed=now)
            entry, dropped = _with(entry, issued, now)
            self._write(entry)
        return dropped

    def deleted(self, site_id: str, now: float) -> bool:
        """Record that the site was deleted; whether that was written: unless it is known, or has
        no entry."""
        with self._lock():
            entry = self.get(site_id)
            if entry is None or entry.is_gone:
                return False
            # Its last link may be later by a clock that was set back since.
            self._write(msgspec.structs.replace(entry, left=max(now, entry.seen + 1.0)))
        return True

    def take(self, entries: Iterable[Admitted], forget: Iterable[str]) -> None:
        """Store ``entries`` from the source of truth, and delete those of the sites ``forget``.

        The limit of the register does not apply.
        """
        with self._lock():
            for entry in entries:
                files.write_secret(self._path(entry.site_id), encode(entry))
            for site_id in forget:
                self._path(site_id).unlink(missing_ok=True)

    def forget_all(self) -> None:
        """Delete all entries: another CA bars all sites."""
        with self._lock():
            for site_id in self.sites():
                self._path(site_id).unlink(missing_ok=True)

    def _write(self, entry: Admitted) -> None:
        path = self._path(entry.site_id)
        if not path.exists() and len(self.sites()) >= limits.ADMITTED_MAX:
            raise CertError(
                entry.site_id,
                f"{limits.ADMITTED_MAX} sites may link here already",
                "Revoke some: sitectl link access",
            )
        files.write_secret(path, encode(entry))

    def _lock(self) -> files.Lock:
        return files.locked(self._directory / _LOCK_FILE)

    def _path(self, site_id: str) -> Path:
        return self._directory / f"{site_id}{_SUFFIX}"


def _with(entry: Admitted, issued: Issued, now: float) -> tuple[Admitted, tuple[str, ...]]:
    """``entry`` with one more certificate, without expired ones; also those that had no room.

    Certificates that other sites also use are dropped last: revoking this site must revoke them.
    """
    kept = [one for one in entry.issued if now < one.expires and one.serial != issued.serial]
    surplus = len(kept) + 1 - limits.ISSUED_PER_SITE_MAX
    dropped: list[Issued] = []
    if surplus > 0:
        kept.sort(key=lambda one: certificates.site_in_certificate(one.chain) != entry.site_id)
        dropped = kept[:surplus]
    left = [one for one in entry.issued if one in kept and one not in dropped]
    chains = tuple(one.chain for one in dropped)
    return msgspec.structs.replace(entry, issued=(*left, issued)), chains
