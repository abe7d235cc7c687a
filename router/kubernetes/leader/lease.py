"""Leader election: the router of a site that holds the Lease writes to the API.

Traffic never asks for it. It works like client-go's leader election: the holder renews; the others
take over once they have seen no renewal for the whole duration, by their own clocks. Every write is
a compare-and-swap by the object's version, so if two routers try, one fails. A holder writes over
the version that it wrote last, without reading the Lease first.

A router that is alone in its namespace holds the Lease for longer and renews it less often, since
no other router waits for it. As soon as another router's Pod exists, it renews at once, for the
usual time. A router that finds the holder's Pod gone waits only for the usual time, too. It does
not wait at all for an earlier life of its own container.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from random import Random
from typing import Any

from router.kubernetes.client.api import Api
from router.kubernetes.client.errors import FORBIDDEN, ApiError, ServerSilence, admission_step, late
from router.kubernetes.objects.names import PART_OF, ROUTER
from router.kubernetes.objects.objects import Object, spec_of, stamp_of, version_of
from router.kubernetes.objects.role_rules import OR_BIND
from router.kubernetes.store.supervise import woken
from router.model import limits
from router.model.errors import ConfigError

log = logging.getLogger("router.kubernetes")


class Leadership:
    """Holds or awaits the Lease. ``holder`` must be unique among the routers.

    ``changed`` is called when `holds` or `errors` changes.
    """

    def __init__(
        self,
        api: Api,
        holder: str,
        rng: Random,
        changed: Callable[[], None] = lambda: None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._api, self._holder, self._rng = api, holder, rng
        self._changed, self._clock = changed, clock
        # Version of another router's Lease, seen at `_seen_at` by our clock.
        self._seen: str | None = None
        self._seen_at = 0.0
        self._held_until = 0.0
        self._was_held = False
        self._is_refused = False  # At the last try.
        self._mine: Object | None = None  # The Lease as we wrote it last.
        self._foreign = ("", 0.0)  # A holder without a router's Pod, and since when.
        self._pods: frozenset[str] = frozenset()
        self._news = asyncio.Event()
        self.errors: tuple[ConfigError, ...] = ()
        """The API server refuses the Lease to this router, or another program holds it: without it
        no router writes."""
        self.silence: ServerSilence | None = None
        """Since when the API server gives no usable answer about the Lease; None: it answers."""
        self._silence_changed: Callable[[], None] = _nobody

    def follow_silence(self, changed: Callable[[], None]) -> None:
        """Call ``changed`` when `silence` changes."""
        self._silence_changed = changed

    @property
    def holds(self) -> bool:
        """Whether this router may write. Turns false before another router could take over."""
        return self._now() < self._held_until

    def see(self, pods: Collection[str]) -> None:
        """Take the Pods of routers that exist now; empty: unknown."""
        was_alone, self._pods = self._is_alone, frozenset(pods)
        if was_alone and not self._is_alone:
            self._news.set()

    @property
    def _is_alone(self) -> bool:
        return self._pods == {_pod_of(self._holder)}

    async def run(self) -> None:
        """Hold the Lease, or try to, until cancelled."""
        while True:
            began = self._now()
            self._news.clear()
            self._tell()  # The Lease may have expired while this process was kept from renewing.
            try:
                async with asyncio.timeout(limits.LEASE_RENEW_S):
                    await self._try()
            except (ApiError, TimeoutError) as error:
                # Another router was faster, or the API is away: then nothing can be written.
                log.debug("the lease was not renewed: %s", error)
                self._failed(began, error)
            else:
                self._is_refused = False
                self._found(self._held_by_foreigner(), None)
            self._tell()
            is_calm = self._is_alone and self._held_until >= began + limits.LEASE_ALONE_HELD_S
            every_s = limits.LEASE_ALONE_RENEW_S if is_calm else limits.LEASE_RENEW_S
            left_s = every_s - (self._now() - began)
            await woken(self._news, max(0.1, left_s) * self._rng.uniform(0.8, 1.0))

    async def release(self) -> None:
        """Give up the Lease so that another router can take it at once; tries only briefly."""
        if not self.holds:
            return
        self._held_until = 0.0
        try:
            async with asyncio.timeout(limits.LEASE_RELEASE_S):
                found = await self._api.find("Lease", ROUTER)
                if found is not None and spec_of(found).get("holderIdentity") == self._holder:
                    spec = {**spec_of(found), "holderIdentity": "", "leaseDurationSeconds": 1}
                    await self._api.replace({**found, "spec": spec})
        except (ApiError, TimeoutError) as error:
            log.info("the lease was not released, it runs out: %s", error)

    async def _try(self) -> None:
        began, is_alone = self._now(), self._is_alone
        found = self._mine or await self._api.find("Lease", ROUTER)
        self._mine = None
        if found is None:
            self._mine = await self._api.create(
                {
                    "apiVersion": "coordination.k8s.io/v1",
                    "kind": "Lease",
                    "metadata": {"name": ROUTER, "labels": dict(PART_OF)},
                    "spec": self._held(0),
                }
            )
        else:
            spec = spec_of(found)
            if not self._may_take(spec, version_of(found)):
                self._note_foreign(str(spec.get("holderIdentity")))
                self._held_until = 0.0
                return
            self._foreign = ("", 0.0)
            transitions = spec.get("leaseTransitions")
            number = transitions if isinstance(transitions, int) else 0
            if spec.get("holderIdentity") == self._holder:
                kept = {k: v for k, v in spec.items() if k in ("acquireTime", "leaseTransitions")}
                wanted = self._held(number) | kept
            else:
                wanted = self._held(number + 1)
            self._mine = await self._api.replace({**found, "spec": {**spec, **wanted}})
        self._tell()  # Report an expiry first, so that followers also see the Lease come back.
        held_s = limits.LEASE_ALONE_HELD_S if is_alone else limits.LEASE_HELD_S
        self._held_until = began + held_s

    def _may_take(self, spec: Mapping[str, Any], version: str) -> bool:
        """Whether the Lease is ours, free, or was not renewed for its duration by our clock."""
        holder = spec.get("holderIdentity")
        if not holder or holder == self._holder:
            return True
        pod = _pod_of(str(holder))
        if pod in self._pods and pod == _pod_of(self._holder):
            return True
        if version != self._seen:
            self._seen, self._seen_at = version, self._now()
            return False
        told_s = spec.get("leaseDurationSeconds")
        duration_s = told_s if isinstance(told_s, int) and told_s > 0 else limits.LEASE_S
        if self._pods and pod not in self._pods:
            duration_s = min(duration_s, limits.LEASE_S)
        return self._now() >= self._seen_at + duration_s

    def _note_foreign(self, holder: str) -> None:
        """``holder`` keeps the Lease from us: remember it if it is no Pod of a router."""
        if not self._pods or _pod_of(holder) in self._pods:
            self._foreign = ("", 0.0)
        elif holder != self._foreign[0]:
            self._foreign = (holder, self._now())

    def _held_by_foreigner(self) -> tuple[ConfigError, ...]:
        """A router that has gone renews the Lease no more, and is not reported."""
        holder, since = self._foreign
        if not holder or self.holds or self._now() < since + limits.LEASE_FOREIGN_S:
            return ()
        text = (
            f"{holder[: limits.NAME_CHARS_MAX]!r} holds and renews it, and has no Pod of a "
            "router here: no router in a pod writes a Service, Event or status"
        )
        hint = (
            "End what holds it, perhaps a router that runs outside the cluster. Then: "
            f"kubectl delete lease {ROUTER}"
        )
        source = f"Lease/{ROUTER}"
        return (ConfigError(source, "holderIdentity", text, hint=hint, code="SW0473"),)

    def _held(self, transitions: int) -> dict[str, Any]:
        now = stamp_of(self._clock(), "microseconds")
        return {
            "holderIdentity": self._holder,
            "leaseDurationSeconds": limits.LEASE_ALONE_S if self._is_alone else limits.LEASE_S,
            "acquireTime": now,
            "renewTime": now,
            "leaseTransitions": transitions,
        }

    def _failed(self, began: float, error: ApiError | TimeoutError) -> None:
        if not isinstance(error, ApiError):
            error = late()
        if error.is_answer:
            # A starting API server refuses everything until it has read the Roles.
            is_told = error.status == FORBIDDEN and self._is_refused
            self._found((_refused(error),) if is_told else self.errors, None)
            self._is_refused = error.status == FORBIDDEN
        else:
            since = began if self.silence is None else self.silence.since
            self._found(self.errors, ServerSilence(since, error))

    def _found(self, errors: tuple[ConfigError, ...], silence: ServerSilence | None) -> None:
        errors_before, self.errors = self.errors, errors
        before, self.silence = self.silence, silence
        if list(map(str, errors)) != list(map(str, errors_before)):
            self._changed()
        if _words(before) != _words(silence):
            self._silence_changed()

    def _tell(self) -> None:
        if self.holds != self._was_held:
            self._was_held = self.holds
            log.info("this router writes now" if self.holds else "another router may write now")
            self._changed()

    def _now(self) -> float:
        return asyncio.get_running_loop().time()


def _pod_of(holder: str) -> str:
    """The Pod of a router: the part of ``holder`` before the process's own part."""
    return holder.rpartition("_")[0]


def _words(silence: ServerSilence | None) -> object:
    """The part of a silence that is reported."""
    return silence and (silence.since, silence.fault.sort)


def _nobody() -> None:
    """Placeholder until a follower subscribes."""


def _refused(error: ApiError) -> ConfigError:
    text = (
        f"the Lease of the site cannot be held, so no Service, Event or status is written: {error}"
    )
    if step := admission_step(error):
        return ConfigError(f"Lease/{ROUTER}", "", text, hint=step, code="SW0432")
    return ConfigError(
        f"Role/{ROUTER}",
        "rules",
        text,
        hint='Add to it {apiGroups: ["coordination.k8s.io"], resources: ["leases"], '
        f'verbs: ["get", "create", "update"]}}{OR_BIND}',
        code="SW0432",
    )
