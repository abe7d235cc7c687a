"""Services that we make for addresses of the network, and which of their fields are ours.

Ours are the selector, the ports, the labels and annotations named in `names.MADE`. Other additions
and changes (type, node ports, foreign labels) stay.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from router.kubernetes.objects import names
from router.kubernetes.objects.objects import Object, annotations, labels, name_of, spec_of
from router.kubernetes.services import adoption
from router.kubernetes.services.inner_ports import as_text, from_text
from router.model.ids import ServiceKey

H2C: Final = "kubernetes.io/h2c"
NO_KEYS: Final[Mapping[int, ServiceKey]] = {}


class OwnedFields(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """The content of annotation `names.MADE`. ``labels``, ``annotations``: keys that we set.

    ``keys``: by port, the service and port that it leads to, if they differ from the Service's name
    and that port.
    ``fields``: of a ServiceImport, the fields of its spec that we set and that an old version of
    its kind does not know.
    """

    inner_ports: dict[str, int] = {}
    keys: dict[str, tuple[str, int]] = {}
    labels: tuple[str, ...] = ()
    annotations: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()


_DECODER: Final = msgspec.json.Decoder(OwnedFields)


def is_made(service: Object) -> bool:
    """Whether we made the Service: a copy under another name is not ours."""
    name = labels(service).get(names.SERVICE_LABEL)
    return name is not None and name == name_of(service) and not adoption.is_adopted(service)


def is_claimed(service: Object) -> bool:
    """Whether another writer put a selector into our Service, and so wants it for itself."""
    return not adoption.selector(service).keys() <= adoption.ROUTERS.keys()


def without_our_fields(service: Object) -> Object:
    """A claimed Service without our parts: `kubectl apply` merged the user's into them."""
    was = made(service)
    marked = {
        key: value
        for key, value in labels(service).items()
        if key not in was.labels
        and key != names.SERVICE_LABEL
        and {**names.PART_OF, names.MANAGED_BY_LABEL: names.MANAGED_BY}.get(key) != value
    }
    noted = {
        key: value
        for key, value in annotations(service).items()
        if key not in was.annotations and key != names.MADE
    }
    inner = from_text(was.inner_ports)
    ports = adoption.ports(service)
    theirs = [port for port in ports if port.get("targetPort") != inner.get(port["port"], 0)]
    if not theirs:  # The user named no target port, so ours stayed: it is the port itself.
        theirs = [
            {key: value for key, value in port.items() if key not in ("targetPort", "appProtocol")}
            for port in ports
        ]
    selector = {k: v for k, v in adoption.selector(service).items() if k not in adoption.ROUTERS}
    spec = {**spec_of(service), "selector": selector, "ports": [dict(p) for p in theirs]}
    return adoption.with_metadata(service, marked, noted) | {"spec": spec}


def made(service: Object) -> OwnedFields:
    """The fields from the Service's annotation; none if it is unreadable."""
    try:
        return _DECODER.decode(annotations(service).get(names.MADE, "{}"))
    except (msgspec.DecodeError, AttributeError, TypeError, RecursionError):
        return OwnedFields()


def service(
    name: str,
    inner: Mapping[int, int],
    marked: Mapping[str, str],
    noted: Mapping[str, str],
    *,
    app_protocol: str = "",
    cluster_ip: str = "",
    keys: Mapping[int, ServiceKey] = NO_KEYS,
) -> dict[str, Any]:
    """A Service that leads to the routers. ``marked``, ``noted``: its labels and annotations."""
    ports = [
        {"name": f"port{port}", "port": port, "protocol": "TCP", "targetPort": number}
        | ({"appProtocol": app_protocol} if app_protocol else {})
        for port, number in inner.items()
    ]
    made = _object(name, inner, marked, noted, keys)
    made["spec"] |= {"selector": adoption.ROUTERS, "ports": ports}
    if cluster_ip:
        made["spec"]["clusterIP"] = cluster_ip
    return made


def headless_service(
    name: str, ports: Sequence[int], marked: Mapping[str, str], noted: Mapping[str, str]
) -> dict[str, Any]:
    """A Service without address: its name leads to the endpoints of our EndpointSlices."""
    made = _object(name, {}, marked, noted)
    made["spec"] |= {
        "clusterIP": "None",
        "ports": [
            {"name": f"port{port}", "port": port, "protocol": "TCP", "targetPort": port}
            for port in ports
        ],
    }
    return made


def remade(found: Object, fresh: Object) -> Object | None:
    """``found`` with our parts from ``fresh``; None: the object must be created again."""
    spec, wanted = spec_of(found), spec_of(fresh)
    is_headless = wanted.get("clusterIP") == "None"
    if spec.get("type") == "ExternalName" or is_headless != (spec.get("clusterIP") == "None"):
        return None
    was = made(found)
    marked = {k: v for k, v in labels(found).items() if k not in was.labels}
    noted = {k: v for k, v in annotations(found).items() if k not in was.annotations}
    marked.update(labels(fresh))
    noted.update(annotations(fresh))
    result = dict(spec) | {"ports": _ports(found, fresh)}
    if is_headless:
        result.pop("selector", None)
    else:
        result["selector"] = wanted["selector"]
    return adoption.with_metadata(found, marked, noted) | {"spec": result}


def leads_to(service: Object, port: int) -> ServiceKey:
    """The service port that ``port`` of our Service leads to."""
    found = made(service).keys.get(str(port))
    return ServiceKey(name_of(service), port) if found is None else ServiceKey(*found)


def _object(
    name: str,
    inner: Mapping[int, int],
    marked: Mapping[str, str],
    noted: Mapping[str, str],
    keys: Mapping[int, ServiceKey] = NO_KEYS,
) -> dict[str, Any]:
    told = OwnedFields(
        inner_ports=as_text(inner),
        keys={str(port): (key.name, key.port) for port, key in sorted(keys.items())},
        labels=tuple(sorted(marked)),
        annotations=tuple(sorted(noted)),
    )
    ours = {**names.PART_OF, names.MANAGED_BY_LABEL: names.MANAGED_BY, names.SERVICE_LABEL: name}
    text = msgspec.json.encode(told, order="sorted").decode()
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": name,
            "labels": {**marked, **ours},
            "annotations": {**noted, names.MADE: text},
        },
        "spec": {"type": "ClusterIP", "ipFamilyPolicy": "PreferDualStack"},
    }


def _ports(found: Object, fresh: Object) -> list[dict[str, Any]]:
    """Our ports, with the node ports and foreign fields of the existing ones."""
    there = {port.get("port"): port for port in adoption.ports(found)}
    result = []
    for port in adoption.ports(fresh):
        old = dict(there.get(port["port"], {}))
        if old.get("appProtocol") == H2C:
            del old["appProtocol"]
        result.append({**old, **port})
    return result
