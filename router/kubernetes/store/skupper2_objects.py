"""Objects of Skupper v2 in the namespace, mirrored if the cluster serves them and we may read them.

`kubernetes.skupper2` decides what they mean. A kind that vanishes, or that may not be read any
more, leaves its objects as they were last seen.
"""

import asyncio
import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

import msgspec

from router.kubernetes.client.api import Api
from router.kubernetes.objects import names
from router.kubernetes.objects.access_levels import AccessLevel, least
from router.kubernetes.objects.kinds import KINDS as KIND_TABLE
from router.kubernetes.objects.objects import Snapshot
from router.kubernetes.objects.picture import NamespacePicture
from router.kubernetes.objects.skupper2_kinds import API_VERSION, CLUSTER_ROLE, KINDS, PAGE
from router.kubernetes.skupper2 import reading
from router.kubernetes.skupper2.reading import V2Picture
from router.kubernetes.store.custom_kinds import CustomKinds
from router.kubernetes.store.informer import Informer
from router.kubernetes.store.selections import Selection, whole
from router.kubernetes.store.supervise import run_supervised
from router.kubernetes.translation.site_config import SiteDefaults
from router.model import limits
from router.model.errors import ConfigError, Severity

LEVEL: Final = "SW0495"
SOURCE: Final = "Kubernetes"
_CONTROLLER: Final = Selection(
    kind="ConfigMap", fields=f"metadata.name={names.SKUPPER_CONTROL}", keep=whole
)
_NOT_SEEN: Final = V2Picture(NamespacePicture())


class V2View(msgspec.Struct, frozen=True):
    """The meaning of the namespace's objects of v2, and our access to each kind."""

    seen: V2Picture = _NOT_SEEN
    levels: Mapping[str, AccessLevel] = {}


class V2Objects:
    """Belongs to one event loop, `run` to one task. ``changed``: as in `CustomKinds`."""

    def __init__(
        self, api: Api, changed: Callable[[str], None], rng: random.Random, defaults: SiteDefaults
    ) -> None:
        self._changed, self._defaults = changed, defaults
        self._kinds = CustomKinds(
            api,
            API_VERSION,
            KINDS,
            self._kind_changed,
            rng,
            idle_s=limits.CUSTOM_KINDS_IDLE_S,
        )
        self._controller = Informer(api, _CONTROLLER, changed, rng)
        self._readable = asyncio.Event()
        self._is_known = False  # Whether all were listed once, and their controller is known.
        self._seen = _NOT_SEEN

    async def run(self) -> None:
        """Mirror until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._kinds.run())
            await self._readable.wait()
            tasks.create_task(
                run_supervised(self._controller, f"the mirror of ConfigMap {names.SKUPPER_CONTROL}")
            )

    def _kind_changed(self, kind: str) -> None:
        if any(level >= AccessLevel.READ for level in self._kinds.levels.values()):
            self._readable.set()
        self._changed(kind)

    @property
    def informers(self) -> Iterable[Informer]:
        """The mirrors; that of the ConfigMap only once it is needed."""
        kinds = self._kinds.informers.values()
        return (*kinds, self._controller) if self._readable.is_set() else kinds

    @property
    def settled(self) -> bool:
        """Whether the objects' meaning is known, or known to be unreadable."""
        return self._kinds.settled and (not self._readable.is_set() or self._controller.settled)

    @property
    def level(self) -> AccessLevel:
        """The lowest level of all kinds that the cluster serves."""
        return least(self._kinds.levels.values())

    @property
    def view(self) -> V2View:
        """The last reading."""
        return V2View(self._seen, self._kinds.levels)

    @property
    def bound(self) -> frozenset[str]:
        """Other namespaces whose AttachedConnectors the objects name."""
        return self._seen.bound

    @property
    def unbound(self) -> frozenset[str]:
        """Sources of AttachedConnectors that must not stay in force (`V2Picture`)."""
        return self._seen.unbound

    def read(self, picture: NamespacePicture, snapshot: Snapshot) -> NamespacePicture:
        """``picture`` with the objects of v2; unchanged until all of them are known.

        Kinds or permissions may come while the router runs. A Listener that is listed before
        ConfigMap ``skupper`` could be another controller's.
        """
        self._is_known = self._is_known or (self._readable.is_set() and self.settled)
        if not self._is_known:
            return picture
        self._seen = reading.read(picture, snapshot, self._defaults)
        return self._seen.picture

    # Findings -------------------------------------------------------------------------------

    def findings(self) -> Iterator[ConfigError]:
        """Missing kinds and permissions with their effects, and the current level."""
        gone = self._kinds.vanished
        if gone:
            yield _finding(
                f"the cluster no longer serves {_plurals(gone)} of Skupper v2; what the objects "
                "said stays in force until the router restarts",
                "Have an administrator of the cluster put Skupper's CRDs back, or delete the "
                "objects before the CRDs",
                "error",
            )
        retained = {
            f"{kind}/{name}"
            for kind, informer in self._kinds.informers.items()
            for name in informer.retained
            if kind not in gone
        }
        if retained:
            yield _finding(
                f"{', '.join(sorted(retained)[:10])} of Skupper v2 went with the CRDs and stay in "
                "force until the router restarts",
                "Apply them again, or delete the router's pod",
                "warning",
            )
        unread = [kind for kind, one in self._kinds.levels.items() if one is AccessLevel.NONE]
        known = [kind for kind in unread if self._kinds.informers[kind].listed]
        refused = [
            kind
            for kind, informer in self._kinds.informers.items()
            if informer.refused is not None and kind not in {*gone, *unread}
        ]
        if known or refused:
            yield _finding(
                f"the router may no longer read {_plurals([*known, *refused])} of Skupper v2; what "
                "the objects said stays in force until the router restarts",
                _grant_hint(),
                "error",
            )
        elif unread:
            yield self._not_read(unread)
        elif self.level is AccessLevel.READ and self._seen.is_used:
            yield self._not_written()
        elif self.level is AccessLevel.FULL and self._seen.is_used:
            yield _finding(
                "level A: objects of Skupper v2 are in force, and their status is written", ""
            )

    def _not_read(self, unread: list[str]) -> ConfigError:
        served = [one for one in self._kinds.levels.values() if one is not AccessLevel.ABSENT]
        all_of_them = len(unread) == len(served)
        what = "the objects" if all_of_them else _plurals(unread)
        return _finding(
            f"level C: the cluster has the kinds of Skupper v2, and the router may not read {what} "
            "here, so they count for nothing",
            f"Where this namespace uses them: {_grant_hint()}",
            "info" if all_of_them else "warning",
        )

    def _not_written(self) -> ConfigError:
        lacking = [kind for kind, one in self._kinds.levels.items() if one is AccessLevel.READ]
        statuses = ", ".join(f"{KIND_TABLE[kind].plural}/status" for kind in lacking)
        return _finding(
            "level B: objects of Skupper v2 are in force, but the router may not write "
            f"{statuses}; what kubectl and skupper show as their STATUS is not of now",
            f"For level A: {_grant_hint()}",
            "warning",
        )


def _plurals(kinds: Iterable[str]) -> str:
    return ", ".join(KIND_TABLE[kind].plural for kind in kinds)


def _finding(reason: str, hint: str, severity: Severity = "info") -> ConfigError:
    return ConfigError(SOURCE, "", reason, hint=hint, code=LEVEL, severity=severity)


def _grant_hint() -> str:
    return (
        f"Have an administrator of the cluster bind ClusterRole {CLUSTER_ROLE} to the router: "
        f"{PAGE}, Permissions, has the commands"
    )
