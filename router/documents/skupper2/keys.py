"""Routing keys and the services that carry them.

A routing key has neither port nor protocol, and may be any text. If it is one DNS label, its
service has the same name; otherwise the service is named by a hash of the key, and the declaration
contains the key itself (`ServiceSpec.routing_key`), which users see.
"""

from router.documents.readers import is_name
from router.model.specs import ServiceSpec
from router.model.wording.routing_key_names import NOMINAL_PORT, hashed_name


def service_of(key: str) -> str:
    """The service that carries routing key ``key``."""
    return key if is_name(key) else hashed_name(key)


def declaration_of(key: str) -> ServiceSpec:
    """The declaration of the service of ``key``, the same at every site."""
    return ServiceSpec(protocol="tcp", ports=(NOMINAL_PORT,), routing_key=key)
