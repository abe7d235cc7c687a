"""The documents that a mesh file made at a site: only these go once the file lacks them.

Stored at the site itself, for the next operator who applies the file. Pure.
"""

from typing import Final

import msgspec

from router.model.specs import Document, Kind


class MeshRecord(msgspec.Struct, frozen=True, kw_only=True):
    """``mesh``: the name of the file's network. ``documents``: kind and name of each."""

    mesh: str = ""
    documents: tuple[tuple[str, str], ...] = ()

    def has(self, mesh: str, kind: Kind, name: str) -> bool:
        """Whether that document was made by the file of network ``mesh``."""
        return self.mesh == mesh and (kind, name) in self.documents


_NONE: Final = MeshRecord()


def decoded(text: str) -> MeshRecord:
    """The stored record; empty if it cannot be read: then nothing is removed."""
    try:
        return msgspec.json.decode(text, type=MeshRecord)
    except msgspec.DecodeError:
        return MeshRecord()


def encoded(mesh: str, documents: list[Document], before: MeshRecord = _NONE) -> str:
    """To be kept. ``before``: what of it may still be there, while it is deleted."""
    known = before.documents if before.mesh == mesh else ()
    made = sorted({(document.kind, document.name) for document in documents} | set(known))
    return msgspec.json.encode(MeshRecord(mesh=mesh, documents=tuple(made))).decode()
