"""What a mesh file once made at a site: that alone is removed when the file has it no longer.

Kept at the site itself, so that whoever applies the file next knows it. Pure.
"""

import msgspec

from router.model.specs import Document, Kind


class MeshRecord(msgspec.Struct, frozen=True, kw_only=True):
    """``mesh``: the name of the file's network. ``documents``: kind and name of each."""

    mesh: str = ""
    documents: tuple[tuple[str, str], ...] = ()

    def has(self, kind: Kind, name: str) -> bool:
        """Whether that document was made by the file."""
        return (kind, name) in self.documents


def decoded(text: str) -> MeshRecord:
    """What is kept; nothing, where it cannot be read: then nothing is removed."""
    try:
        return msgspec.json.decode(text, type=MeshRecord)
    except msgspec.DecodeError:
        return MeshRecord()


def encoded(mesh: str, documents: list[Document]) -> str:
    """To be kept."""
    made = sorted({(document.kind, document.name) for document in documents})
    return msgspec.json.encode(MeshRecord(mesh=mesh, documents=tuple(made))).decode()
