"""A mesh as the text of its file; `reading.read` gives the same mesh back. Pure."""

from typing import Final

import yaml

from router.model.specs import API_VERSION
from sitectl.mesh.table import plain
from sitectl.mesh.values import MESH, Mesh

_WIDTH: Final = 100


def write(mesh: Mesh) -> str:
    """Canonical YAML, defaults left out."""
    document = {"apiVersion": API_VERSION, "kind": MESH, "name": mesh.name, "spec": plain(mesh)}
    text: str = yaml.safe_dump(
        document, sort_keys=False, allow_unicode=True, default_flow_style=None, width=_WIDTH
    )
    return text
