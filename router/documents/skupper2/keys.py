"""Routing keys and the services that carry them.

A routing key has neither port nor protocol, and any text. The service of a key has the key's own
name where that is one DNS label; else a name made from its hash, and the key itself in the
declaration (`ServiceSpec.routing_key`), which is what people see.
"""

from router.documents.readers import is_name
from router.model.specs import ServiceSpec
from router.model.wording.routing_key_names import NOMINAL_PORT, hashed_name


def service_of(key: str) -> str:
    """The service that carries routing key ``key``."""
    return key if is_name(key) else hashed_name(key)


def declaration_of(key: str) -> ServiceSpec:
    """How every site declares the service of ``key``, so that no two declarations differ."""
    return ServiceSpec(protocol="tcp", ports=(NOMINAL_PORT,), routing_key=key)
