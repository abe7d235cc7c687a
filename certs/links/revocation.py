"""Revocations: serials of certificates and ids of sites, in ``secrets/revoked.json``."""

import os
from pathlib import Path

import msgspec

from certs import files, limits
from certs.errors import CertError

REVOKED_FILE = "revoked.json"


class Revoked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The contents. Serials are lower-case hex, as from `certificates.serial_of`."""

    serials: frozenset[str] = frozenset()
    sites: frozenset[str] = frozenset()
    version: int = files.STATE_VERSION


class Revocation(msgspec.Struct, frozen=True, kw_only=True):
    """One change of the list: additions, then the sites that are taken off it."""

    serials: frozenset[str] = frozenset()
    sites: frozenset[str] = frozenset()
    readmitted: frozenset[str] = frozenset()

    def applied_to(self, old: Revoked) -> Revoked:
        """The list after the change. Applying it twice has the same result."""
        return Revoked(old.serials | self.serials, (old.sites | self.sites) - self.readmitted)


def encode(revoked: Revoked) -> bytes:
    """The stored form: equal lists give equal bytes."""
    return msgspec.json.encode(revoked, order="deterministic")


def decode(data: bytes, source: str) -> Revoked:
    """Decode `encode`'s result; `CertError` naming ``source``: damaged or of a newer version."""
    return files.decode_state(data, Revoked, source, "Restore it from a backup")


class Revocations:
    """The list of a site, shared by all processes that open the same file.

    `is_revoked` costs a `stat`, and a read after a change.
    """

    __slots__ = ("_list", "_path", "_stamp")

    def __init__(self, directory: Path) -> None:
        """``directory`` is ``secrets/``. Raises `CertError` if the list cannot be used."""
        files.make_private_directory(directory)
        self._path = directory / REVOKED_FILE
        self._list, self._stamp = Revoked(), (0, 0, 0)
        self.refresh()

    def is_revoked(self, serial: str, site_id: str) -> bool:
        """Whether either is revoked. Raises `CertError` if the list is damaged: then deny all."""
        self.refresh()
        return serial in self._list.serials or site_id in self._list.sites

    @property
    def sites(self) -> frozenset[str]:
        """The revoked sites, as of the last refresh."""
        return self._list.sites

    def refresh(self) -> bool:
        """Read changes by other processes. True: the list changed."""
        stamp = self._current_stamp()
        if stamp == self._stamp:
            return False
        before = self._list
        self._list = self._read()
        self._stamp = stamp  # Taken before the read: the next refresh sees a change in between.
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
        """Replace the whole list by ``revoked``, from the source of truth."""
        with self._locked():
            try:
                is_same = revoked == self._read()
            except CertError:  # Damaged: it is replaced.
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
