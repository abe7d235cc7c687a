"""Several objects with one address, merged: one Service, a Connector for each."""

from collections.abc import Iterable, Mapping

import msgspec

from router.kubernetes.objects import findings, names
from router.kubernetes.objects.findings import ObjectFindings
from router.kubernetes.objects.objects import seconds_of
from router.kubernetes.objects.picture import RequestedService
from router.kubernetes.translation.exposure import Exposure
from router.model.errors import ConfigError
from router.model.specs import ConnectorSpec, Document, ServiceSpec


class Merged(msgspec.Struct, frozen=True):
    """Documents and wishes of all annotated objects.

    ``declared_at_s``: creation time of the oldest object of each address, if known.
    """

    documents: tuple[Document, ...]
    wishes: dict[str, RequestedService]
    errors: tuple[ConfigError, ...]
    declared_at_s: dict[str, float]


def merge(
    exposures: Iterable[Exposure],
    declared: Mapping[str, Document],
    connected: Mapping[str, Document],
    wished: Mapping[str, RequestedService],
) -> Merged:
    """Merge ``exposures`` with the documents ``declared`` and ``wished``, which come first.

    Both are by address. ``connected``: the documents' Connectors by name; one that stands for an
    object (its migration wrote it) counts.

    After the documents, the oldest object decides what a service is, then the first by kind and
    name. An object with another protocol or other ports is left out; others are further targets.
    """
    documents: list[Document] = []
    wishes = dict(wished)
    errors: list[ConfigError] = []
    oldest: dict[str, float] = {}
    firsts: dict[str, tuple[ServiceSpec, str]] = {}
    capped: set[str] = set()
    for name, document in declared.items():
        if isinstance(document.spec, ServiceSpec):
            firsts[name] = (document.spec, document.source)
    for one in sorted(exposures, key=lambda exposure: exposure.age):
        noted = ObjectFindings(one.source)
        spec, source = firsts.setdefault(one.address, (one.service, one.source))
        if not _agree(one, spec, source, noted):
            errors += noted.errors
            continue
        errors += noted.errors
        made_at_s = seconds_of(one.age[0])
        if made_at_s is not None:
            oldest.setdefault(one.address, made_at_s)
        if source == one.source:
            documents.append(
                Document(
                    kind="Service",
                    name=one.address,
                    spec=one.service,
                    source=source,
                    declared_at_s=made_at_s,
                )
            )
        if one.connector is not None and not _is_connected(one, connected):
            documents.append(
                Document(
                    kind="Connector",
                    name=one.connector_name,
                    spec=_in_order(one.connector, one.service, spec),
                    source=one.source,
                )
            )
        if one.cap is not None and one.address not in capped:
            capped.add(one.address)
            documents.append(
                Document(kind="Policy", name=one.address, spec=one.cap, source=one.source)
            )
        wishes[one.address] = joined(wishes.get(one.address), one.wish)
    return Merged(tuple(documents), wishes, tuple(errors), oldest)


def _is_connected(one: Exposure, connected: Mapping[str, Document]) -> bool:
    found = connected.get(one.connector_name)
    return (
        found is not None
        and isinstance(found.spec, ConnectorSpec)
        and found.spec.service == one.address
    )


def _agree(one: Exposure, spec: ServiceSpec, source: str, noted: ObjectFindings) -> bool:
    """Whether ``one`` can be a further target of the service ``spec``; records differences."""
    same = one.service.protocol == spec.protocol
    if not same or set(one.service.ports) != set(spec.ports):
        noted.add(
            findings.ANNOTATIONS.format(names.ADDRESS),
            f"address {one.address!r} is {_shown(one.service)} here, but {_shown(spec)} at "
            f"{source}, which counts; nothing new is exposed",
            f"Make both alike, or give this one another {names.ADDRESS}",
            findings.CONTRADICTION,
        )
        return False
    bare = ServiceSpec(protocol=spec.protocol, ports=one.service.ports)
    if one.service != bare and source != one.source and not _same_settings(one.service, spec):
        noted.add(
            findings.ANNOTATIONS.format(names.ADDRESS),
            f"settings of address {one.address!r} are those of {source}",
            "Say them at one of the two",
            findings.CONTRADICTION,
            "warning",
        )
    return True


def _same_settings(one: ServiceSpec, other: ServiceSpec) -> bool:
    return msgspec.structs.replace(one, ports=other.ports) == other


def _shown(spec: ServiceSpec) -> str:
    return f"{spec.protocol} {', '.join(map(str, spec.ports))}"


def _in_order(connector: ConnectorSpec, own: ServiceSpec, spec: ServiceSpec) -> ConnectorSpec:
    """``connector`` with its ports in the order of the service that counts."""
    if own.ports == spec.ports:
        return connector
    order = [own.ports.index(port) for port in spec.ports]
    ports = tuple(connector.target_ports[at] for at in order)
    return msgspec.structs.replace(connector, target_ports=ports)


def joined(first: RequestedService | None, other: RequestedService) -> RequestedService:
    """The first wish, completed from the other; no Service if either wish wants none."""
    if first is None:
        return other
    return msgspec.structs.replace(
        first,
        is_made=first.is_made and other.is_made,
        labels={**other.labels, **first.labels},
        annotations={**other.annotations, **first.annotations},
        stateful_set=first.stateful_set or other.stateful_set,
    )
