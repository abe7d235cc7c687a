"""Adverts of this router's own services; an unchanged one is the same object as before.

So code that compares, encodes or counts a thousand of them sees at once which are the same.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from router.documents import Wanted
from router.model.ids import ServiceKey
from router.model.messages.adverts import Declaration, TargetsAdvert
from router.model.rights.sharing import SharingRules
from router.node.services.ports import Keeper
from router.service.service_figures import AdvertisedTargets

_Terms = tuple[AdvertisedTargets, bool, bool, tuple[str, ...] | None, str]
NO_CONFLICTS: Final[Mapping[str, str]] = MappingProxyType({})


class OwnAdverts:
    """Declarations of services, and adverts of targets."""

    __slots__ = ("_adverts", "_declared", "_declared_by", "_keeper")

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self._declared: dict[str, Declaration] = {}
        self._declared_by: tuple[Wanted, SharingRules, Sequence[Declaration]] | None = None
        self._adverts: dict[ServiceKey, tuple[_Terms, TargetsAdvert]] = {}

    def declarations(self, wanted: Wanted, rules: SharingRules) -> Sequence[Declaration]:
        """The declarations of all services of ``wanted``, by name; ``rules``: those of ``wanted``,
        by ids."""
        known = self._declared_by
        if known is not None and known[0] is wanted and known[1] is rules:
            return known[2]
        told, before = wanted.declared_at_s, self._declared
        declared: dict[str, Declaration] = {}
        for name, spec in sorted(wanted.services.items()):
            at_s = told[name] if name in told else self._keeper.declared_at(name)
            shared = rules.of(name)
            one = before.get(name)
            if (
                one is None
                or (one.spec is not spec and one.spec != spec)
                or one.declared_at_s != at_s
                or one.export_to != shared.told_to
                or one.grants != shared.grants
                or one.export != wanted.exports.get(name)
            ):
                one = Declaration(
                    name=name,
                    spec=spec,
                    declared_at_s=at_s,
                    export_to=shared.told_to,
                    grants=shared.grants,
                    export=wanted.exports.get(name),
                )
            declared[name] = one
        self._declared = declared
        own = tuple(declared.values())
        self._declared_by = wanted, rules, own
        return own

    def adverts(
        self,
        advertised: Iterable[tuple[ServiceKey, AdvertisedTargets]],
        rules: SharingRules,
        *,
        draining: Callable[[ServiceKey], bool],
        is_divided: bool,
        serves: Mapping[str, str] = NO_CONFLICTS,
    ) -> list[TargetsAdvert]:
        """Adverts of service ports that have targets here, in the order given. ``draining``: a port
        that takes nothing new. ``serves``: the protocol of each name that sites declare
        differently."""
        before = self._adverts
        adverts: dict[ServiceKey, tuple[_Terms, TargetsAdvert]] = {}
        for key, targets in advertised:
            export_to, protocol = rules.of(key.name).export_to, serves.get(key.name, "")
            terms = targets, draining(key), is_divided, export_to, protocol
            one = before.get(key)
            if one is None or one[0] != terms:
                capacity = None if targets.capacity is None else targets.capacity - targets.reserved
                one = (
                    terms,
                    TargetsAdvert(
                        name=key.name,
                        port=key.port,
                        targets_ready=targets.targets_ready,
                        capacity=capacity,
                        draining=terms[1],
                        rate_per_s=targets.rate_per_s,
                        shares_targets=is_divided,
                        export_to=export_to,
                        reserved=targets.reserved,
                        most_for_one=targets.most_for_one,
                        serves=protocol,
                    ),
                )
            adverts[key] = one
        self._adverts = adverts
        return [advert for _, advert in adverts.values()]
