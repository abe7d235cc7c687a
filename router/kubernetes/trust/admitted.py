"""The register of sites that may link here: Secrets, copied to directory ``admitted`` of this pod.

Sites share sixteen Secrets by the first digit of their id, so that a register of any size takes
little of a quota. An entry by this router counts here at once; until a watch shows it in its
Secret, it is added to each state that the watch delivers.
"""

import contextlib
from collections.abc import Mapping
from typing import Final

from certs.errors import CertError
from certs.links import register
from certs.links.register import Admitted, Register
from router.kubernetes.client.api import Api
from router.kubernetes.client.errors import ApiError
from router.kubernetes.codecs import register as codec
from router.kubernetes.codecs.register import CODE
from router.kubernetes.codecs.secrets import (
    SecretError,
    admitted_name,
    admitted_secret,
    data_of,
    with_data,
)
from router.kubernetes.objects.names import ADMITTED_PREFIX
from router.kubernetes.objects.objects import Object, version_of
from router.kubernetes.trust.trust_calls import (
    SECRET,
    is_older,
    refusal,
    side_by_side,
    until_written,
)
from router.model import limits
from router.model.errors import ConfigError
from router.model.wording.system_errors import text_of

_NAMES: Final = tuple(f"{ADMITTED_PREFIX}{digit}" for digit in "0123456789abcdef")


class AdmittedSecrets:
    """Owns the copy in ``here``, except for entries that `certificate_issuer` makes and reports."""

    def __init__(self, api: Api, here: Register) -> None:
        self._api = api
        self._here = here
        self._unkept: dict[str, Admitted] = {}  # By site; not in a Secret yet.
        self._unseen: dict[str, dict[str, Admitted]] = {}  # By Secret; in it since `_versions`.
        self._versions: dict[str, str] = {}
        self._looked: dict[str, Object | None] = {}
        self._damage: dict[str, ConfigError] = {}
        self._refusals: dict[str, ConfigError] = {}

    @property
    def errors(self) -> tuple[ConfigError, ...]:
        """Damage of the Secrets, or obstacles to writing them."""
        return (*self._damage.values(), *self._refusals.values())

    def changed(self, site: str) -> None:
        """Save the entry of ``site``; `step` writes it."""
        entry = None
        with contextlib.suppress(CertError):  # Its readers report the damage.
            entry = self._here.get(site)
        if entry is not None:
            self._unkept[site] = entry

    def forget_all(self) -> None:
        """The CA was replaced: unsaved entries must not readmit sites of the old one."""
        self._unkept.clear()
        self._unseen.clear()

    # Following ------------------------------------------------------------------------------

    def look(self, secrets: Mapping[str, Object]) -> None:
        """Take the register from the cluster. A damaged Secret changes nothing here."""
        for name in _NAMES:
            found = secrets.get(name)
            if name in self._looked and self._looked[name] is found:
                continue
            try:
                self._take(name, found)
            except SecretError as error:
                self._damage[name] = error.finding
            except (CertError, OSError) as error:
                reason = f"cannot be copied here: {text_of(error)}"
                hint = "Free some space, or raise the pod's limit of ephemeral storage"
                self._damage[name] = ConfigError(_source(name), "", reason, hint=hint, code=CODE)
            else:
                self._looked[name] = found
                self._damage.pop(name, None)

    def _take(self, name: str, found: Object | None) -> None:
        listed = codec.decode(found)
        was_deleted = found is None and self._looked.get(name) is not None
        version = "" if found is None else version_of(found)
        if was_deleted or (found and not is_older(version, self._versions.get(name, ""))):
            self._unseen.pop(name, None)
        for entries in (self._unseen.get(name, {}), self._unkept_of(name)):
            for site, entry in entries.items():
                listed[site] = _more(listed.get(site), entry)
        here = [site for site in self._here.sites() if admitted_name(site) == name]
        self._here.take(
            (entry for site, entry in listed.items() if self._known(site) != entry),
            (site for site in here if site not in listed),
        )

    def _known(self, site: str) -> Admitted | None:
        with contextlib.suppress(CertError):  # A damaged copy is replaced.
            return self._here.get(site)
        return None

    def _unkept_of(self, name: str) -> dict[str, Admitted]:
        return {s: entry for s, entry in self._unkept.items() if admitted_name(s) == name}

    # Writing --------------------------------------------------------------------------------

    async def step(self) -> None:
        """Write new entries into their Secrets. The next call tries again after a failure."""
        await side_by_side(sorted({admitted_name(site) for site in self._unkept}), self._keep)

    async def _keep(self, name: str) -> None:
        try:
            is_full = await until_written(lambda: self._enter(name))
        except ApiError as error:
            self._refusals[name] = refusal(error, _source(name), "keep who may link here")
        except SecretError as error:
            self._damage[name] = error.finding
        else:
            self._refusals.pop(name, None)
            if is_full:
                self._refusals[name] = _full(name)

    async def _enter(self, name: str) -> bool:
        """Write the entries of one Secret; whether it has no room for some."""
        entries = self._unkept_of(name)
        found = await self._api.find(SECRET, name)
        data, kept = _with(found, entries)
        self._kept(name, kept, await self._write(name, found, data) if kept else "")
        return len(kept) < len(entries)

    async def _write(self, name: str, found: Object | None, data: Mapping[str, bytes]) -> str:
        """Write ``data``; the version that holds it. Empty: the Secret held it already."""
        if found is None:
            return version_of(await self._api.create(admitted_secret(name, data)))
        if data == data_of(found, CODE):
            return ""
        return version_of(await self._api.replace(with_data(found, data)))

    def _kept(self, name: str, kept: Mapping[str, Admitted], version: str) -> None:
        for site, entry in kept.items():
            if self._unkept.get(site) is entry:  # No newer entry came in between.
                del self._unkept[site]
        if version:
            self._unseen.setdefault(name, {}).update(kept)
            self._versions[name] = version


def _with(
    found: Object | None, entries: Mapping[str, Admitted]
) -> tuple[dict[str, bytes], dict[str, Admitted]]:
    """The Secret's new data, and the ``entries`` in it: not all of them if it is full."""
    listed = codec.decode(found)
    data = {} if found is None else data_of(found, CODE)
    used, kept = sum(map(len, data.values())), {}
    for site, entry in entries.items():
        new = codec.encode(_more(listed.get(site), entry))
        grown = used + len(new) - len(data.get(site, b""))
        if grown > limits.ADMITTED_SECRET_BYTES_MAX:
            continue
        used, data[site], kept[site] = grown, new, entry
    return data, kept


def _more(known: Admitted | None, entry: Admitted) -> Admitted:
    return entry if known is None else register.joined(known, entry)


def _source(name: str) -> str:
    return f"{SECRET}/{name}"


def _full(name: str) -> ConfigError:
    return ConfigError(
        _source(name),
        "",
        "is full: new sites link, but do not rejoin by themselves after long",
        hint=f"Delete the keys of sites that are gone: kubectl edit secret {name}",
        code=CODE,
    )
