"""The few messages that kubectl sends as protobuf and not as JSON, read into objects.

Field numbers are those of ``generated.proto`` in the Kubernetes API. Fields that are empty on the
wire are left out; a field that is not listed here and not empty is refused, never dropped.
"""

import base64
import struct
from collections.abc import Iterator
from typing import Any, Final

from tests.kubernetes.failures import Failure, bad_request
from tests.kubernetes.resources import Json

CONTENT_TYPE: Final = "application/vnd.kubernetes.protobuf"
MAGIC: Final = b"k8s\x00"

# name → number: (field, kind); a kind in capitals is another message, "*" is a list, a map is
# "map" of texts or "bytes" of base64 texts; "count" is a pointer to a number, so 0 counts.
_MESSAGES: Final[dict[str, dict[int, tuple[str, str]]]] = {
    "ObjectMeta": {
        1: ("name", "text"),
        2: ("generateName", "text"),
        3: ("namespace", "text"),
        6: ("resourceVersion", "text"),
        8: ("creationTimestamp", "skip"),
        11: ("labels", "map"),
        12: ("annotations", "map"),
    },
    "ConfigMap": {
        1: ("metadata", "ObjectMeta"),
        2: ("data", "map"),
        3: ("binaryData", "bytes"),
        4: ("immutable", "bool"),
    },
    "Secret": {
        1: ("metadata", "ObjectMeta"),
        2: ("data", "bytes"),
        3: ("type", "text"),
        4: ("stringData", "map"),
        5: ("immutable", "bool"),
    },
    "ServiceAccount": {1: ("metadata", "ObjectMeta"), 4: ("automountServiceAccountToken", "bool")},
    "Namespace": {1: ("metadata", "ObjectMeta"), 2: ("spec", "Empty"), 3: ("status", "Empty")},
    "Role": {1: ("metadata", "ObjectMeta"), 2: ("rules", "PolicyRule*")},
    "ClusterRole": {1: ("metadata", "ObjectMeta"), 2: ("rules", "PolicyRule*")},
    "PolicyRule": {
        1: ("verbs", "text*"),
        2: ("apiGroups", "text*"),
        3: ("resources", "text*"),
        4: ("resourceNames", "text*"),
    },
    "RoleBinding": {
        1: ("metadata", "ObjectMeta"),
        2: ("subjects", "Subject*"),
        3: ("roleRef", "RoleRef"),
    },
    "Subject": {
        1: ("kind", "text"),
        2: ("apiGroup", "text"),
        3: ("name", "text"),
        4: ("namespace", "text"),
    },
    "RoleRef": {1: ("apiGroup", "text"), 2: ("kind", "text"), 3: ("name", "text")},
    "Service": {
        1: ("metadata", "ObjectMeta"),
        2: ("spec", "ServiceSpec"),
        3: ("status", "Empty"),
    },
    "ServiceSpec": {
        1: ("ports", "ServicePort*"),
        2: ("selector", "map"),
        3: ("clusterIP", "text"),
        4: ("type", "text"),
        10: ("externalName", "text"),
    },
    "ServicePort": {
        1: ("name", "text"),
        2: ("protocol", "text"),
        3: ("port", "int"),
        4: ("targetPort", "port"),
        5: ("nodePort", "int"),
    },
    "Deployment": {
        1: ("metadata", "ObjectMeta"),
        2: ("spec", "DeploymentSpec"),
        3: ("status", "Empty"),
    },
    "DeploymentSpec": {
        1: ("replicas", "count"),
        2: ("selector", "LabelSelector"),
        3: ("template", "PodTemplateSpec"),
        4: ("strategy", "Empty"),
    },
    "LabelSelector": {1: ("matchLabels", "map")},
    "PodTemplateSpec": {1: ("metadata", "ObjectMeta"), 2: ("spec", "PodSpec")},
    "PodSpec": {2: ("containers", "Container*")},
    "Container": {
        1: ("name", "text"),
        2: ("image", "text"),
        3: ("command", "text*"),
        4: ("args", "text*"),
        6: ("ports", "ContainerPort*"),
    },
    "ContainerPort": {1: ("name", "text"), 3: ("containerPort", "int"), 4: ("protocol", "text")},
    "SelfSubjectAccessReview": {
        1: ("metadata", "ObjectMeta"),
        2: ("spec", "AccessReviewSpec"),
        3: ("status", "Empty"),
    },
    "AccessReviewSpec": {1: ("resourceAttributes", "ResourceAttributes")},
    "ResourceAttributes": {
        1: ("namespace", "text"),
        2: ("verb", "text"),
        3: ("group", "text"),
        4: ("version", "text"),
        5: ("resource", "text"),
        6: ("subresource", "text"),
        7: ("name", "text"),
    },
    "SelfSubjectRulesReview": {
        1: ("metadata", "ObjectMeta"),
        2: ("spec", "RulesReviewSpec"),
        3: ("status", "skip"),
    },
    "RulesReviewSpec": {1: ("namespace", "text")},
    "SelfSubjectReview": {1: ("metadata", "ObjectMeta"), 2: ("status", "skip")},
    "TokenRequest": {
        1: ("metadata", "ObjectMeta"),
        2: ("spec", "TokenRequestSpec"),
        3: ("status", "skip"),
    },
    "TokenRequestSpec": {1: ("audiences", "text*"), 4: ("expirationSeconds", "int")},
    "Eviction": {1: ("metadata", "ObjectMeta"), 2: ("deleteOptions", "DeleteOptions")},
    "DeleteOptions": {1: ("gracePeriodSeconds", "count"), 4: ("propagationPolicy", "text")},
    "Empty": {},
}


def read(data: bytes) -> Json:
    """The object in an envelope ``k8s\\0``. 415 for a kind that is not known here."""
    if not data.startswith(MAGIC):
        raise bad_request("the body does not begin as Kubernetes' protobuf does")
    envelope = dict(_fields(data[len(MAGIC) :]))
    kind = dict(_fields(_bytes(envelope[1])))
    name = _bytes(kind[2]).decode()
    if name not in _MESSAGES:
        raise _unsupported(name)
    found = _message(name, _bytes(envelope.get(2, b"")))
    return {"apiVersion": _bytes(kind[1]).decode(), "kind": name, **found}


def _unsupported(what: str) -> Failure:
    text = f"protobuf of {what} is not known to this server; tests/kubernetes/protobuf.py lists it"
    return Failure(415, "UnsupportedMediaType", text)


def _message(name: str, data: bytes) -> Json:
    found: Json = {}
    for number, value in _fields(data):
        known = _MESSAGES[name].get(number)
        if known is None:
            if value and any(_bytes(value) if isinstance(value, bytes) else [value]):
                raise _unsupported(f"{name}, field {number},")
            continue
        field, kind = known
        if kind.endswith("*"):
            found.setdefault(field, []).append(_value(kind[:-1], value))
        elif kind in ("map", "bytes"):
            key, text = _pair(_bytes(value), kind)
            found.setdefault(field, {})[key] = text
        elif kind in ("count", "bool"):
            found[field] = bool(value) if kind == "bool" else value
        elif (read_value := _value(kind, value)) not in ("", {}, 0, None):
            found[field] = read_value
    return found


def _value(kind: str, value: int | bytes) -> Any:
    match kind:
        case "text":
            return _bytes(value).decode()
        case "int":
            return value
        case "skip":
            return None
        case "port":
            parts = dict(_fields(_bytes(value)))
            return _bytes(parts[3]).decode() if parts.get(1) else parts.get(2, 0)
        case _:
            return _message(kind, _bytes(value))


def _pair(data: bytes, kind: str) -> tuple[str, str]:
    parts = dict(_fields(data))
    raw = _bytes(parts.get(2, b""))
    text = base64.b64encode(raw).decode() if kind == "bytes" else raw.decode()
    return _bytes(parts[1]).decode(), text


def _bytes(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise bad_request("protobuf: a number where bytes belong")
    return value


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        match tag & 7:
            case 0:
                value, at = _varint(data, at)
                yield tag >> 3, value
            case 2:
                size, at = _varint(data, at)
                yield tag >> 3, data[at : at + size]
                at += size
            case 1:
                yield tag >> 3, int(struct.unpack_from("<Q", data, at)[0])
                at += 8
            case _:
                raise bad_request("protobuf: a wire type that is not used")


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at
