"""Routing keys and the services that carry them.

A routing key has neither port nor protocol, and any text. The service of a key has the key's own
name where that is one DNS label; else a name made from its hash, and the key itself in the
declaration (`ServiceSpec.routing_key`), which is what people see.
"""

import hashlib
from typing import Final

from router.documents.readers import is_name
from router.model.specs import ServiceSpec

NOMINAL_PORT: Final = 1
"""The port of every routing key, so that the declarations of all sites agree. No client uses it."""
_HASH_CHARS: Final = 20


def service_of(key: str) -> str:
    """The service that carries routing key ``key``."""
    if is_name(key):
        return key
    digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
    return f"k-{digest[:_HASH_CHARS]}"


def declaration_of(key: str) -> ServiceSpec:
    """How every site declares the service of ``key``, so that no two declarations differ."""
    return ServiceSpec(protocol="tcp", ports=(NOMINAL_PORT,), routing_key=key)
