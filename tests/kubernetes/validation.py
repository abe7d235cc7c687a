"""What the server refuses with 422: names, labels, data, and what may not change later."""

import base64
import binascii
import ipaddress
import re
from collections.abc import Callable
from typing import Any, Final

from tests.kubernetes import services
from tests.kubernetes.failures import (
    Cause,
    duplicate,
    prohibited,
    required,
    too_long,
    unsupported,
    wrong,
)
from tests.kubernetes.resources import Json, Resource

DATA_BYTES_MAX: Final = 1024 * 1024
NAME_MAX: Final = 253
LABEL_MAX: Final = 63
ANNOTATIONS_BYTES_MAX: Final = 256 * 1024

_LABEL_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_SERVICE_NAME: Final = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_QUALIFIED: Final = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_VALUE: Final = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")
_DATA_KEY: Final = re.compile(r"[-._a-zA-Z0-9]+")

_SUBDOMAIN_TEXT: Final = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or "
    "'.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used "
    "for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_LABEL_TEXT: Final = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and "
    "must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used "
    "for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
_SERVICE_TEXT: Final = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an "
    "alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', "
    "regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"
)
_VALUE_TEXT: Final = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or "
    "'.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  "
    "or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
_KEY_TEXT: Final = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end "
    "with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for "
    "validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
_DATA_TEXT: Final = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. "
    "'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
)
_FREE_NAMES: Final = ("Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding")


def causes(resource: Resource, found: Json, before: Json | None) -> list[Cause]:
    """All that is wrong with ``found``, which replaces ``before``."""
    all_causes = _metadata(resource, found["metadata"])
    check = _BY_KIND.get(resource.kind)
    if check is not None:
        all_causes += check(found, before)
    return all_causes


def _metadata(resource: Resource, metadata: Json) -> list[Cause]:
    found = _name(resource, metadata["name"])
    for key, value in (metadata.get("labels") or {}).items():
        found += qualified_key(key, "metadata.labels")
        if len(value) > LABEL_MAX or not _VALUE.fullmatch(value):
            found.append(wrong("metadata.labels", value, _VALUE_TEXT))
    annotations = metadata.get("annotations") or {}
    for key in annotations:
        found += qualified_key(key.lower(), "metadata.annotations")
    size = sum(len(key.encode()) + len(value.encode()) for key, value in annotations.items())
    if size > ANNOTATIONS_BYTES_MAX:
        found.append(too_long("metadata.annotations", ANNOTATIONS_BYTES_MAX))
    for number, owner in enumerate(metadata.get("ownerReferences") or []):
        found += [
            required(f"metadata.ownerReferences[{number}].{key}", "must not be empty")
            for key in ("apiVersion", "kind", "name", "uid")
            if not owner.get(key)
        ]
    return found


def _name(resource: Resource, name: str) -> list[Cause]:
    if resource.kind in _FREE_NAMES:
        return [] if name and "/" not in name else [wrong("metadata.name", name, "no such name")]
    if resource.kind == "Service":
        pattern, text, length = _SERVICE_NAME, _SERVICE_TEXT, LABEL_MAX
    elif resource.kind == "Namespace":
        pattern, text, length = _LABEL_NAME, _LABEL_TEXT, LABEL_MAX
    else:
        pattern, text, length = _SUBDOMAIN, _SUBDOMAIN_TEXT, NAME_MAX
    if len(name) > length:
        return [wrong("metadata.name", name, f"must be no more than {length} characters")]
    return [] if pattern.fullmatch(name) else [wrong("metadata.name", name, text)]


def qualified_key(key: str, field: str) -> list[Cause]:
    """A label's or annotation's key."""
    prefix, slash, name = key.rpartition("/")
    if slash and (not _SUBDOMAIN.fullmatch(prefix) or len(prefix) > NAME_MAX):
        return [wrong(field, key, f"prefix part {_SUBDOMAIN_TEXT}")]
    if not name or len(name) > LABEL_MAX or not _QUALIFIED.fullmatch(name):
        return [wrong(field, key, _KEY_TEXT)]
    return []


def _immutable(found: Json, before: Json | None, *fields: str) -> list[Cause]:
    if before is None or not before.get("immutable"):
        return []
    text = "field is immutable when `immutable` is set"
    return [
        prohibited(field, text)
        for field in ("immutable", *fields)
        if found.get(field) != before.get(field)
    ]


def _config_map(found: Json, before: Json | None) -> list[Cause]:
    data, binary = found.get("data") or {}, found.get("binaryData") or {}
    bad = [wrong(f"data[{key}]", key, _DATA_TEXT) for key in data if not _DATA_KEY.fullmatch(key)]
    bad += [
        wrong(f"binaryData[{key}]", key, _DATA_TEXT)
        for key in binary
        if not _DATA_KEY.fullmatch(key)
    ]
    size = sum(len(value.encode()) for value in data.values())
    size += sum(len(_decoded(value) or b"") for value in binary.values())
    if size > DATA_BYTES_MAX:
        bad.append(too_long("[]", DATA_BYTES_MAX))
    return bad + _immutable(found, before, "data", "binaryData")


_SECRET_KEYS: Final = {
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
}


def _secret(found: Json, before: Json | None) -> list[Cause]:
    data = found.get("data") or {}
    bad = [wrong(f"data[{key}]", key, _DATA_TEXT) for key in data if not _DATA_KEY.fullmatch(key)]
    if sum(len(_decoded(value) or b"") for value in data.values()) > DATA_BYTES_MAX:
        bad.append(too_long("data", DATA_BYTES_MAX))
    bad += [
        required(f"data[{key}]")
        for key in _SECRET_KEYS.get(found.get("type", ""), ())
        if key not in data
    ]
    if before is not None and found.get("type") != before.get("type"):
        bad.append(wrong("type", found.get("type"), "field is immutable"))
    return bad + _immutable(found, before, "data")


def _decoded(value: str) -> bytes | None:
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return None


def base64_failure(found: Json) -> str:
    """The key of a Secret's data, or of binaryData, that is no base64; empty: all are."""
    for field in ("data", "binaryData") if found.get("kind") == "ConfigMap" else ("data",):
        if field == "data" and found.get("kind") == "ConfigMap":
            continue
        for key, value in (found.get(field) or {}).items():
            if _decoded(value) is None:
                return str(key)
    return ""


def _pod_spec(spec: Json, path: str) -> list[Cause]:
    bad: list[Cause] = []
    if not spec.get("containers"):
        bad.append(required(f"{path}.containers"))
    volumes = [volume.get("name") for volume in spec.get("volumes") or []]
    bad += [
        duplicate(f"{path}.volumes[{number}].name", name)
        for number, name in enumerate(volumes)
        if name in volumes[:number]
    ]
    seen: set[str] = set()
    for field in ("initContainers", "containers"):
        for number, container in enumerate(spec.get(field) or []):
            at = f"{path}.{field}[{number}]"
            name = container.get("name", "")
            if name in seen:
                bad.append(duplicate(f"{at}.name", name))
            seen.add(name)
            bad += _container(container, at, volumes)
            if field == "containers" and "restartPolicy" in container:
                text = "may not be set for non-init containers"
                bad.append(prohibited(f"{at}.restartPolicy", text))
    return bad


def _container(container: Json, at: str, volumes: list[str]) -> list[Cause]:
    bad: list[Cause] = []
    name = container.get("name", "")
    if not _LABEL_NAME.fullmatch(name):
        bad.append(wrong(f"{at}.name", name, _LABEL_TEXT) if name else required(f"{at}.name"))
    if not container.get("image"):
        bad.append(required(f"{at}.image"))
    paths: set[str] = set()
    for index, mount in enumerate(container.get("volumeMounts") or []):
        place = f"{at}.volumeMounts[{index}]"
        if mount.get("name") not in volumes:
            text = f'Not found: "{mount.get("name")}"'
            bad.append(Cause(f"{place}.name", "FieldValueNotFound", text))
        if mount.get("mountPath") in paths:
            bad.append(wrong(f"{place}.mountPath", mount["mountPath"], "must be unique"))
        paths.add(mount.get("mountPath", ""))
    for index, port in enumerate(container.get("ports") or []):
        place = f"{at}.ports[{index}]"
        if not port.get("containerPort"):
            bad.append(required(f"{place}.containerPort"))
        elif not 1 <= port["containerPort"] <= 65535:
            text = "must be between 1 and 65535, inclusive"
            bad.append(wrong(f"{place}.containerPort", port.get("containerPort", 0), text))
        if "name" in port and services.port_name_wrong(port["name"]):
            text = services.port_name_wrong(port["name"])
            bad.append(wrong(f"{place}.name", port["name"], text))
    return bad


_POD_MUTABLE: Final = ("activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds")


def _pod(found: Json, before: Json | None) -> list[Cause]:
    if before is None:
        return _pod_spec(found["spec"], "spec")

    def fixed(spec: Json) -> Json:
        kept = {key: value for key, value in spec.items() if key not in _POD_MUTABLE}
        for field in ("containers", "initContainers"):
            kept[field] = [
                {key: value for key, value in each.items() if key != "image"}
                for each in spec.get(field) or []
            ]
        return kept

    held = before.get("status", {}).get("qosClass")
    quality = found.get("status", {}).get("qosClass", held)
    if held and quality != held:
        return [wrong("status.qosClass", quality, "field is immutable")]
    if fixed(found["spec"]) == fixed(before["spec"]):
        return []
    text = (
        "pod updates may not change fields other than `spec.containers[*].image`,"
        "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only "
        "additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be "
        "set to 1 if it was previously negative)"
    )
    return [prohibited("spec", text)]


def _workload(found: Json, before: Json | None) -> list[Cause]:
    spec = found["spec"]
    selector = spec.get("selector")
    bad = _pod_spec(spec["template"]["spec"], "spec.template.spec")
    if found["kind"] != "Job":
        held = spec["template"].get("metadata", {}).get("labels") or {}
        wanted = (selector or {}).get("matchLabels") or {}
        if not wanted and not (selector or {}).get("matchExpressions"):
            bad.append(required("spec.selector"))
        elif any(held.get(key) != value for key, value in wanted.items()):
            text = "`selector` does not match template `labels`"
            bad.append(wrong("spec.template.metadata.labels", held, text))
    if before is not None and selector != before["spec"].get("selector"):
        bad.append(wrong("spec.selector", selector, "field is immutable"))
    if (spec.get("replicas") or 0) < 0:
        text = "must be greater than or equal to 0"
        bad.append(wrong("spec.replicas", spec["replicas"], text))
    return bad


def _stateful_set(found: Json, before: Json | None) -> list[Cause]:
    bad = _workload(found, before)
    fixed = ("serviceName", "podManagementPolicy", "volumeClaimTemplates")
    if before is not None and any(
        found["spec"].get(key) != before["spec"].get(key) for key in fixed
    ):
        text = (
            "updates to statefulset spec for fields other than 'replicas', 'ordinals', "
            "'template', 'updateStrategy', 'revisionHistoryLimit', "
            "'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"
        )
        bad.append(prohibited("spec", text))
    return bad


def _binding(found: Json, before: Json | None) -> list[Cause]:
    if before is not None and found.get("roleRef") != before.get("roleRef"):
        return [wrong("roleRef", found.get("roleRef"), "cannot change roleRef")]
    return [] if found.get("roleRef", {}).get("name") else [required("roleRef.name")]


def _endpoint_slice(found: Json, before: Json | None) -> list[Cause]:
    kinds = ("IPv4", "IPv6", "FQDN")
    if found.get("addressType") not in kinds:
        return [unsupported("addressType", found.get("addressType", ""), *kinds)]
    if before is not None and found["addressType"] != before["addressType"]:
        return [wrong("addressType", found["addressType"], "field is immutable")]
    return [
        cause
        for number, each in enumerate(found.get("endpoints") or [])
        for cause in _endpoint(each, found["addressType"], f"endpoints[{number}].addresses")
    ]


def _endpoint(found: Json, kind: str, place: str) -> list[Cause]:
    addresses = found.get("addresses") or []
    if not addresses:
        return [required(place, "must contain at least 1 address")]
    bad = []
    for number, address in enumerate(addresses):
        if kind == "FQDN":
            continue
        try:
            version = ipaddress.ip_address(address).version
        except ValueError:
            text = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
            bad.append(wrong(f"{place}[{number}]", address, text))
            continue
        if kind != f"IPv{version}":
            bad.append(wrong(place, address, f"must be an {kind} address"))
    return bad


def _role(found: Json, _before: Json | None) -> list[Cause]:
    text = "verbs must contain at least one value"
    return [
        required(f"rules[{number}].verbs", text)
        for number, rule in enumerate(found.get("rules") or [])
        if not rule.get("verbs")
    ]


def _event(found: Json, _before: Json | None) -> list[Cause]:
    about = (found.get("involvedObject") or {}).get("namespace", "")
    if about != found["metadata"].get("namespace", "") and about:
        return [wrong("involvedObject.namespace", about, "does not match event.namespace")]
    if not found.get("eventTime"):
        return []
    return [
        required(field)
        for field in ("reportingComponent", "reportingInstance", "action", "reason")
        if not found.get(field)
    ]


def _lease(found: Json, _before: Json | None) -> list[Cause]:
    spec = found.get("spec") or {}
    bad = []
    if spec.get("leaseDurationSeconds", 1) <= 0:
        value = spec["leaseDurationSeconds"]
        bad.append(wrong("spec.leaseDurationSeconds", value, "must be greater than 0"))
    if spec.get("leaseTransitions", 0) < 0:
        value = spec["leaseTransitions"]
        bad.append(wrong("spec.leaseTransitions", value, "must be greater than or equal to 0"))
    return bad


_BY_KIND: Final[dict[str, Callable[[Json, Json | None], list[Any]]]] = {
    "ConfigMap": _config_map,
    "Secret": _secret,
    "Service": services.causes,
    "Event": _event,
    "Lease": _lease,
    "Pod": _pod,
    "Deployment": _workload,
    "ReplicaSet": _workload,
    "DaemonSet": _workload,
    "Job": _workload,
    "StatefulSet": _stateful_set,
    "Role": _role,
    "ClusterRole": _role,
    "RoleBinding": _binding,
    "ClusterRoleBinding": _binding,
    "EndpointSlice": _endpoint_slice,
}
