"""The unit that a service counts, as a word in sentences."""

from typing import Final

from router.model.specs import ServiceSpec
from router.model.wording.plural import counted

REQUEST: Final = "request"


def noun_of(spec: ServiceSpec | None) -> str:
    """A connection if the service is tcp, else a request. None: the service is not declared."""
    return noun("" if spec is None else spec.protocol)


def noun(protocol: str) -> str:
    """The word for what a service of that protocol counts."""
    return "connection" if protocol == "tcp" else REQUEST


def waiting_count(number: int, what: str) -> str:
    """``1 request waits``, ``4 requests wait``."""
    return f"{counted(number, what)} {'waits' if number == 1 else 'wait'}"
