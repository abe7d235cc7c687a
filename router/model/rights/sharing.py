"""Sharing: rules of a site, terms of a link, and their patterns.

A rule names sites, by pattern: a name, ``NAME@`` and the first 8 of an id or all of it, or an id. A
name is no identity: a router puts the id of one site in its place, once
(`router.node.services.rule_pins`).
"""

from collections.abc import Iterable, Mapping

import msgspec

from router.model.ids import SiteId, is_site_id
from router.model.rights.grants import CALL, NONE, OFFER, REDECLARE, ServiceGrant, granted

ALL = "*"
"""The pattern of whatever there is, and the service of a Policy that holds for all services."""
SHORT_ID_CHARS = 8


def matches(pattern: str, text: str) -> bool:
    """Whether ``text`` is as ``pattern`` says: ``*`` any characters, ``?`` one, others themselves.

    At most as many steps as both have characters: patterns and names come from other sites too,
    thousands of them, and are judged with each new table.
    """
    if "?" in pattern:
        return _matches_by_letters(pattern, text)
    first, *middle = pattern.split("*")
    if not middle:
        return pattern == text
    last = middle.pop()
    at, end = len(first), len(text) - len(last)
    if end < at or not text.startswith(first) or not text.endswith(last):
        return False
    for piece in middle:
        at = text.find(piece, at, end)
        if at < 0:
            return False
        at += len(piece)
    return True


def _matches_by_letters(pattern: str, text: str) -> bool:
    """All ways to match at once: bit N of ``here`` says that the first N of ``letters`` did."""
    letters = pattern.replace("*", "")
    if len(letters) > len(text):
        return False
    stars, number = 0, 0  # Where any characters may come, and how many letters stand before.
    for letter in pattern:
        if letter == "*":
            stars |= 1 << number
        else:
            number += 1
    those = {letter: 0 for letter in letters}
    for number, letter in enumerate(letters):
        those[letter] |= 1 << number
    anything = those["?"]
    here = 1
    for letter in text:
        here = (here & (those.get(letter, 0) | anything)) << 1 | here & stars
    return bool(here >> len(letters) & 1)


def any_matches(patterns: Iterable[str] | None, text: str) -> bool:
    """Whether one of ``patterns`` does; None: there is no limit."""
    return patterns is None or any(matches(pattern, text) for pattern in patterns)


class Party(msgspec.Struct, frozen=True):
    """A site as rules see it. ``shown``: its name, or NAME@id8 while others bear that name."""

    site: SiteId
    shown: str

    @property
    def has_shared_name(self) -> bool:
        """Its name alone says nothing."""
        return self.shown.endswith(f"@{self.site[:SHORT_ID_CHARS]}")

    @property
    def whole_name(self) -> str:
        """NAME@id8, which nobody else has by accident."""
        suffix = f"@{self.site[:SHORT_ID_CHARS]}"
        return self.shown if self.shown.endswith(suffix) else self.shown + suffix


def pinned(pattern: str) -> tuple[str, SiteId] | None:
    """Name and id of ``NAME@`` and a whole id: it means that site, whatever that calls itself."""
    name, at, site = pattern.rpartition("@")
    return (name, SiteId(site)) if at and is_site_id(site) else None


def names_one_site(pattern: str) -> bool:
    """Whether it is a name, and so stands for one site that is to be found yet."""
    is_name = not is_site_id(pattern) and pinned(pattern) is None
    return is_name and "*" not in pattern and "?" not in pattern


def shown_pattern(pattern: str) -> str:
    """As people read it: ``alpha (3469fab8)`` of one that is pinned."""
    known = pinned(pattern)
    return pattern if known is None else f"{known[0]} ({known[1][:SHORT_ID_CHARS]})"


def names_of_patterns(patterns: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """``patterns`` without the ids of those that are pinned."""
    if patterns is None:
        return None
    return tuple(known[0] if (known := pinned(one)) else one for one in patterns)


def names_site(pattern: str, party: Party) -> bool:
    """Whether the pattern of a rule means ``party``."""
    if pattern == ALL or pattern == party.site:
        return True
    if is_site_id(pattern):
        return False
    if "@" in pattern:
        known = pinned(pattern)
        return party.site == known[1] if known else matches(pattern, party.whole_name)
    return not party.has_shared_name and matches(pattern, party.shown)


def name_any(patterns: Iterable[str] | None, party: Party) -> bool:
    """Whether a rule of these patterns names ``party``; None: no rule, so everybody."""
    return patterns is None or any(names_site(pattern, party) for pattern in patterns)


class Sharing(msgspec.Struct, frozen=True):
    """The rules of one service at a site. None: no rule; ``()``: this site alone.

    ``grants``: what this site lets others do with it, which counts while it owns the service.
    """

    export_to: tuple[str, ...] | None = None
    import_from: tuple[str, ...] | None = None
    grants: tuple[ServiceGrant, ...] = NONE

    @property
    def told_to(self) -> tuple[str, ...] | None:
        """Sites that receive this site's declaration, including every site with a grant."""
        return _with(self.export_to, tuple(grant.site for grant in self.grants))


OPEN = Sharing()


class SharingRules(msgspec.Struct, frozen=True):
    """The rules of a site, by service; `ALL` is for those that say nothing themselves.

    ``strict``: what no rule and no grant allows is not allowed. ``limits_nothing`` follows from
    both: everybody may do everything, nearly always. It is asked of each request that other sites
    send, so it is an attribute.
    """

    services: Mapping[str, Sharing] = {}
    strict: bool = False
    limits_nothing: bool = True

    def __post_init__(self) -> None:
        limits_nothing = not self.services and not self.strict
        msgspec.structs.force_setattr(self, "limits_nothing", limits_nothing)

    def of(self, service: str) -> Sharing:
        """The rules for ``service``: a grant adds to the rules of the site that gives it."""
        if self.limits_nothing:
            return OPEN
        own, usual = self.services.get(service, OPEN), self.services.get(ALL, OPEN)
        export_to = usual.export_to if own.export_to is None else own.export_to
        import_from = self._import_from(service)
        if self.strict:
            export_to, import_from = export_to or (), import_from or ()
        return Sharing(
            _with(export_to, granted(own.grants, CALL)),
            _with(import_from, granted(own.grants, OFFER) + granted(own.grants, REDECLARE)),
            own.grants,
        )

    def names_offers_of(self, service: str) -> bool:
        """A rule names the sites that ``service`` is taken from: their offers are chosen."""
        import_from = self._import_from(service)
        return import_from is not None and ALL not in import_from

    def _import_from(self, service: str) -> tuple[str, ...] | None:
        """The rule for ``service``, without grants."""
        own = self.services.get(service, OPEN).import_from
        return self.services.get(ALL, OPEN).import_from if own is None else own


class Terms(msgspec.Struct, frozen=True, array_like=True):
    """Names of services that a site may declare, attach targets to (``export``) and ask for
    (``import_``), by pattern. None: all; ``()``: none."""

    declare: tuple[str, ...] | None = None
    export: tuple[str, ...] | None = None
    import_: tuple[str, ...] | None = None

    def __or__(self, other: "Terms") -> "Terms":
        """Union: everything that either allows."""
        return Terms(
            _either(self.declare, other.declare),
            _either(self.export, other.export),
            _either(self.import_, other.import_),
        )


def _with(rule: tuple[str, ...] | None, sites: tuple[SiteId, ...]) -> tuple[str, ...] | None:
    return rule if rule is None or not sites else tuple(dict.fromkeys((*rule, *sites)))


FREE = Terms()
NOTHING = Terms((), (), ())


def _either(one: tuple[str, ...] | None, other: tuple[str, ...] | None) -> tuple[str, ...] | None:
    if one is None or other is None:
        return None
    return tuple(sorted({*one, *other}))
