"""Tokens for AccessGrants and links for AccessTokens, made by the replica with the Lease."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Mapping

from certs.errors import CertError
from router.documents.skupper2 import GrantRequest, TokenRequest
from router.kubernetes.client.api import Api
from router.kubernetes.client.errors import CONFLICT, FORBIDDEN, NOT_FOUND, ApiError, admission_step
from router.kubernetes.codecs.secrets import grant_name
from router.kubernetes.leader import skupper2_claims as access
from router.kubernetes.objects.access_levels import AccessLevel
from router.kubernetes.objects.addresses import Addresses
from router.kubernetes.objects.kinds import KINDS
from router.kubernetes.objects.objects import Object, Snapshot, part, uid_of
from router.kubernetes.objects.skupper2_kinds import PAGE
from router.kubernetes.store.error_source import ErrorSource
from router.kubernetes.store.store import Look
from router.kubernetes.store.supervise import woken
from router.model import limits
from router.model.errors import ConfigError
from router.model.ticks import doubled_s

log = logging.getLogger("router.kubernetes")

_WRONG = "SW0113"


class V2Access(ErrorSource):
    """Serves AccessGrants and AccessTokens: `look` takes the namespace, `run` writes.

    The claim of a deleted AccessGrant ends as soon as the cluster serves the kind. The Secret of a
    Link is deleted only if the Link was seen here before: deleting Skupper's CRDs deletes all
    objects, and no author asks for that.
    """

    def __init__(
        self,
        api: Api,
        may_write: Callable[[], bool],
        addresses: Callable[[], Addresses],
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__()
        self._api, self._may_write = api, may_write
        self._addresses, self._clock = addresses, clock
        self._seen: Look | None = None
        self._woken = asyncio.Event()
        # Owners' UIDs, for claims and Secrets to delete.
        self._known: dict[tuple[str, str], str] = {}
        # After refusals: when to try again, by the loop's time, and how many they were in a row.
        self._refusals: dict[tuple[str, str], tuple[float, int]] = {}
        self._refused: Mapping[str, ConfigError] = {}

    @property
    def errors(self) -> tuple[ConfigError, ...]:
        """Reasons why an object did not get its token or link."""
        return tuple(self._refused.values())

    def look(self, seen: Look) -> None:
        """Take the namespace as it is now."""
        self._seen = seen
        self._woken.set()

    async def run(self) -> None:
        """Process all grants and tokens, until cancelled."""
        while True:
            self._woken.clear()
            seen = self._seen
            if seen is not None and self._may_write() and not seen.v2.seen.controller.other:
                await self._step(seen)
            await woken(self._woken, self._pause_s())

    def _pause_s(self) -> float:
        """Until the next try that is due, or a usual check."""
        now = asyncio.get_running_loop().time()
        waits = [at - now for at, _ in self._refusals.values() if at > now]
        return min([limits.STATUS_EVERY_S, *waits])

    async def _step(self, seen: Look) -> None:
        await self._take_away(seen)
        refused: dict[str, ConfigError] = {}
        asked: dict[str, Mapping[str, GrantRequest] | Mapping[str, TokenRequest]] = {
            "AccessGrant": seen.v2.seen.grants,
            "AccessToken": seen.v2.seen.tokens,
        }
        self._refusals = {
            key: told for key, told in self._refusals.items() if key[1] in asked[key[0]]
        }
        for kind, requests in asked.items():
            for name, request in requests.items():
                error = await self._one(seen, kind, name, request)
                if error is not None:
                    refused[error.source] = error
        self._refused = refused
        self._tell(self.errors)

    async def _one(
        self, seen: Look, kind: str, name: str, request: GrantRequest | TokenRequest
    ) -> ConfigError | None:
        """The problem of one object; None: it is made, or waits."""
        found = seen.snapshot.get(kind, name)
        if found is None:
            return None
        if seen.v2.levels.get(kind) is not AccessLevel.FULL:
            plural = KINDS[kind].plural
            return _wrong(
                f"{kind}/{name}",
                f"the router may not write {plural}/status, so it cannot take this up",
                f"Grant it level A ({PAGE}), or apply the file: sitectl apply -f FILE",
            )
        loop = asyncio.get_running_loop()
        again_at, refusals = self._refusals.get((kind, name), (0.0, 0))
        if loop.time() < again_at:
            return self._refused.get(f"{kind}/{name}")
        try:
            if isinstance(request, GrantRequest):
                wrong = await self._grant(seen, request, found)
            else:
                wrong = await self._redeem(seen.snapshot, request, found)
        except CertError as error:
            return _wrong(f"{kind}/{name}", error.reason, error.hint)
        except ApiError as error:
            if error.status in (CONFLICT, NOT_FOUND):
                return None  # Another writer was faster: the watch delivers the object.
            pause_s = doubled_s(limits.STATUS_LOOK_S, refusals, limits.STATUS_EVERY_S)
            self._refusals[kind, name] = loop.time() + pause_s, refusals + 1
            log.info("%s/%s cannot be taken up: %s", kind, name, error)
            if error.status != FORBIDDEN:
                return self._refused.get(f"{kind}/{name}")
            hint = admission_step(error) or (
                f"Apply deploy/kubernetes/skupper-v2/cluster-role.yaml again: {PAGE}"
            )
            return _wrong(f"{kind}/{name}", f"the API refuses it: {error.message}", hint)
        self._refusals.pop((kind, name), None)
        return wrong

    # AccessGrants ---------------------------------------------------------------------------

    async def _grant(self, seen: Look, request: GrantRequest, found: Object) -> ConfigError | None:
        uid, options = uid_of(found), seen.picture.options
        if access.is_of_site(found, seen.snapshot):
            self._known["AccessGrant", request.name] = uid
            return None
        where = self._addresses()
        if options is None or not where.endpoints:
            return None  # Its status shows the missing part.
        # The watch may not have delivered our last write: a second claim would end the first.
        now_there = await self._api.find("AccessGrant", request.name)
        if now_there is None or uid_of(now_there) != uid:
            return None
        found = now_there
        if access.is_of_site(found, seen.snapshot):
            return None
        name = grant_name(request.name)
        held = await self._api.find("Secret", name)
        if held is not None and access.owner_of(held) != uid:
            reason = f"a token named {request.name!r} was made here already"
            return _wrong(f"AccessGrant/{request.name}", reason, "Rename the AccessGrant")
        now = self._clock()
        secret, token = access.granted(request, found, seen.snapshot, options.name, where, now)
        if held is not None:
            # Left by a crash, or by a replica that still writes: its status then comes too late.
            status = access.restarted_status(found, token, now)
            found = await self._api.replace({**found, "status": status}, subresource="status")
            await self._api.delete("Secret", name, uid=uid_of(held))
        made = await self._api.create(secret)
        status = access.granted_status(found, token, now)
        try:
            await self._api.replace({**found, "status": status}, subresource="status")
        except ApiError:  # It may have been written all the same: only the answer was lost.
            there = await self._api.find("AccessGrant", request.name)
            if there is None or part(there, "status", "code") != token.secret:
                await self._api.delete("Secret", name, uid=uid_of(made))
            raise
        self._known["AccessGrant", request.name] = uid
        return None

    # AccessTokens ---------------------------------------------------------------------------

    async def _redeem(
        self, snapshot: Snapshot, request: TokenRequest, found: Object
    ) -> ConfigError | None:
        token = access.token_of(request)
        for kind, made in (
            ("Secret", access.token_secret(request, token, found)),
            ("Link", access.link_object(request, token, found)),
        ):
            held = snapshot.get(kind, request.name) or await self._api.find(kind, request.name)
            if held is None:
                await self._api.create(made)
            elif not access.is_of_access_token(held):
                reason = f"there is another {kind} {request.name} in the namespace"
                hint = f"Rename the AccessToken, or delete the {kind}"
                return _wrong(f"AccessToken/{request.name}", reason, hint)
            elif access.is_outdated(held, made):
                await self._api.replace(access.remade(held, made))
        return None

    # Remains of deleted objects -------------------------------------------------------------

    async def _take_away(self, seen: Look) -> None:
        for name, link in seen.snapshot.of("Link").items():
            if uid := access.owner_of(link):
                self._known["Link", name] = uid
        for name, uid in self._orphaned_claims(seen):
            self._known["AccessGrant", name] = uid
        for (kind, name), uid in list(self._known.items()):
            found = seen.snapshot.get(kind, name)
            if found is not None and (kind == "Link" or uid_of(found) == uid):
                continue  # Still there. An AccessGrant that was applied again has another UID.
            try:
                if kind == "Link":
                    await self._delete(name, seen)
                else:
                    await self._end_claim(name, uid)
            except (ApiError, CertError) as error:
                log.info("what %s/%s left stays: %s", kind, name, error)
            else:
                del self._known[kind, name]

    def _orphaned_claims(self, seen: Look) -> Iterator[tuple[str, str]]:
        """Names and UIDs of AccessGrants that were deleted without a router and left a claim."""
        if seen.v2.levels.get("AccessGrant") is not AccessLevel.FULL:
            return
        if "AccessGrant" in seen.snapshot.missing:
            return
        for secret in seen.snapshot.of("Secret").values():
            name, uid = access.claim_of(secret), access.owner_of(secret)
            if name and uid and access.is_redeemable(secret):
                grant = seen.snapshot.get("AccessGrant", name)
                if grant is None or uid_of(grant) != uid:
                    yield name, uid

    async def _delete(self, name: str, seen: Look) -> None:
        """Delete the Secret of a deleted Link, unless an AccessToken waits for it."""
        held = await self._api.find("Secret", name)
        if held is None or not access.is_of_access_token(held):
            return
        waits = seen.snapshot.get("AccessToken", name) if name in seen.v2.seen.tokens else None
        if waits is None or uid_of(waits) != access.owner_of(held):
            await self._api.delete("Secret", name, uid=uid_of(held))

    async def _end_claim(self, grant: str, owner: str) -> None:
        there = await self._api.find("AccessGrant", grant)
        if there is not None and uid_of(there) == owner:
            return  # The watch is behind.
        held = await self._api.find("Secret", grant_name(grant))
        if held is None or access.owner_of(held) != owner:
            return
        changed = access.ended(held)
        if changed is None:
            await self._api.delete("Secret", grant_name(grant), uid=uid_of(held))
        else:
            await self._api.replace(changed)


def _wrong(source: str, reason: str, hint: str) -> ConfigError:
    return ConfigError(source, "", reason, hint=hint, code=_WRONG, severity="error")
