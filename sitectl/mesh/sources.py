"""Where a mesh file comes from: a file (a Git checkout, say), standard input, or a ConfigMap."""

import sys
from pathlib import Path
from typing import Final

from sitectl.base import texts
from sitectl.base.failure import not_found
from sitectl.base.options import Settings
from sitectl.mesh.reading import read
from sitectl.mesh.values import Mesh

_CONFIGMAP: Final = "configmap/"
KEY: Final = "mesh.yaml"


def mesh_of(settings: Settings, source: str) -> Mesh:
    """The mesh in ``source``. Failure: it cannot be read, with every error and its place."""
    mesh, errors = read(text_of(settings, source), "stdin" if source == "-" else source)
    if mesh is None:
        raise texts.config_failure(errors, f"{len(errors)} errors in {source}, nothing was done")
    return mesh


def text_of(settings: Settings, source: str) -> str:
    """Its text. Failure: there is none."""
    if source == "-":
        return texts.decoded(sys.stdin.buffer.read(), "stdin")
    if not source.startswith(_CONFIGMAP):
        return texts.text_of(Path(source))
    from sitectl.kubernetes.site import open_cluster

    name = source.removeprefix(_CONFIGMAP)
    cluster = open_cluster(settings)
    found = cluster.find("ConfigMap", name)
    text = ((found or {}).get("data") or {}).get(KEY)
    if text is None:
        raise not_found(
            f"no ConfigMap {name!r} with the key {KEY} in namespace {cluster.namespace}",
            f"kubectl -n {cluster.namespace} create configmap {name} --from-file={KEY}",
        )
    return str(text)
