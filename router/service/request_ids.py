"""The id of a request in a header field: the client's if it is usable, else one made here."""

import random
import re

from router.model.settings import RESERVED_FIELDS

_USABLE = re.compile(rb"[!-~]{1,128}")
ID_BITS = 128


class RequestIds:
    """Ids for one service port. ``name`` is the field's name, empty: off.

    Heads are canonical: a start line and field lines, each ending in CRLF. A name that means
    something to HTTP counts as off: declarations of other sites must not affect framing.
    """

    __slots__ = ("_field", "_rng", "name")

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._field = re.compile(b"")
        self.name = ""

    def set_name(self, name: str) -> None:
        """Change the name. Requests under way keep theirs."""
        if name.lower() in RESERVED_FIELDS:
            name = ""
        self.name = name
        self._field = re.compile(rb"\r\n(?i:%b):[ \t]*([^\r]*)" % re.escape(name.encode("ascii")))

    def of(self, head: bytes) -> bytes:
        """The id in a request's head; empty: there is none that is usable."""
        values = self._field.findall(head) if self.name else ()
        if len(values) != 1:
            return b""
        value: bytes = values[0].rstrip(b" \t")
        return value if _USABLE.fullmatch(value) is not None else b""

    def fresh(self) -> bytes:
        """An id made here: 32 hex digits."""
        return b"%032x" % self._rng.getrandbits(ID_BITS)

    def on_request(self, head: bytes) -> tuple[bytes, bytes]:
        """The head with exactly one id in it, and that id. Only with a ``name``."""
        value = self.of(head)
        if value:
            return head, value
        value = self.fresh()
        head = self._field.sub(b"", head)
        last = head.rfind(b"\r\n", 0, -2) + 2  # Via stays the last: other hops append to it.
        return b"%b%b%b" % (head[:last], self._line(value), head[last:]), value

    def on_response(self, head: bytes, value: bytes) -> bytes:
        """A response's head with the request's id, unless the target set the field.

        Takes anything that begins with a head, a whole answer too.
        """
        if not self.name:
            return head  # Switched off since the request came.
        end = head.find(b"\r\n\r\n")
        fields = head if end < 0 else head[: end + 2]
        if self._field.search(fields) is not None:
            return head
        start = head.index(b"\r\n") + 2
        return b"%b%b%b" % (head[:start], self._line(value), head[start:])

    def _line(self, value: bytes) -> bytes:
        return b"%b: %b\r\n" % (self.name.encode("ascii"), value)
