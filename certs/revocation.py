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
        self._change(frozenset(serials), frozenset(sites), frozenset())

    def readmit(self, site_id: str) -> None:
        """Take a site off the list, for one that was given a new token. Serials stay."""
        self._change(frozenset(), frozenset(), frozenset({site_id}))

    def _change(
        self, serials: frozenset[str], sites: frozenset[str], readmitted: frozenset[str]
    ) -> None:
        with files.locked(self._path.with_name(f".{REVOKED_FILE}.lock")):
            old = self._read()
            new = Revoked(old.serials | serials, (old.sites | sites) - readmitted)
            if new != old:
                data = msgspec.json.encode(new, order="deterministic")
                files.write_secret(self._path, data)
        self.refresh()

    def _current_stamp(self) -> tuple[int, int, int]:
        try:
            found = os.stat(self._path, follow_symlinks=False)
        except FileNotFoundError:
            return (0, 0, 0)
        return (found.st_mtime_ns, found.st_size, found.st_ino)

    def _read(self) -> Revoked:
        try:
            data = files.read_secret(self._path, limits.REVOKED_FILE_BYTES_MAX)
            return msgspec.json.decode(data, type=Revoked)
        except FileNotFoundError:
            return Revoked()
        except msgspec.DecodeError as error:
            raise CertError(str(self._path), "is damaged", "Restore it from a backup") from error
