"""The older OpenAPI document as protobuf: kubectl reads it to learn what lists support.

It has only the part that kubectl reads: the query parameters of each kind's PATCH (gnostic's
``OpenAPIv2.proto``; numbers of fields as there).
"""

from typing import Final

import msgspec

from tests.kubernetes import schemas
from tests.kubernetes.resources import Catalogue, Resource

CONTENT_TYPE: Final = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
_PARAMETERS: Final = ("dryRun", "fieldManager", "fieldValidation", "force")


def document(catalogue: Catalogue) -> bytes:
    """The whole document."""
    info = _message((1, b"Kubernetes"), (2, f"v{schemas.VERSION}".encode()))
    paths = _message(*[(2, _path(each)) for each in catalogue.resources])
    return _message((1, b"2.0"), (2, info), (8, paths))


def _path(resource: Resource) -> bytes:
    parameters = []
    for name in _PARAMETERS:
        query = _message((2, b"query"), (4, name.encode()))
        parameters.append((8, _message((1, _message((2, _message((3, query))))))))
    gvk = {"group": resource.group, "kind": resource.kind, "version": resource.version}
    value = _message((2, msgspec.json.encode(gvk)))  # JSON is YAML.
    extension = _message((1, b"x-kubernetes-group-version-kind"), (2, value))
    patch = _message(*parameters, (13, extension))
    place = schemas.path_of(resource).encode()
    return _message((1, place), (2, _message((8, patch))))


def _message(*fields: tuple[int, bytes]) -> bytes:
    return b"".join(_varint(number << 3 | 2) + _varint(len(data)) + data for number, data in fields)


def _varint(value: int) -> bytes:
    found = bytearray()
    while value >= 128:
        found.append(value & 127 | 128)
        value >>= 7
    return bytes([*found, value])
