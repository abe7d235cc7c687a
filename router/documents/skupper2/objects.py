"""Objects of Skupper v2, from text or from an API server, with a place for errors."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from router.documents import nodes
from router.documents.nodes import Findings, Node, Scalar, Sequence
from router.model import limits
from router.model.errors import ConfigError

GROUP: Final = "skupper.io"
VERSIONS: Final = ("skupper.io/v2alpha1",)
_INTEGER: Final = re.compile(r"[-+]?[0-9]{1,18}\Z")
_TRUE, _FALSE = ("true", "True", "TRUE"), ("false", "False", "FALSE")


class V2Object(msgspec.Struct, frozen=True, kw_only=True):
    """One object. ``source``: the file, or ``KIND/NAME`` in a namespace; ``line`` 0: unknown.

    Every field may contain anything: `translate` judges.
    """

    api_version: str
    kind: str
    name: str
    namespace: str = ""
    spec: Mapping[str, Any] = {}
    data: Mapping[str, Any] = {}
    annotations: Mapping[str, Any] = {}
    whole: Mapping[str, Any] = {}
    source: str = ""
    line: int = 0


def parse_object(found: object, source: str, line: int = 0) -> V2Object | None:
    """``found`` as an object; None: it has no kind, so it is not an object."""
    if not isinstance(found, Mapping):
        return None
    metadata = _mapping(found.get("metadata"))
    kind = found.get("kind")
    if not isinstance(kind, str) or not kind:
        return None
    return V2Object(
        api_version=_text(found.get("apiVersion")),
        kind=kind,
        name=_text(metadata.get("name")),
        namespace=_text(metadata.get("namespace")),
        spec=_mapping(found.get("spec")),
        data=_mapping(found.get("data")) | _mapping(found.get("stringData")),
        annotations=_mapping(metadata.get("annotations")),
        whole=found,
        source=source,
        line=line,
    )


def read_objects(text: str, source: str) -> tuple[list[V2Object], list[ConfigError]]:
    """All objects of a text, including the items of `List`s, and an error for everything else."""
    findings = Findings(source)
    found: list[V2Object] = []
    for node in nodes.parse(text, findings):
        for line, value in _items(node):
            one = parse_object(value, source, line)
            if one is None:
                findings.add_at(
                    line,
                    1,
                    "",
                    "expected an object with apiVersion, kind, metadata and spec",
                    "Objects of Skupper v2 begin with apiVersion: skupper.io/v2alpha1",
                    "SW0113",
                )
            else:
                found.append(one)
    return found[: limits.V2_OBJECTS_MAX], findings.errors


def holds_v2(text: str) -> bool:
    """Whether some object in ``text`` claims to be one of Skupper v2."""
    objects, _ = read_objects(text, "")
    return any(one.api_version.partition("/")[0] == GROUP for one in objects)


def _items(node: Node) -> Iterable[tuple[int, object]]:
    if isinstance(node, nodes.Mapping):
        kind, items = node.get("kind"), node.get("items")
        if isinstance(kind, Scalar) and kind.value == "List" and isinstance(items, Sequence):
            return [(item.line, plain(item)) for item in items.items]
    return [(node.line, plain(node))]


def plain(node: Node) -> Any:
    """The values of a tree of nodes, by YAML 1.2's core rules. `parse` bounds its depth."""
    match node:
        case Scalar():
            return _scalar(node)
        case Sequence():
            return [plain(item) for item in node.items]
        case nodes.Mapping():
            return {key.value: plain(value) for key, value in node.entries}


def _scalar(node: Scalar) -> Any:
    if node.is_null:
        return None
    if node.plain and node.value in _TRUE:
        return True
    if node.plain and node.value in _FALSE:
        return False
    if node.plain and _INTEGER.match(node.value):
        return int(node.value)
    return node.value


def _mapping(found: object) -> dict[str, Any]:
    return {str(key): value for key, value in found.items()} if isinstance(found, Mapping) else {}


def _text(found: object) -> str:
    return found if isinstance(found, str) else ""
