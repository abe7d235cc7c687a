"""YAML text to a tree of nodes with positions, from the C parser's events.

Built from events instead of `yaml.compose`: composing recurses once per level in C, resolves tags
and expands aliases, and takes the last of two equal keys. Here depth is bounded while parsing, and
anchors, aliases, tags and duplicate keys are errors with their place.
"""

from collections.abc import Iterator

import yaml

from router.model import limits
from router.model.errors import ConfigError


class Scalar:
    """A leaf as written. ``plain``: without quotes; `8080` is a number and `"8080"` is not."""

    __slots__ = ("column", "line", "plain", "value")

    def __init__(self, value: str, plain: bool, line: int, column: int) -> None:
        self.value, self.plain, self.line, self.column = value, plain, line, column

    @property
    def is_null(self) -> bool:
        """Whether YAML reads it as null."""
        return self.plain and self.value in ("", "~", "null", "Null", "NULL")


class Sequence:
    """A list, ``items`` in order."""

    __slots__ = ("column", "items", "line")

    def __init__(self, line: int, column: int) -> None:
        self.items: list[Node] = []
        self.line, self.column = line, column


class Mapping:
    """A mapping, ``entries`` in order and without duplicate keys."""

    __slots__ = ("column", "entries", "line")

    def __init__(self, line: int, column: int) -> None:
        self.entries: list[tuple[Scalar, Node]] = []
        self.line, self.column = line, column

    def get(self, key: str) -> "Node | None":
        """The value under ``key``; None: no such key."""
        return next((value for name, value in self.entries if name.value == key), None)


Node = Scalar | Sequence | Mapping


class Findings:
    """The errors of one text, in the order found, at most ``CONFIG_ERRORS_MAX``."""

    __slots__ = ("errors", "source")

    def __init__(self, source: str) -> None:
        self.source = source
        self.errors: list[ConfigError] = []

    @property
    def overflowing(self) -> bool:
        """Whether so many errors were found that reading on is useless."""
        return len(self.errors) >= limits.CONFIG_ERRORS_MAX

    def add(
        self, place: Node, path: str, reason: str, hint: str = "", code: str = "SW0101"
    ) -> None:
        """Note an error at the start of ``place``."""
        self.add_at(place.line, place.column, path, reason, hint, code)

    def add_at(
        self, line: int, column: int, path: str, reason: str, hint: str = "", code: str = "SW0101"
    ) -> None:
        """Note an error at a position, both counting from 1."""
        if not self.overflowing:
            error = ConfigError(
                self.source, path, reason, line=line, column=column, hint=hint, code=code
            )
            self.errors.append(error)


def parse(text: str, findings: Findings) -> list[Node]:
    """The documents of ``text``, without empty ones; errors go to ``findings``.

    After a syntax error, or a refused alias, tag or depth, the rest is not read.
    """
    size_bytes = len(text.encode("utf-8", "surrogatepass"))
    if size_bytes > limits.CONFIG_FILE_BYTES_MAX:
        findings.add_at(
            1, 1, "", f"is {size_bytes} bytes, expected at most {limits.CONFIG_FILE_BYTES_MAX}"
        )
        return []
    builder = _Builder(findings)
    try:
        for event in _events(text):
            if not builder.take(event):
                break
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        reason = ", ".join(part for part in (error.context, error.problem) if part)
        findings.add_at(line, column, "", f"not valid YAML: {reason}", code="SW0102")
    except (yaml.YAMLError, UnicodeError) as error:
        line, column = _place_of_bad_character(text)
        reason = str(error).splitlines()[0] if str(error) else "a character that YAML forbids"
        findings.add_at(line, column, "", f"not valid YAML: {reason}", code="SW0102")
    return builder.finished()


def _events(text: str) -> Iterator[yaml.Event]:
    loader = yaml.CSafeLoader(text)
    try:
        while (event := loader.get_event()) is not None:
            yield event
    finally:
        loader.dispose()


def _position(event: yaml.Event) -> tuple[int, int]:
    """Line and column of an event, from 1."""
    mark = event.start_mark
    assert mark is not None  # The parser marks every event; only hand-made ones have no mark.
    return mark.line + 1, mark.column + 1


def _place_of_bad_character(text: str) -> tuple[int, int]:
    """Line and column of the first character that YAML 1.1, 5.1 forbids; (1, 1): none found."""
    for number, line in enumerate(text.split("\n"), start=1):
        for column, character in enumerate(line, start=1):
            code = ord(character)
            control = code < 0x20 and character not in "\t\r"
            if control or 0x7F <= code < 0xA0 or 0xD800 <= code <= 0xDFFF:
                return number, column
    return 1, 1


class _Builder:
    """Builds trees from events; ``take`` returns whether to go on."""

    __slots__ = ("_findings", "_keys", "_known", "_open", "documents")

    def __init__(self, findings: Findings) -> None:
        self.documents: list[Node] = []
        self._findings = findings
        self._open: list[Sequence | Mapping] = []
        self._keys: list[Scalar | None] = []  # Of each open collection: its pending key.
        self._known: list[dict[str, Scalar]] = []  # Of each open collection: all keys so far.

    def finished(self) -> list[Node]:
        """The complete documents; an incomplete one would only cause false errors."""
        return self.documents[:-1] if self._open else self.documents

    def take(self, event: yaml.Event) -> bool:
        match event:
            case yaml.AliasEvent():
                return self._refuse(event, "an alias is not accepted", "Write the value out")
            case yaml.ScalarEvent() | yaml.SequenceStartEvent() | yaml.MappingStartEvent():
                return self._begin(event)
            case yaml.SequenceEndEvent() | yaml.MappingEndEvent():
                self._open.pop()
                self._keys.pop()
                self._known.pop()
            case _:
                pass  # Starts and ends of streams and documents.
        return True

    def _begin(self, event: yaml.NodeEvent) -> bool:
        if event.anchor is not None:
            return self._refuse(event, f"an anchor (&{event.anchor}) is not accepted")
        tag = getattr(event, "tag", None)  # Aliases have none.
        if tag is not None:
            return self._refuse(event, f"a tag ({tag}) is not accepted")
        line, column = _position(event)
        if isinstance(event, yaml.ScalarEvent):
            plain = event.style is None or event.style == ""
            return self._place(Scalar(event.value, plain, line, column))
        if len(self._open) >= limits.CONFIG_DEPTH_MAX:
            return self._refuse(event, f"nested deeper than {limits.CONFIG_DEPTH_MAX} levels")
        node = (Sequence if isinstance(event, yaml.SequenceStartEvent) else Mapping)(line, column)
        if not self._place(node):
            return False
        self._open.append(node)
        self._keys.append(None)
        self._known.append({})
        return True

    def _place(self, node: Node) -> bool:
        """Add ``node`` to the innermost open collection, or make it a document."""
        if not self._open:
            if not (isinstance(node, Scalar) and node.is_null):
                self.documents.append(node)
            return True
        parent = self._open[-1]
        if isinstance(parent, Sequence):
            parent.items.append(node)
            return True
        key = self._keys[-1]
        if key is not None:
            self._keys[-1] = None
            self._enter(parent, key, node)
            return True
        if not isinstance(node, Scalar):
            self._findings.add(node, "", "a key must be a word, got a list or mapping")
            return False
        self._keys[-1] = node
        return True

    def _enter(self, parent: Mapping, key: Scalar, value: Node) -> None:
        first = self._known[-1].setdefault(key.value, key)
        if first is key:
            parent.entries.append((key, value))
            return
        place = f"the first is at {first.line}:{first.column}"
        self._findings.add(
            key, "", f"duplicate key {key.value[:40]!r}; {place}", "Keep one of them"
        )

    def _refuse(self, event: yaml.Event, reason: str, hint: str = "") -> bool:
        line, column = _position(event)
        self._findings.add_at(line, column, "", reason, hint, code="SW0103")
        return False
