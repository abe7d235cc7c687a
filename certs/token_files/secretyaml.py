"""Reads a Secret from foreign YAML: bounded, and only plain text.

It works on the parser's events: no tag is ever resolved, no object built, nothing expanded. YAML
features that no token needs (tags, anchors, several documents) are refused with their line.
"""

from collections.abc import Iterator

import msgspec
import yaml

from certs import limits
from certs.errors import CertError

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # PyYAML may be built without libyaml.


class SecretScalar(msgspec.Struct, frozen=True):
    """A value as written, unquoted, and its line."""

    text: str
    line: int


class SecretMapping(msgspec.Struct, frozen=True):
    """Fields in the order written. A list of the document counts as a mapping without fields."""

    fields: "dict[str, Node]"
    line: int

    def text(self, key: str, default: str = "") -> str:
        """The text of a scalar field, ``default`` if it is absent or no scalar."""
        found = self.fields.get(key)
        return found.text if isinstance(found, SecretScalar) else default

    def line_of(self, key: str) -> int:
        found = self.fields.get(key)
        return found.line if found is not None else self.line

    def mapping(self, key: str) -> "SecretMapping":
        """A field that is a mapping; an empty one if it is absent or no mapping."""
        found = self.fields.get(key)
        return (
            found
            if isinstance(found, SecretMapping)
            else SecretMapping(fields={}, line=self.line_of(key))
        )


Node = SecretScalar | SecretMapping


def parse(text: str, source: str) -> SecretMapping:
    """The only document of ``text``. Raises `CertError` with ``source`` and line."""
    if len(text) > limits.TOKEN_BYTES_MAX or len(text.encode()) > limits.TOKEN_BYTES_MAX:
        raise CertError(
            source, f"is longer than {limits.TOKEN_BYTES_MAX} bytes", "This is no token file"
        )
    if text.startswith("\ufeff"):
        raise CertError(source, "begins with a byte order mark", "Save it as UTF-8", line=1)
    reader = _Reader(source)
    try:
        return reader.document(yaml.parse(text, Loader=_Loader))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark is not None else 0
        reason = f"is not a token file: it is not YAML, {error.problem or error.context}"
        raise CertError(source, reason, "Copy the token file again", line=line) from error
    except (yaml.YAMLError, ValueError) as error:  # Characters that YAML does not allow.
        reason = "is not a token file: it is not YAML text"
        raise CertError(source, reason, "Copy the token file again") from error


class _Reader:
    """Builds the tree from events; depth is bounded, so that recursion is safe."""

    __slots__ = ("_source",)

    def __init__(self, source: str) -> None:
        self._source = source

    def document(self, events: Iterator[yaml.Event]) -> SecretMapping:
        root: Node | None = None
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                if root is not None:
                    raise self._error(event, "holds more than one document", "Keep one token")
                if event.version or event.tags:
                    raise self._error(event, "has YAML directives", "Remove them")
                root = self._node(next(events), events, 1)
        if not isinstance(root, SecretMapping):
            hint = "At the other site: sitectl token create FILE"
            raise CertError(self._source, "is not a token file", hint)
        return root

    def _node(self, event: yaml.Event, events: Iterator[yaml.Event], depth: int) -> Node:
        line = _line(event)
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise self._error(event, "uses an anchor or alias", "Write the value out")
        if getattr(event, "tag", None) is not None:
            raise self._error(event, "uses a YAML tag", "Remove it")
        if depth > limits.TOKEN_DEPTH_MAX:
            raise self._error(event, "is nested too deeply", "This is no token file")
        if isinstance(event, yaml.ScalarEvent):
            return SecretScalar(text=event.value, line=line)
        if isinstance(event, yaml.SequenceStartEvent):
            while not isinstance(item := next(events), yaml.SequenceEndEvent):
                self._node(item, events, depth + 1)  # Checked, but not stored.
            return SecretMapping(fields={}, line=line)
        return self._mapping(events, line, depth)

    def _mapping(self, events: Iterator[yaml.Event], line: int, depth: int) -> SecretMapping:
        fields: dict[str, Node] = {}
        while not isinstance(event := next(events), yaml.MappingEndEvent):
            key = self._node(event, events, depth + 1)
            if not isinstance(key, SecretScalar):
                raise self._error(event, "has a key that is not text", "Remove it")
            if key.text in fields:
                raise self._error(event, f"has {key.text[:80]!r} twice", "Keep one of them")
            fields[key.text] = self._node(next(events), events, depth + 1)
        return SecretMapping(fields=fields, line=line)

    def _error(self, event: yaml.Event, reason: str, hint: str) -> CertError:
        return CertError(self._source, reason, hint, line=_line(event))


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark is not None else 0
