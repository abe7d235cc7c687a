"""Addresses of the network that get a Service here, and why others do not."""

import re
from collections.abc import Collection, Mapping
from typing import Final

import msgspec

from router.kubernetes.objects import names
from router.kubernetes.objects.objects import Object, Snapshot
from router.kubernetes.objects.picture import RequestedService, SiteOptions
from router.kubernetes.services import adoption, owned_services, refusals
from router.kubernetes.services.selector_conflicts import SelectorConflicts
from router.kubernetes.services.skupper_coexistence import Beside
from router.model import limits
from router.model.errors import ConfigError
from router.model.specs import ServiceSpec

_SERVICE_NAME: Final = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?\Z")  # RFC 1035, 2.3.1.
_TAKEN_NAMES: Final = frozenset(
    ("kubernetes", names.SKUPPER_ROUTER, names.SKUPPER_ROUTER + "-local", "skupper")
)


def is_service_name(name: str) -> bool:
    """Whether a Service of ours may have that name."""
    is_taken = name in _TAKEN_NAMES or name.startswith("spillway-")
    return _SERVICE_NAME.match(name) is not None and not is_taken


class ServicesAsked(msgspec.Struct, frozen=True, kw_only=True):
    """Inputs of a plan. ``options`` None: ``skupper-site`` is unreadable.

    ``declared``: the declarations in force everywhere; ``local``: those that this site makes.
    ``listened``: services that a Listener document here asks for by their own names.
    """

    snapshot: Snapshot
    options: SiteOptions | None
    wishes: Mapping[str, RequestedService]
    declared: Mapping[str, ServiceSpec]
    local: Collection[str]
    listened: Collection[str]
    now: float


class Choice:
    """The addresses ``chosen``, with ``findings`` about others; ``again_at``: choose again."""

    __slots__ = ("_asked", "_beside", "again_at", "chosen", "conflicts", "findings")

    def __init__(self, asked: ServicesAsked, conflicts: SelectorConflicts) -> None:
        self._asked = asked
        self._beside = Beside(asked.snapshot, ())
        self.chosen: dict[str, ServiceSpec] = {}
        self.conflicts = conflicts
        self.findings: list[ConfigError] = []
        self.again_at: float | None = None
        if asked.options is not None:
            self._choose(asked.options)

    def _choose(self, options: SiteOptions) -> None:
        """Choose the addresses that are wanted here and can have a Service."""
        left = limits.SERVICE_PORTS_UNASKED_MAX
        for name, spec in sorted(self._asked.declared.items(), key=self._by_standing):
            if spec.routing_key or not self._is_wanted(name, options):
                continue  # Listeners choose the name for a routing key: `listener_services`.
            if not self._can_be_led(name, spec, options):
                continue
            if not self._is_asked(name):
                if len(spec.ports) > min(left, limits.PORTS_PER_SERVICE_MAX):
                    self._find_too_many(name)
                    continue
                left -= len(spec.ports)
            self.chosen[name] = spec
        self.conflicts = self.conflicts.only(frozenset(self.chosen) | self._fought())

    def _by_standing(self, declared: tuple[str, ServiceSpec]) -> tuple[bool, str]:
        """Sort key: addresses with a Service first, so that new declarations displace none."""
        found = self._asked.snapshot.get("Service", declared[0])
        return found is None or not owned_services.is_made(found), declared[0]

    def _find_too_many(self, name: str) -> None:
        self._find(
            name,
            "spec.ports",
            "SW0427",
            "other sites declare more ports than get a Service here without being asked for",
            f"Ask for it: sitectl service create {name} with its protocol and ports",
        )

    def _is_wanted(self, name: str, options: SiteOptions) -> bool:
        wish = self._asked.wishes.get(name)
        if not options.service_controller or (wish is not None and not wish.is_made):
            return False
        return self._is_asked(name) or options.service_sync

    def _is_asked(self, name: str) -> bool:
        """Whether this namespace asks for the address."""
        asked = self._asked
        return name in asked.wishes or name in asked.local or name in asked.listened

    def _can_be_led(self, name: str, spec: ServiceSpec, options: SiteOptions) -> bool:
        if not is_service_name(name):
            self._find(
                name, "metadata.name", "SW0426", _reason_of_name(name), "Use another address"
            )
            return False
        if self._beside.makes_service(name):
            self.findings.append(refusals.left_to_skupper(name))
            return False
        found = self._asked.snapshot.get("Service", name)
        consent = self._has_consent(name, options)
        if found is None or (
            owned_services.is_made(found) and (consent or not owned_services.is_claimed(found))
        ):
            return True
        refused = refusals.refusal(
            found, spec, consent=consent, may_rewrite=options.rewrite_selectors
        )
        if refused is not None:
            self.findings.append(refused)
            return False
        return spec.headless == name or not self._is_fought(name, found)

    def _has_consent(self, name: str, options: SiteOptions) -> bool:
        wish = self._asked.wishes.get(name)
        asked = wish.consent if wish is not None else name in self._asked.local
        return asked or options.adopt_services

    def _is_fought(self, name: str, found: Object) -> bool:
        is_adopted = adoption.is_adopted(found)
        self.conflicts = self.conflicts.looked(
            name,
            is_adopted=is_adopted,
            is_reverted=dict(adoption.selector(found)) != adoption.ROUTERS
            and not adoption.is_reapplied(found),
            now=self._asked.now,
        )
        if not self.conflicts.is_contested(name):
            return False
        again_at = self.conflicts.again_at(name)
        self.again_at = again_at if self.again_at is None else min(again_at, self.again_at)
        self._find(
            name,
            "spec.selector",
            "SW0425",
            "another program keeps putting its selector back: it stays as that one wants it",
            "Let Argo CD ignore /spec/selector and /spec/ports (ignoreDifferences, and sync option "
            "RespectIgnoreDifferences=true), then expose the Service again to adopt it at once; or "
            'set rewrite-selectors: "false" in skupper-site',
        )
        return True

    def _fought(self) -> frozenset[str]:
        return frozenset(n for n in self._asked.declared if self.conflicts.is_contested(n))

    def _find(self, name: str, path: str, code: str, reason: str, hint: str) -> None:
        error = ConfigError(f"Service/{name}", path, reason, hint=hint, code=code)
        self.findings.append(error)


def _reason_of_name(name: str) -> str:
    if _SERVICE_NAME.match(name):
        return "that name belongs to something else in a namespace"
    return "a Service is named by at most 63 of a-z, 0-9 and -, beginning with a letter"
