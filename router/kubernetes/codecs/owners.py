"""The owner of each name, in ConfigMap `OWNERS_CONFIGMAP`, for all routers of a site and people.

``owners.json`` lists names by the site that owns them, each with its last declaration in force and,
after an ``@``, the epoch and sequence of the LSA that brought it. A name that several sites may own
is listed under each of them. ``grants.json`` has the grants of owners, by name; it is nearly always
missing.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from router.kubernetes.objects.names import MANAGED_BY, MANAGED_BY_LABEL, OWNERS_CONFIGMAP, PART_OF
from router.kubernetes.objects.objects import Object, section
from router.model.errors import ConfigError
from router.model.ids import SiteId
from router.model.rights.grants import NONE, ServiceGrant
from router.model.rights.owners import UNKNOWN, Owner, Version

KIND: Final = "ConfigMap"
SOURCE: Final = f"{KIND}/{OWNERS_CONFIGMAP}"
FILE: Final = "owners.json"
GRANTS_FILE: Final = "grants.json"
CODE: Final = "SW0449"
_NUMBER: Final = re.compile(r"[0-9]{1,16}")


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``site``: the site whose routers wrote it."""

    site: str
    owners: dict[str, dict[str, str]]


def may_be_others(found: Object | None, name: str) -> bool:
    """Whether ``found`` allows that another site than its own owns ``name``."""
    if found is None:
        return False
    try:
        read = _read(found)
    except ConfigError:
        return True
    return name not in read.owners.get(read.site, ()) and any(
        name in names for names in read.owners.values()
    )


def owners_map(site: str, owners: Mapping[str, Owner]) -> dict[str, Any]:
    """The ConfigMap as a router of ``site`` makes it."""
    return {
        "apiVersion": "v1",
        "kind": KIND,
        "metadata": {
            "name": OWNERS_CONFIGMAP,
            "labels": {**PART_OF, MANAGED_BY_LABEL: MANAGED_BY},
        },
        "data": _encoded(site, owners),
    }


def with_owners(found: Object, site: str, owners: Mapping[str, Owner]) -> dict[str, Any]:
    """``found`` with these owners and its old version, so that a replace detects conflicts."""
    return {**found, "data": _encoded(site, owners)}


def owners_of(found: Object, site: str) -> dict[str, Owner]:
    """Owners by name.

    ConfigError: the object is damaged, or belongs to another site than ``site``.
    """
    read = _read(found)
    if read.site != site:
        raise _unusable(f"data[{FILE}]", f"is of another site, {read.site[:64]!r}")
    sites: dict[str, list[SiteId]] = {}
    contents: dict[str, str] = {}
    versions: dict[str, list[Version]] = {}
    for owner, names in sorted(read.owners.items()):
        for name, noted in names.items():
            contents[name], version = _read_note(noted)
            sites.setdefault(name, []).append(SiteId(owner))
            versions.setdefault(name, []).append(version)
    grants = _grants(found)
    return {
        name: Owner(
            tuple(owners),
            contents[name],
            grants.get(name, NONE),
            tuple(versions[name]) if any(map(any, versions[name])) else (),
        )
        for name, owners in sites.items()
    }


def _note(owner: Owner, site: SiteId) -> str:
    epoch, sequence = owner.version(site)
    return f"{owner.content}@{epoch}.{sequence}" if (epoch, sequence) != UNKNOWN else owner.content


def _read_note(noted: str) -> tuple[str, Version]:
    content, _, version = noted.partition("@")
    epoch, _, sequence = version.partition(".")
    if not version:
        return content, UNKNOWN
    if not (_NUMBER.fullmatch(epoch) and _NUMBER.fullmatch(sequence)):
        raise _unusable(f"data[{FILE}]", f"is damaged ({noted[:64]!r})")
    return content, (int(epoch), int(sequence))


def _read(found: Object) -> _File:
    try:
        return msgspec.json.decode(_text(found, FILE), type=_File)
    except msgspec.MsgspecError as error:
        raise _unusable(f"data[{FILE}]", f"is damaged ({error})") from error


def _grants(found: Object) -> dict[str, tuple[ServiceGrant, ...]]:
    text = _text(found, GRANTS_FILE)
    if not text:
        return {}
    try:
        return msgspec.json.decode(text, type=dict[str, tuple[ServiceGrant, ...]])
    except msgspec.MsgspecError as error:
        raise _unusable(f"data[{GRANTS_FILE}]", f"is damaged ({error})") from error


def _text(found: Object, file: str) -> str:
    return str(section(found, "data").get(file) or "")


def _encoded(site: str, owners: Mapping[str, Owner]) -> dict[str, str]:
    by_site: dict[str, dict[str, str]] = {}
    for name, owner in sorted(owners.items()):
        for one in owner.sites:
            by_site.setdefault(one, {})[name] = _note(owner, one)
    kept = _File(site, dict(sorted(by_site.items())))
    data = {FILE: msgspec.json.format(msgspec.json.encode(kept), indent=1).decode() + "\n"}
    grants = {name: owner.grants for name, owner in sorted(owners.items()) if owner.grants}
    if grants:
        data[GRANTS_FILE] = msgspec.json.encode(grants).decode() + "\n"
    return data


def _unusable(field: str, reason: str) -> ConfigError:
    return ConfigError(
        SOURCE,
        field,
        f"{reason}; who owned a name before still does",
        hint="Restore it from a backup, or delete it, and the router writes what it knows: "
        f"kubectl delete configmap {OWNERS_CONFIGMAP}",
        code=CODE,
    )
