"""Who may no longer link: serials of certificates and ids of sites, in ``secrets/revoked.json``."""

import os
from pathlib import Path

import msgspec

from certs import files, limits
from certs.errors import CertError

REVOKED_FILE = "revoked.json"


class Revoked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The contents. Serials are lower-case hex as `certificates.serial_of` gives them."""

    serials: frozenset[str] = frozenset()
    sites: frozenset[str] = frozenset()
    version: int = files.STATE_VERSION


class Revocation(msgspec.Struct, frozen=True, kw_only=True):
    """One change of the list: what is put on it, then the sites that are taken off it."""

    serials: frozenset[str] = frozenset()
    sites: frozenset[str] = frozenset()
    readmitted: frozenset[str] = frozenset()

    def applied_to(self, old: Revoked) -> Revoked:
        """The list after it. Twice is as once."""
        return Revoked(old.serials | self.serials, (old.sites | self.sites) - self.readmitted)


def encode(revoked: Revoked) -> bytes:
    """As it is stored: the same list gives the same bytes."""
    return msgspec.json.encode(revoked, order="deterministic")


def decode(data: bytes, source: str) -> Revoked:
    """What `encode` made; `CertError` naming ``source`` if it is damaged or of a newer version."""
    return files.decode_state(data, Revoked, source, "Restore it from a backup")


class Revocations:
    """The list of a site, shared by all processes that open the same file.

    `is_revoked` costs a `stat`, and a reading after a change.
    """

    __slots__ = ("_list", "_path", "_stamp")

    def __init__(self, directory: Path) -> None:
        """``directory`` is ``secrets/``. Raises `CertError` if the list cannot be used."""
        files.make_private_directory(directory)
        self._path = directory / REVOKED_FILE
        self._list, self._stamp = Revoked(), (0, 0, 0)
        self.refresh()

    def is_revoked(self, serial: str, site_id: str) -> bool:
        """Whether either is. Raises `CertError` when the list is damaged: then nobody is let in."""
        self.refresh()
        return serial in self._list.serials or site_id in self._list.sites

    @property
    def sites(self) -> frozenset[str]:
        """The revoked sites, as of the last look."""
        return self._list.sites

    def refresh(self) -> bool:
        """Take up what another process changed. True: the list is a different one now."""
        stamp = self._current_stamp()
        if stamp == self._stamp:
            return False
        before = self._list
        self._list = self._read()
        self._stamp = stamp  # Taken before the reading: a change in between is seen next time.
        return self._list != before

    def add(self, *, serials: tuple[str, ...] = (), sites: tuple[str, ...] = ()) -> None:
        """Revoke; on disk when this returns."""
        self.apply(Revocation(serials=frozenset(serials), sites=frozenset(sites)))

    def apply(self, revocation: Revocation) -> None:
        """Change the list; on disk when this returns."""
        with self._locked():
            old = self._read()
            new = revocation.applied_to(old)
            if new != old:
                files.write_secret(self._path, encode(new))
        self.refresh()

    def set(self, revoked: Revoked) -> None:
        """Make it the whole list: what another place, which is the truth, says."""
        with self._locked():
            try:
                is_same = revoked == self._read()
            except CertError:  # Damaged: now it is whole again.
                is_same = False
            if not is_same:
                files.write_secret(self._path, encode(revoked))
        self.refresh()

    def _locked(self) -> files.Lock:
        return files.locked(self._path.with_name(f".{REVOKED_FILE}.lock"))

    def _current_stamp(self) -> tuple[int, int, int]:
        try:
            found = os.stat(self._path, follow_symlinks=False)
        except FileNotFoundError:
            return (0, 0, 0)
        return (found.st_mtime_ns, found.st_size, found.st_ino)

    def _read(self) -> Revoked:
        try:
            data = files.read_secret(self._path, limits.REVOKED_FILE_BYTES_MAX)
        except FileNotFoundError:
            return Revoked()
        return decode(data, str(self._path))
