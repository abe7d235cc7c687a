"""Secrets `ADMITTED_PREFIX`DIGIT: the sites that may link here, by the first digit of their id."""

from collections.abc import Mapping
from typing import Any, Final

from certs.errors import CertError
from certs.links import register
from certs.links.register import Admitted
from certs.names import is_site_id
from router.kubernetes.codecs.secrets import (
    SecretError,
    admitted_name,
    admitted_secret,
    keys_of,
    value_of,
)
from router.kubernetes.objects.objects import Object, name_of

CODE: Final = "SW0446"


def decode(found: Object | None) -> dict[str, Admitted]:
    """Entries by site. SecretError: one is damaged, or belongs to another Secret."""
    return {} if found is None else {site: entry(found, site) for site in keys_of(found)}


def usable(found: Object) -> list[Admitted]:
    """The intact entries: a damaged one does not hide the others."""
    entries: list[Admitted] = []
    for site in keys_of(found):
        try:
            entries.append(entry(found, site))
        except SecretError:
            continue  # A router lists it in its findings.
    return entries


def entry(found: Object, site: str) -> Admitted:
    """The entry of one site. SecretError: it is damaged, or belongs to another Secret."""
    name = name_of(found)
    value = value_of(found, site, code=CODE)
    try:
        read = register.decode(value, f"Secret/{name}")
    except CertError as error:
        raise _damaged(name, site) from error
    if not is_site_id(site) or read.site_id != site or admitted_name(site) != name:
        raise _damaged(name, site)
    return read


def encode(entry: Admitted) -> bytes:
    """One entry in its shortest form: all sites of a digit share the space of one Secret."""
    return register.encode(register.brief(entry))


def secrets(entries: Mapping[str, Admitted]) -> list[dict[str, Any]]:
    """The Secrets of a whole register."""
    by_name: dict[str, dict[str, bytes]] = {}
    for site, one in entries.items():
        by_name.setdefault(admitted_name(site), {})[site] = encode(one)
    return [admitted_secret(name, data) for name, data in sorted(by_name.items())]


def _damaged(name: str, site: str) -> SecretError:
    hint = "Restore it; or delete it, sites enter it again as they link: "
    reason = "is damaged; who was known before stays so"
    return SecretError(name, site, reason, f"{hint}kubectl delete secret {name}", CODE)
