"""Sharing: rules of a site, terms of a link, and their patterns.

A rule names sites by pattern: a name, ``NAME@`` followed by the first 8 digits of an id or the
whole id, or an id. A name is no identity: a router replaces it, once, by the id of one site
(`router.node.services.rule_pins`).
"""

from collections.abc import Iterable, Mapping

import msgspec

from router.model.ids import SiteId, is_site_id
from router.model.rights.grants import CALL, NONE, OFFER, REDECLARE, ServiceGrant, granted

ALL = "*"
"""The pattern that matches everything; also the service of a Policy for all services."""
SHORT_ID_CHARS = 8


def matches(pattern: str, text: str) -> bool:
    """Whether ``text`` matches ``pattern``: ``*`` any characters, ``?`` one, others themselves.

    Takes at most as many steps as both have characters: thousands of patterns and names come from
    other sites, and each new table judges them.
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
    """Follow all possible matches at once: bit N of ``here`` says that the first N of ``letters``
    matched.
    """
    letters = pattern.replace("*", "")
    if len(letters) > len(text):
        return False
    stars, number = 0, 0  # Where any characters may come, and how many letters precede them.
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
    """Whether one of ``patterns`` matches ``text``; None: no limit, so always."""
    return patterns is None or any(matches(pattern, text) for pattern in patterns)


class Party(msgspec.Struct, frozen=True):
    """A site as rules see it. ``shown``: its name, or NAME@id8 while other sites have that name."""

    site: SiteId
    shown: str

    @property
    def has_shared_name(self) -> bool:
        """Whether its name alone is ambiguous."""
        return self.shown.endswith(f"@{self.site[:SHORT_ID_CHARS]}")

    @property
    def whole_name(self) -> str:
        """NAME@id8, which no other site has by accident."""
        suffix = f"@{self.site[:SHORT_ID_CHARS]}"
        return self.shown if self.shown.endswith(suffix) else self.shown + suffix


def pinned(pattern: str) -> tuple[str, SiteId] | None:
    """Name and id of ``NAME@ID`` with a whole id, which means that site under any name."""
    name, at, site = pattern.rpartition("@")
    return (name, SiteId(site)) if at and is_site_id(site) else None


def names_one_site(pattern: str) -> bool:
    """Whether ``pattern`` is a plain name, which stands for one site not yet resolved."""
    is_name = not is_site_id(pattern) and pinned(pattern) is None
    return is_name and "*" not in pattern and "?" not in pattern


def shown_pattern(pattern: str) -> str:
    """The readable form: ``alpha (3469fab8)`` for a pinned pattern."""
    known = pinned(pattern)
    return pattern if known is None else f"{known[0]} ({known[1][:SHORT_ID_CHARS]})"


def names_of_patterns(patterns: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """``patterns`` with only the names of pinned ones."""
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
    """Whether a rule of these patterns names ``party``; None: no rule, so always."""
    return patterns is None or any(names_site(pattern, party) for pattern in patterns)


class Sharing(msgspec.Struct, frozen=True):
    """The rules of one service at a site. None: no rule; ``()``: this site alone.

    ``grants``: what this site lets others do with the service; they count while it owns the
    service.
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
    """The rules of a site, by service; `ALL` is for services without their own rule.

    ``strict``: nothing is allowed without a rule or grant. ``limits_nothing`` follows from both:
    everything is allowed, the usual case. It is checked for each request that other sites send, so
    it is an attribute.
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
        """Whether a rule names the sites whose offers of ``service`` count here."""
        import_from = self._import_from(service)
        return import_from is not None and ALL not in import_from

    def _import_from(self, service: str) -> tuple[str, ...] | None:
        """The rule for ``service``, without grants."""
        own = self.services.get(service, OPEN).import_from
        return self.services.get(ALL, OPEN).import_from if own is None else own


OPEN_TO_ALL = SharingRules()
"""The rules of a site that has none: all services are for all sites."""


class Terms(msgspec.Struct, frozen=True, array_like=True):
    """Patterns of the services that a site may declare, attach targets to (``export``) and ask for
    (``import_``). None: all; ``()``: none."""

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
