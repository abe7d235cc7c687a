"""AttachedConnectors of other namespaces that AttachedConnectorBindings of the site name. Pure.

Both objects must agree: the binding names the namespace and, by its own name, the connector; the
connector names the namespace of the site. Other objects of another namespace are not read.
"""

from collections.abc import Iterable

import msgspec

from router.documents.readers import is_name
from router.documents.skupper2 import V2Object, parse_object
from router.kubernetes.objects import remote_permissions
from router.kubernetes.objects.findings import ObjectFindings
from router.kubernetes.objects.objects import NO_OBJECTS, Object, Snapshot, is_going, part
from router.model.errors import ConfigError

CONNECTOR, BINDING = "AttachedConnector", "AttachedConnectorBinding"
UNREADABLE, TOO_MANY = "SW0432", "SW0438"


class AttachedElsewhere(msgspec.Struct, frozen=True):
    """``namespaces``: named by bindings. ``found``: their connectors.

    ``unknown``: sources of bindings whose connector is not known yet, since the other namespace has
    not been read.
    """

    namespaces: frozenset[str] = frozenset()
    found: tuple[V2Object, ...] = ()
    unknown: frozenset[str] = frozenset()
    errors: tuple[ConfigError, ...] = ()


def read(objects: Iterable[V2Object], snapshot: Snapshot) -> AttachedElsewhere:
    """The connectors in other namespaces that the bindings among ``objects`` name."""
    namespaces: set[str] = set()
    found: list[V2Object] = []
    unknown: set[str] = set()
    errors: list[ConfigError] = []
    for binding in objects:
        there = namespace_of(binding.spec)
        if binding.kind != BINDING or not there or there == snapshot.namespace:
            continue
        namespaces.add(there)
        other = snapshot.others.get(there)
        listed = None if other is None else other.objects.get(CONNECTOR)
        if other is not None and other.is_left_out:
            errors += _left_out(binding, there)
        elif other is not None and CONNECTOR in other.refused:
            errors += _unreadable(binding, there, snapshot.namespace, was_read=listed is not None)
        if listed is None:
            unknown.add(binding.source)
            continue
        one = listed.get(binding.name)
        if one is not None and not is_going(one):
            taken = parse_object(one, source_of(there, binding.name))
            assert taken is not None, "the API server gives objects with their kind"
            found.append(taken)
    return AttachedElsewhere(frozenset(namespaces), tuple(found), frozenset(unknown), tuple(errors))


def namespace_of(spec: object) -> str:
    """The namespace that a binding names; empty: it names no valid one."""
    named = part(spec, "connectorNamespace")
    return named if isinstance(named, str) and is_name(named) else ""


def unbound(objects: Iterable[V2Object], namespace: str) -> frozenset[str]:
    """Sources of AttachedConnectors without a valid binding, which must not stay in force.

    They name another site than that of ``namespace``, or their binding is gone or names another
    namespace.
    """
    listed = list(objects)
    bindings = {
        one.name: one.spec.get("connectorNamespace") for one in listed if one.kind == BINDING
    }
    return frozenset(
        one.source
        for one in listed
        if one.kind == CONNECTOR
        and (
            one.spec.get("siteNamespace") != namespace
            or bindings.get(one.name) != (one.namespace or namespace)
        )
    )


def source_of(namespace: str, name: str) -> str:
    """The name of another namespace's AttachedConnector in findings."""
    return f"{CONNECTOR}/{namespace}/{name}"


def is_unread(binding: Object, snapshot: Snapshot) -> bool:
    """Whether the namespace that ``binding`` names has not been read yet."""
    there = namespace_of(binding.get("spec"))
    other = snapshot.others.get(there)
    is_known = other is not None and CONNECTOR in other.objects
    return there not in ("", snapshot.namespace) and not is_known


def bound_connector(binding: Object, snapshot: Snapshot) -> Object | None:
    """The AttachedConnector of another namespace that ``binding`` names."""
    there = namespace_of(binding.get("spec"))
    other = snapshot.others.get(there)
    if other is None or there == snapshot.namespace:
        return None
    name = part(binding, "metadata", "name")
    return other.objects.get(CONNECTOR, NO_OBJECTS).get(str(name))


def with_bound_connectors(snapshot: Snapshot) -> Snapshot:
    """``snapshot`` with the AttachedConnectors of other namespaces, as NAMESPACE/NAME."""
    found = {
        f"{namespace}/{name}": one
        for namespace, other in snapshot.others.items()
        for name, one in other.objects.get(CONNECTOR, NO_OBJECTS).items()
    }
    if not found:
        return snapshot
    objects = {**snapshot.objects, CONNECTOR: {**snapshot.of(CONNECTOR), **found}}
    return msgspec.structs.replace(snapshot, objects=objects)


def is_of_another_site(one: V2Object, namespace: str) -> bool:
    """Whether it is an AttachedConnector for the site of another namespace than ``namespace``."""
    site = one.spec.get("siteNamespace")
    return one.kind == CONNECTOR and isinstance(site, str) and site not in ("", namespace)


def _left_out(binding: V2Object, namespace: str) -> list[ConfigError]:
    noted = ObjectFindings(binding.source)
    reason = remote_permissions.left_out(namespace)
    hint = remote_permissions.left_out_hint(namespace)
    noted.add("spec.connectorNamespace", reason, hint, TOO_MANY)
    return noted.errors


def _unreadable(
    binding: V2Object, namespace: str, site_namespace: str, *, was_read: bool
) -> list[ConfigError]:
    noted = ObjectFindings(binding.source)
    after = "; if it stays so, their pods are withdrawn" if was_read else ""
    noted.add(
        "spec.connectorNamespace",
        f"AttachedConnectors of namespace {namespace} cannot be read{after}",
        remote_permissions.hint(namespace, site_namespace, CONNECTOR),
        UNREADABLE,
        "warning" if was_read else "error",
    )
    return noted.errors
