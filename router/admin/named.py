"""How a service port is named in a question."""

from router.admin.answers import failure
from router.admin.http import Response

PORT_DIGITS = 5


def named_port(text: str) -> tuple[str, int | None] | Response:
    """Service and port of ``NAME`` or ``NAME:PORT``; or why it is neither."""
    name, colon, port = text.partition(":")
    if colon and not (port.isascii() and port.isdigit() and len(port) <= PORT_DIGITS):
        return failure(400, "bad-port", f"{port!r} is not a port number.", "A number: 8080")
    return name, int(port) if colon else None
