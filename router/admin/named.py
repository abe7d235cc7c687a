"""How a service port is named in a question."""

from aiohttp import web

from router.admin.answers import failure

PORT_DIGITS = 5


def named_port(text: str) -> tuple[str, int | None] | web.Response:
    """Service and port of ``NAME`` or ``NAME:PORT``; or why it is neither."""
    name, colon, port = text.partition(":")
    if colon and not (port.isascii() and port.isdigit() and len(port) <= PORT_DIGITS):
        return failure(400, "bad-port", f"{port!r} is not a port number.", "A number: 8080")
    return name, int(port) if colon else None
