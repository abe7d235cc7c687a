"""Recognizes OPENs that are questions to a site itself, not to a service."""

from router.link.ports import ASKS_SITE, ECHOES, OpenRequest

QUESTIONED_SERVICE = "."
"""The service name of an OPEN for the site itself. No document can use this name, so a router that
does not know the question has no such target, and refuses."""
QUESTIONED_PORT = 1

_ANY = ECHOES | ASKS_SITE


def is_for_site(request: OpenRequest) -> bool:
    """Whether ``request`` is a question to the site itself.

    Only the name `QUESTIONED_SERVICE` makes it one: with a real service name, a router that does
    not know the flag would treat it as a request."""
    return request.flags & _ANY != 0 and request.service == QUESTIONED_SERVICE


def is_echo(request: OpenRequest) -> bool:
    """Whether ``request`` only measures the way."""
    return is_for_site(request) and bool(request.flags & ECHOES)


def asks_site(request: OpenRequest) -> bool:
    """Whether ``request`` asks for facts about the site."""
    return is_for_site(request) and not request.flags & ECHOES
