"""The CA of a site directory during changes: one file after the other, safe against crashes.

The rotation is written before the pair that it leads to, and with that pair's key in it. So a
reader in between (`authority.load_state`) sees the new pair already. Older versions only know
``ca.key`` and ``ca.crt``, which are always the pair that issues.
"""

from pathlib import Path

import msgspec

from certs import files
from certs.ca import rotation
from certs.ca.authority import (
    CA_FILE,
    CA_KEY_FILE,
    CA_ROTATION_FILE,
    LEAF_FILE,
    LEAF_KEY_FILE,
    Authority,
    ca_stamp,
    load_state,
)
from certs.ca.rotation import CaState
from certs.errors import CertError

_LOCK_FILE = ".ca.lock"


class CaFiles:
    """``ca.key``, ``ca.crt`` and ``ca-rotation.json``, shared by all processes of the site."""

    __slots__ = ("_directory",)

    def __init__(self, directory: Path) -> None:
        """``directory`` is ``secrets/``."""
        self._directory = directory

    def stamp(self) -> tuple[tuple[int, int], ...]:
        """A value that changes whenever a file is created, deleted or replaced."""
        return ca_stamp(self._directory)

    def load(self, *, waits: bool = True) -> CaState:
        """The stored state, completed after a crash. `CertError` naming the file.

        `BlockingIOError`: another process changes it, and ``waits`` is False.
        """
        with self._locked(waits=waits):
            return load_state(self._directory)

    def change(self, before: CaState, after: CaState) -> bool:
        """Store ``after`` if the state is still ``before``; it is on disk when this returns.

        False: another process was first. The next caller completes a change that a crash
        interrupted.
        """
        with self._locked():
            if load_state(self._directory) != before:
                return False
            self._keep(after)
            return True

    def set(self, state: CaState) -> bool:
        """Store ``state``, which comes from the source of truth. False: it is stored already."""
        with self._locked():
            try:
                if load_state(self._directory) == state:
                    return False
            except CertError:  # Damaged, or missing.
                pass
            self._keep(state)
            return True

    def _locked(self, *, waits: bool = True) -> files.Lock:
        return files.locked(self._directory / _LOCK_FILE, waits=waits)

    def _keep(self, after: CaState) -> None:
        found = after.rotation
        if found is None:
            # A pair without a rotation is there already, or comes after the old rotation is
            # deleted.
            (self._directory / CA_ROTATION_FILE).unlink(missing_ok=True)
        elif found.phase == "switched":
            self._write_rotation(msgspec.structs.replace(found, key=after.key_pem))
        else:
            self._write_rotation(found)
        self._write(CA_KEY_FILE, after.key_pem.encode())
        self._write(CA_FILE, after.ca_pem.encode())
        if found is not None:
            self._write_rotation(found)

    def replace(self, site_id: str, now: float) -> None:
        """Replace the CA at once: all sites that trust the old one stop trusting this site.

        After a crash in between the state is a rotation, which the next `replace` ends.
        """
        with self._locked():
            before = load_state(self._directory)
            made, key_pem = Authority.generate(site_id, now)
            new = CaState(key_pem, made.ca_pem)
            old = CaState(before.key_pem, before.ca_pem)
            between = rotation.switched(rotation.announced(old, new, now), now)
            self._keep(between)
            self._keep(rotation.retired(between))
            for name in (LEAF_FILE, LEAF_KEY_FILE):
                (self._directory / name).unlink(missing_ok=True)

    def _write_rotation(self, found: rotation.Rotation) -> None:
        self._write(CA_ROTATION_FILE, rotation.encode(found))

    def _write(self, name: str, data: bytes) -> None:
        path = self._directory / name
        try:
            if files.read_secret(path) == data:
                return
        except FileNotFoundError:
            pass
        files.write_secret(path, data)
