"""Records of the documents from directories of Skupper v2's objects, to notice missing objects.

``skupper2.json`` beside ``config/``; a site that no directory was applied to has none.
"""

from pathlib import Path
from shlex import quote
from typing import Final

import msgspec

from certs.errors import CertError
from certs.files import read_whole
from router.model.unreadable import UNREADABLE_JSON
from sitectl.base.failure import Exit, Failure
from sitectl.base.texts import write_atomically

_FILE: Final = "skupper2.json"
_BYTES_MAX: Final = 4 * 1024 * 1024
_GONE_MAX: Final = 100


class AppliedObjects(msgspec.Struct, frozen=True):
    """The result of one apply of a directory: documents as (kind, name), links, claims by name."""

    documents: tuple[tuple[str, str], ...] = ()
    links: tuple[str, ...] = ()
    grants: tuple[str, ...] = ()


class AppliedDirectories:
    """The record of one site."""

    def __init__(self, site: Path) -> None:
        self._file = site / _FILE

    def last(self, directory: Path) -> AppliedObjects:
        """The objects of the last apply of ``directory``; empty: none, or unknown."""
        return self._read().get(str(directory.resolve()), AppliedObjects())

    def elsewhere(self, directory: Path) -> AppliedObjects:
        """Of the last applies of all other directories that are still there."""
        own = str(directory.resolve())
        known = [one for name, one in self._read().items() if name != own and Path(name).is_dir()]
        return AppliedObjects(
            documents=tuple(found for one in known for found in one.documents),
            links=tuple(found for one in known for found in one.links),
            grants=tuple(found for one in known for found in one.grants),
        )

    def keep(self, directory: Path, made: AppliedObjects) -> None:
        """Store ``made`` in place of the objects before. Of directories that are gone, the newest
        `_GONE_MAX` are remembered: a script may apply a new one each time."""
        known, name = self._read(), str(directory.resolve())
        if known.pop(name, None) == made:
            return
        gone = [one for one in known if not Path(one).is_dir()]
        for one in gone[: max(0, len(gone) - _GONE_MAX)]:
            del known[one]
        known[name] = made
        write_atomically(self._file, msgspec.json.encode(known).decode())

    def _read(self) -> dict[str, AppliedObjects]:
        try:
            data = read_whole(self._file, _BYTES_MAX)
            return msgspec.json.decode(data, type=dict[str, AppliedObjects])
        except FileNotFoundError:
            return {}
        except (CertError, *UNREADABLE_JSON) as error:
            remove = f"rm {quote(str(self._file))}"
            raise Failure(
                Exit.FAILED,
                "damaged",
                f"{self._file} is damaged: it says what directories made at this site",
                f"Remove it; what then vanishes from them is not noticed once: {remove}",
            ) from error
