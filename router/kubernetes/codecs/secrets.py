"""Secrets of a site as objects: their names, labels and keys, and the bytes in them.

`router.kubernetes.codecs` reads and writes the bytes, one module per kind.
"""

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from certs.errors import CertError
from router.kubernetes.objects.names import (
    ADMITTED_PREFIX,
    CONSOLE_USERS_SECRET,
    GRANT_PREFIX,
    IDENTITY_SECRET,
    IN_FORCE_SECRET,
    LINK_PREFIX,
    MANAGED_BY,
    MANAGED_BY_LABEL,
    PART_OF,
    PROXY_PREFIX,
    REVOKED_SECRET,
    TYPE_LABEL,
)
from router.kubernetes.objects.objects import Object, labels, metadata, name_of, section
from router.kubernetes.objects.role_rules import OR_BIND
from router.model.errors import ConfigError

IDENTITY_KEY, CA_KEY, CA_CERTIFICATE = "identity.key", "ca.key", "ca.crt"
RESTORED: Final = "restored"
"""Key of a Secret that `sitectl restore` made: when, in Unix seconds."""
CA_ROTATION: Final = "ca-rotation.json"
"""Key present during a rotation; routers that do not know it use the pair that issues."""
GRANT_FILE, REVOKED_FILE = "grant.json", "revoked.json"
IN_FORCE_FILE: Final = "in-force.json"
LINK_TOKEN, LINK_KEY, LINK_CERTIFICATE, LINK_CA = (
    "token.yaml",
    "client.key",
    "client.crt",
    "ca.crt",
)
"""Keys of a link's Secret.

Its token, the key that redeems its claim and, once redeemed, the certificate and the other site's
CA.
"""
GRANT: Final = "grant"
TYPES: Final = ("identity", GRANT, "link", "revoked", "admitted", "proxy", "console-users")
PROXY_URL, PROXY_USER, PROXY_PASSWORD, PROXY_CA = "proxy", "username", "password", "ca.crt"
"""Keys of the Secret with the login of a link's HTTP proxy.

Without the first key the login is for the proxy that the link names.
"""

SECRETS_RULE: Final = (
    'Give the Role spillway-router this rule: apiGroups: [""], resources: [secrets], '
    f"verbs: [get, list, watch, create, update, patch, delete]{OR_BIND}"
)

CODE: Final = "SW0447"
"""For an unusable Secret whose kind has no separate code."""

ValueT = TypeVar("ValueT")


class SecretError(CertError):
    """The content of a Secret is unusable. ``key``: the field of its data; empty: all of it.

    ``subject`` names both. Callers that asked for the Secret see the exception; `finding` is for
    lists of a namespace's problems.
    """

    def __init__(self, secret: str, key: str, reason: str, hint: str, code: str = CODE) -> None:
        self.source, self.path = f"Secret/{secret}", f"data[{key}]" if key else "data"
        self.code = code
        super().__init__(f"{self.source}: {self.path}", reason, hint)

    @property
    def finding(self) -> ConfigError:
        """The error as a finding of the namespace."""
        return ConfigError(self.source, self.path, self.reason, hint=self.hint, code=self.code)


def grant_name(claim: str) -> str:
    """Name of the Secret of the granted claim ``claim``."""
    return f"{GRANT_PREFIX}{claim}"


def admitted_name(site_id: str) -> str:
    """Name of the Secret with the entry of a site that may link here: one of sixteen."""
    return f"{ADMITTED_PREFIX}{site_id[0]}"


def admitted_secret(name: str, entries: Mapping[str, bytes]) -> dict[str, Any]:
    """The Secret of register ``entries`` by site id, all with the same first digit."""
    return _made(name, "admitted", entries)


def link_name(link: str) -> str:
    """Name of the Secret of link ``link``."""
    return f"{LINK_PREFIX}{link}"


def proxy_name(link: str) -> str:
    """Name of the Secret with the login of the HTTP proxy of ``link``; a token may name another."""
    return f"{PROXY_PREFIX}{link}"


def proxy_secret(link: str, files: Mapping[str, bytes]) -> dict[str, Any]:
    """The Secret with the login of a link's HTTP proxy."""
    return _made(proxy_name(link), "proxy", files)


def console_users_secret(passwords: Mapping[str, bytes]) -> dict[str, Any]:
    """The Secret with the users of the console."""
    return _made(CONSOLE_USERS_SECRET, "console-users", passwords)


def identity_secret(files: Mapping[str, bytes]) -> dict[str, Any]:
    """The Secret with the identity, the key of the CA and its certificate, by file."""
    return _made(IDENTITY_SECRET, "identity", files)


def revoked_secret(revoked: bytes) -> dict[str, Any]:
    """The Secret with the list of revocations."""
    return _made(REVOKED_SECRET, "revoked", {REVOKED_FILE: revoked})


def grant_secret(claim: str, grant: bytes) -> dict[str, Any]:
    """The Secret of a granted claim. `sitectl token create` makes it, redeeming changes it."""
    return _made(grant_name(claim), GRANT, {GRANT_FILE: grant})


def in_force_secret(kept: bytes) -> dict[str, Any]:
    """The Secret with the documents in force of wrong objects."""
    return _made(IN_FORCE_SECRET, "in-force", {IN_FORCE_FILE: kept})


def link_secret(link: str, files: Mapping[str, bytes], owner_uid: str) -> dict[str, Any]:
    """The credential of a link, deleted with the token's Secret, which has the link's name.

    The reference blocks no deletion: that would take an unnecessary permission.
    """
    made = _made(link_name(link), "link", files)
    made["metadata"]["ownerReferences"] = [
        {"apiVersion": "v1", "kind": "Secret", "name": link, "uid": owner_uid}
    ]
    return made


def owner_uid(secret: Object) -> str:
    """UID of the token's Secret that owns a link's Secret; empty: no owner."""
    for owner in metadata(secret).get("ownerReferences") or ():
        if isinstance(owner, Mapping) and owner.get("kind") == "Secret":
            return str(owner.get("uid", ""))
    return ""


def is_type(secret: Object, kind: str) -> bool:
    """Whether the Secret is one of ours of that type."""
    return labels(secret).get(TYPE_LABEL) == kind


def with_data(secret: Object, data: Mapping[str, bytes]) -> dict[str, Any]:
    """``secret`` with only ``data`` and its old version, so that a replace detects conflicts."""
    return {**secret, "data": encoded(data)}


def encoded(data: Mapping[str, bytes]) -> dict[str, str]:
    """``data`` encoded for a Secret."""
    return {key: base64.b64encode(value).decode() for key, value in sorted(data.items())}


def data_of(found: Object, code: str = CODE) -> dict[str, bytes]:
    """The decoded data of a Secret. SecretError with ``code``: a value is not base64."""
    return {key: value_of(found, key, code=code) for key in keys_of(found)}


def keys_of(found: Object) -> tuple[str, ...]:
    """The keys of a Secret."""
    return tuple(map(str, section(found, "data")))


def value_of(found: Object, key: str, hint: str = "", code: str = CODE) -> bytes:
    """The value of ``key``. SecretError, with ``hint``: it is missing or not base64."""
    name, data = name_of(found), section(found, "data")
    if key not in data:
        raise SecretError(name, key, "is missing", hint, code)
    try:
        return base64.b64decode(str(data[key]), validate=True)
    except (binascii.Error, ValueError) as error:
        restore = f"Restore it from a backup: kubectl edit secret {name}"
        raise SecretError(name, key, "is not base64", restore, code) from error


def decoded(
    found: Object, key: str, read: Callable[[bytes, str], ValueT], hint: str = "", code: str = CODE
) -> ValueT:
    """The value of ``key`` as decoded by ``read`` of `certs`. SecretError: it failed."""
    value = value_of(found, key, hint, code)
    try:
        return read(value, f"Secret/{name_of(found)}")
    except CertError as error:
        raise SecretError(name_of(found), key, error.reason, hint or error.hint, code) from error


def _made(name: str, kind: str, data: Mapping[str, bytes]) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": name,
            "labels": {**PART_OF, MANAGED_BY_LABEL: MANAGED_BY, TYPE_LABEL: kind},
        },
        "type": "Opaque",
        "data": encoded(data),
    }
