"""The list of revoked sites: Secret `REVOKED_SECRET` is the truth, ``revoked.json`` its copy here.

A revocation or readmission by this router counts here at once and goes into the Secret as soon as
the API allows; until a watch shows it in the Secret, it is added to each state that the watch
delivers.
"""

from collections.abc import Callable, Mapping

from certs.errors import CertError
from certs.links.revocation import Revocation, Revocations
from router.kubernetes.client.api import Api
from router.kubernetes.client.errors import ApiError
from router.kubernetes.codecs import revoked as codec
from router.kubernetes.codecs.revoked import CODE
from router.kubernetes.codecs.secrets import SecretError
from router.kubernetes.objects.names import REVOKED_SECRET
from router.kubernetes.objects.objects import Object, version_of
from router.kubernetes.trust.trust_calls import SECRET, is_older, refusal, until_written
from router.model.errors import ConfigError
from router.model.wording.system_errors import text_of

SOURCE = f"{SECRET}/{REVOKED_SECRET}"


class RevokedSecret:
    """Owns the copy in ``secrets/``. ``changed`` is called when the copy changed."""

    def __init__(self, api: Api, here: Revocations, changed: Callable[[], None]) -> None:
        self._api = api
        self._here = here
        self._changed = changed
        self._unkept: list[Revocation] = []  # Not in the Secret yet.
        self._unseen: list[Revocation] = []  # In it, since `_version`.
        self._version = ""
        self._damage: ConfigError | None = None
        self._refusal: ConfigError | None = None

    @property
    def errors(self) -> tuple[ConfigError, ...]:
        """Damage of the Secret, or an obstacle to writing it."""
        return tuple(error for error in (self._damage, self._refusal) if error is not None)

    def revoked(self, change: Revocation) -> None:
        """Save this router's change to its list; `step` writes it."""
        self._unkept.append(change)

    def look(self, secrets: Mapping[str, Object]) -> None:
        """Take the list from the cluster. A damaged Secret changes nothing here."""
        found = secrets.get(REVOKED_SECRET)
        try:
            listed = codec.decode(found)
        except SecretError as error:
            self._damage = error.finding
            return
        self._damage = None
        if found is not None and not is_older(version_of(found), self._version):
            self._unseen = []
        for change in (*self._unseen, *self._unkept):
            listed = change.applied_to(listed)
        try:
            self._here.set(listed)
        except (CertError, OSError) as error:
            self._damage = ConfigError(
                SOURCE,
                "",
                f"cannot be copied here: {text_of(error)}",
                hint="Free some space",
                code=CODE,
            )
            return
        self._changed()

    async def step(self) -> None:
        """Write new changes into the Secret. The next call tries again after a failure."""
        try:
            while self._unkept:
                await until_written(self._keep)
                self._refusal = None
        except ApiError as error:
            self._refusal = refusal(error, SOURCE, "keep who was revoked")
        except SecretError as error:
            self._damage = error.finding

    async def _keep(self) -> None:
        changes = tuple(self._unkept)
        version = await self._write(changes)
        # Not by number: another step, or a revocation, may have come in between.
        kept = set(map(id, changes))
        self._unkept = [change for change in self._unkept if id(change) not in kept]
        if version:
            self._unseen += changes
            self._version = version

    async def _write(self, changes: tuple[Revocation, ...]) -> str:
        """Write ``changes``; the version that holds them. Empty: the Secret held them already."""
        found = await self._api.find(SECRET, REVOKED_SECRET)
        before = codec.decode(found)
        after = before
        for change in changes:
            after = change.applied_to(after)
        if after == before:
            return ""
        if found is None:
            return version_of(await self._api.create(codec.secret(after)))
        return version_of(await self._api.replace(codec.changed(found, after)))
