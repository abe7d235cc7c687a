"""Documents in force of wrong sources (files, objects), as they are stored for a restart.

A source that becomes wrong keeps its last good documents. They are stored as documents, not as
text: a Secret with a token only gives the cost and the state of its link.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from router.documents.text import SHAPES
from router.model.specs import Document, Kind

FILE: Final = "in-force.json"


class InForce(msgspec.Struct, frozen=True):
    """``documents`` count in place of the text with this ``digest``, not of any other text."""

    digest: str
    documents: tuple[Document, ...]


class _WrittenDocument(msgspec.Struct, frozen=True):
    """A `Document` whose ``spec`` is of the struct of its kind."""

    kind: Kind
    name: str
    spec: msgspec.Raw
    source: str
    line: int
    declared_at_s: float | None

    def read(self) -> Document:
        spec: Any = msgspec.json.decode(self.spec, type=SHAPES[self.kind].struct)
        return Document(self.kind, self.name, spec, self.source, self.line, self.declared_at_s)


class _Written(msgspec.Struct, frozen=True):
    digest: str
    documents: tuple[_WrittenDocument, ...]


def encode(in_force: Mapping[str, InForce]) -> bytes:
    """JSON of ``in_force``, by source."""
    return msgspec.json.encode(in_force)


def decode(data: bytes) -> dict[str, InForce]:
    """The reverse of `encode`. `UNREADABLE_JSON`: damaged, or by a release with other fields."""
    written = msgspec.json.decode(data, type=dict[str, _Written])
    return {
        source: InForce(one.digest, tuple(document.read() for document in one.documents))
        for source, one in written.items()
    }
