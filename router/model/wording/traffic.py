"""What a service counts, as a word in sentences."""

from typing import Final

from router.model.specs import ServiceSpec

REQUEST: Final = "request"


def noun_of(spec: ServiceSpec | None) -> str:
    """A connection if the service is tcp, else a request. None: it is not declared."""
    return "connection" if spec is not None and spec.protocol == "tcp" else REQUEST
