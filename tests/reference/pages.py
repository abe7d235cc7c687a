"""Which page is made by what."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from tests.reference import api, cli, documents, mesh, metrics

DOCS: Final = Path(__file__).resolve().parents[2] / "docs"
PAGES: Final[Mapping[Path, Callable[[], str]]] = {
    DOCS / "reference-cli.md": cli.page,
    DOCS / "reference-documents.md": documents.page,
    DOCS / "reference-mesh.md": mesh.page,
    DOCS / "reference-metrics.md": metrics.page,
    DOCS / "reference-api.md": api.page,
}
