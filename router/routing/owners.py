"""Owners of service names: the site whose declaration was accepted first. Pure.

Ownership ends when the owner itself withdraws its declaration (while it is reached and all its
declarations are known), when it hands the name to a site that declares it too, or by an operator's
decision. It does not end while the owner is out of reach, however long, nor by declarations of
others meanwhile, nor by any date, nor by old LSAs of the owner: any site that stored them can send
them again, also after a restart of this site. A new site receives several declarations of one name
at once and cannot tell which was first. Their sites are rivals here: the nearest counts, until one
of them withdraws or the operator chooses.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from msgspec.structs import replace

from router.model.ids import SiteId
from router.model.limits import OWNED_NAMES_MAX, OWNER_MET_S, OWNER_WITHDRAWN_S
from router.model.messages.adverts import Declaration
from router.model.rights.grants import NONE, OWN, granted, in_force, understood
from router.model.rights.owners import UNKNOWN, Owner, Version
from router.routing.adverts.lsa import Node
from router.routing.declared import Claim, content_of, in_order

Versions = Mapping[SiteId, Mapping[Node, Version]]
_NO_VERSIONS: Final[Mapping[Node, Version]] = MappingProxyType({})


class Owners:
    """The memory of one site, starting from ``kept``. Call `learn` for each state of the
    network."""

    __slots__ = (
        *("_declared", "_given_up", "_meeting", "_own", "_refused", "_silent", "_versions"),
        "records",
    )

    def __init__(self, own: SiteId, kept: Mapping[str, Owner]) -> None:
        self._own = own
        self.records = kept
        """By name, the longest known first. A change makes a new mapping."""
        self._declared: dict[str, Declaration] = {}  # The source of `Owner.content`.
        # Owners that stopped declaring, and since when.
        self._silent: dict[tuple[str, SiteId], float] = {}
        self._given_up: dict[str, float] = {}  # Names that this site owned and withdrew, and when.
        self._meeting: _Meeting | None = None
        self._refused: frozenset[SiteId] = frozenset()
        self._versions: Versions = {}

    def is_old(self, declaration: Declaration, node: Node, version: Version) -> bool:
        """Whether ``node`` declared this before its site came to own the name, and something else
        since."""
        owner = self.records.get(declaration.name)
        if owner is None or node.site not in owner.sites or version >= owner.version(node.site):
            return False
        return not _says(owner, declaration)

    def learn(
        self,
        claims: Mapping[str, Sequence[Claim]],
        heard: Mapping[SiteId, Collection[str]],
        now: float,
        versions: Mapping[Node, Version] = _NO_VERSIONS,
        *,
        unix: float = 0.0,
        is_alone: bool = False,
    ) -> None:
        """Learn the declarations at ``unix`` seconds of the wall clock.

        ``heard``: other sites that are reached and whose declarations are all known, with their
        names. Such a name may be missing in ``claims``: it exists but does not count for us.
        ``versions``: of the newest LSA of each router. ``is_alone``: no other site is reached.
        """
        if is_alone:
            self._meeting = None  # The next sites to come are met together.
        elif self._meeting is None:
            self._meeting = _Meeting(now + OWNER_MET_S)
        self._versions = _by_site(versions)
        records = dict(self.records)
        self._drop_withdrawn(records, claims, heard, now)
        for name, told in claims.items():
            before = None if self._takes_back(name, told) else records.get(name)
            if _is_owners_alone(before, told) and self._declared.get(name) is told[0].declaration:
                continue
            sites = _heirs(self._owners(name, before, told, now), told, unix)
            if before is None or before.sites != sites or self._is_other(name, sites, told):
                records[name] = self._owner(name, before, sites, told)
            elif len(told) > 1 and self._says_older(before, told):
                records[name] = self._with_all_routers(before, told)
        for name in _beyond_limit(records, claims, self.records):
            del records[name]
            self._declared.pop(name, None)
        if records != self.records:
            self.records = records

    def adopt(self, name: str, site: SiteId) -> None:
        """Make ``site`` the owner of ``name``, for `sitectl service adopt`."""
        self._declared.pop(name, None)
        self._given_up.pop(name, None)
        self.records = {**self.records, name: Owner((site,), "")}

    def put_out(self, sites: frozenset[SiteId]) -> None:
        """Refuse ``sites``, by the operator's decision: they own nothing until that changes."""
        self._refused = sites
        self.records = self._without_refused(self.records)

    def set(self, records: Mapping[str, Owner]) -> None:
        """Replace the owners by ``records``, on which the routers of this site agreed."""
        records = self._without_refused(records)
        for name in self.records.keys() | records.keys():
            before, after = self.records.get(name), records.get(name)
            # By the owner's present declaration, which another router may not know.
            if before != after:
                self._declared.pop(name, None)
        self.records = records

    def _without_refused(self, records: Mapping[str, Owner]) -> Mapping[str, Owner]:
        if not self._refused or self._refused.isdisjoint(
            site for owner in records.values() for site in owner.sites
        ):
            return records
        left = {
            name: owner.only([site for site in owner.sites if site not in self._refused])
            for name, owner in records.items()
        }
        for name, owner in left.items():
            if not owner.sites:
                self._declared.pop(name, None)
        return {name: owner for name, owner in left.items() if owner.sites}

    def next_deadline(self) -> float | None:
        """When the first withdrawal takes effect."""
        return min(self._silent.values()) + OWNER_WITHDRAWN_S if self._silent else None

    def _drop_withdrawn(
        self,
        records: dict[str, Owner],
        claims: Mapping[str, Sequence[Claim]],
        heard: Mapping[SiteId, Collection[str]],
        now: float,
    ) -> None:
        before, self._silent = self._silent, {}
        given_up = self._given_up.items()
        self._given_up = {n: at for n, at in given_up if now < at + OWNER_WITHDRAWN_S}
        for name, owner in self.records.items():
            if _is_owners_alone(owner, claims.get(name, ())):
                continue
            declaring = {claim.site for claim in claims.get(name, ())}
            left = []
            for site in owner.sites:
                has_told = site == self._own or (site in heard and name not in heard[site])
                may_withdraw = site not in declaring and has_told and self._is_news(owner, site)
                since = before.get((name, site), now)
                if not may_withdraw:
                    left.append(site)
                elif site == self._own:
                    self._given_up[name] = now
                elif now < since + OWNER_WITHDRAWN_S:
                    left.append(site)
                    self._silent[name, site] = since
            if not left:
                del records[name]
                self._declared.pop(name, None)
            elif len(left) < len(owner.sites):
                records[name] = owner.only(left)

    def _takes_back(self, name: str, told: Sequence[Claim]) -> bool:
        """Whether this site declares again a name that it has just withdrawn. Here another
        declaration counted at once; for all other sites this one still owns the name."""
        is_ours = name in self._given_up and any(claim.site == self._own for claim in told)
        if is_ours:
            del self._given_up[name]
        return is_ours

    def _is_news(self, owner: Owner, site: SiteId) -> bool:
        """Whether a router of ``site`` has sent an LSA since the site came to own the name."""
        heard = self._versions.get(site, {}).values()
        return owner.version(site) <= max(heard, default=UNKNOWN)

    def _owners(
        self, name: str, before: Owner | None, told: Sequence[Claim], now: float
    ) -> tuple[SiteId, ...]:
        if before is None and any(claim.site == self._own for claim in told):
            return (self._own,)
        meeting = self._meeting
        is_met = meeting is not None and meeting.has(name, before is None, now)
        if before is not None and not is_met:
            return before.sites
        known = () if before is None else before.sites
        return tuple(sorted({*known, *(claim.site for claim in told)}))

    def _says_older(self, owner: Owner, told: Sequence[Claim]) -> bool:
        return any(
            self._heard(claim) < owner.version(claim.site)
            for claim in told
            if claim.site in owner.sites
        )

    def _heard(self, claim: Claim) -> Version:
        heard = self._versions.get(claim.site, {})
        return heard.get(Node(claim.router, claim.site), UNKNOWN)

    def _with_all_routers(self, owner: Owner, told: Sequence[Claim]) -> Owner:
        """A router that declares the same as a newer one of its site may change it too."""
        versions = tuple(
            min(owner.version(site), self._version(site, owner, owner, told))
            for site in owner.sites
        )
        return replace(owner, versions=versions)

    def _is_other(self, name: str, sites: Collection[SiteId], told: Sequence[Claim]) -> bool:
        first = next((one for one in in_order(told) if one.site in sites), None)
        return first is not None and self._declared.get(name) != first.declaration

    def _owner(
        self, name: str, before: Owner | None, sites: tuple[SiteId, ...], told: Sequence[Claim]
    ) -> Owner:
        first = next((one for one in in_order(told) if one.site in sites), None)
        content, grants = ("", NONE) if before is None else (before.content, before.grants)
        if first is not None:
            self._declared[name] = first.declaration
            content = content_of(first.declaration)
            grants = understood(first.declaration.grants) if len(sites) == 1 else NONE
        owner = Owner(sites, content, grants)
        versions = tuple(self._version(site, owner, before, told) for site in sites)
        return replace(owner, versions=versions if any(map(any, versions)) else ())

    def _version(
        self, site: SiteId, owner: Owner, before: Owner | None, told: Sequence[Claim]
    ) -> Version:
        """The version of the oldest LSA of ``site`` with the counting declaration: all its routers
        may change it.

        While none of them declares it, the known version: older LSAs stay old.
        """
        known = UNKNOWN
        if before is not None and site in before.sites:
            known = before.version(site)
        saying = [
            self._heard(claim)
            for claim in told
            if claim.site == site and _says(owner, claim.declaration)
        ]
        if not saying or max(saying) < known or site == self._own:
            return known
        return min(saying)


def _is_owners_alone(owner: Owner | None, told: Sequence[Claim]) -> bool:
    """True if only the owner declares the name: nothing to learn, the usual case."""
    return owner is not None and len(told) == 1 and owner.sites == (told[0].site,)


def _says(owner: Owner, declaration: Declaration) -> bool:
    """Whether ``declaration`` is the one that ``owner`` has in force."""
    has_its_grants = len(owner.sites) > 1 or understood(declaration.grants) == owner.grants
    return has_its_grants and content_of(declaration) == owner.content


def _heirs(owners: tuple[SiteId, ...], told: Sequence[Claim], unix: float) -> tuple[SiteId, ...]:
    """``owners``, with each one that hands the name over replaced by the site that declares it."""
    if len(told) < 2:
        return owners
    taking = {claim.site: claim.declaration for claim in told}
    return tuple(sorted({_heir(owner, taking, unix) for owner in owners}))


def _heir(owner: SiteId, taking: Mapping[SiteId, Declaration], unix: float) -> SiteId:
    """The site that finally gets the name of ``owner``. Sites that hand it around in a circle
    change nothing."""
    passed = [owner]
    while passed[-1] in taking:
        heirs = granted(in_force(taking[passed[-1]].grants, unix), OWN)
        heir = next((one for one in heirs if one in taking and one != passed[-1]), None)
        if heir is None:
            break
        if heir in passed:
            return owner
        passed.append(heir)
    return passed[-1]


def _by_site(versions: Mapping[Node, Version]) -> Versions:
    found: dict[SiteId, dict[Node, Version]] = {}
    for node, version in versions.items():
        found.setdefault(node.site, {})[node] = version
    return found


class _Meeting:
    """This site was alone and now receives from others: names new before ``until`` have no first
    declaration."""

    __slots__ = ("_names", "_until")

    def __init__(self, until: float) -> None:
        self._until = until
        self._names: set[str] = set()

    def has(self, name: str, is_new: bool, now: float) -> bool:
        """Whether ``name`` was first seen during the meeting."""
        if now >= self._until:
            self._names.clear()
            return False
        if is_new:
            self._names.add(name)
        return name in self._names


def _beyond_limit(
    records: Mapping[str, Owner], claims: Mapping[str, Sequence[Claim]], known: Collection[str]
) -> Iterator[str]:
    """Names of ``records`` to forget: first those that no site declares, of the site that owns
    most; then those that were not ``known`` before.

    So sites that a member invents, with a few names each, take no name from its owner. All routers
    of a site with the same records forget the same names. A name counts once for each owner and
    each grant.
    """
    excess = sum(owner.weight for owner in records.values()) - OWNED_NAMES_MAX
    if excess <= 0:
        return
    counts: Counter[SiteId] = Counter()
    for owner in records.values():
        counts.update({site: 1 + len(owner.grants) for site in owner.sites})

    def rank(name: str) -> tuple[bool, bool, int, str]:
        most = min(counts[site] for site in records[name].sites)
        return name in claims, name in known, -most, name

    for name in sorted(records, key=rank):
        if excess <= 0:
            return
        excess -= records[name].weight
        yield name
