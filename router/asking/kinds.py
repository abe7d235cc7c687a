"""Which OPENs are questions to a site itself, and of no service."""

from router.link.ports import ASKS_SITE, ECHOES, OpenRequest

QUESTIONED_SERVICE = "."
"""The service of an OPEN that is for the site itself. No document can name one so: a router that
does not know the question has no target of that name, and says so."""
QUESTIONED_PORT = 1

_ANY = ECHOES | ASKS_SITE


def is_for_site(request: OpenRequest) -> bool:
    """Whether it is such a question. With the name of a service it is none: a router that does not
    know the flag would take it for a request."""
    return request.flags & _ANY != 0 and request.service == QUESTIONED_SERVICE


def is_echo(request: OpenRequest) -> bool:
    """Whether it only measures the way."""
    return is_for_site(request) and bool(request.flags & ECHOES)


def asks_site(request: OpenRequest) -> bool:
    """Whether it wants to know something of the site."""
    return is_for_site(request) and not request.flags & ECHOES
