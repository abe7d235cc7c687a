"""Mesh files for tests."""

from sitectl.mesh.reading import read
from sitectl.mesh.values import Mesh

SPEC = """\
sites:
  west: {}
  east: {}
  north: {settings: {ingress: none}}
links:
- {from: east, to: west, cost: 5}
- {from: north, to: west}
services:
  shop: {owner: west, protocol: http, ports: [8080]}
"""


def text_of(spec: str) -> str:
    """A whole file with that ``spec``."""
    inner = "".join(f"  {line}\n" for line in spec.splitlines())
    return f"apiVersion: spillway/v1\nkind: Mesh\nname: net\nspec:\n{inner}"


def mesh_of(spec: str = SPEC) -> Mesh:
    """The mesh with that ``spec``, which has no error."""
    mesh, errors = read(text_of(spec), "mesh.yaml")
    assert errors == []
    assert mesh is not None
    return mesh
