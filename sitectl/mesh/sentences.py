"""The sentences in ``tests:`` of a mesh file: what people write, as values. Pure."""

import re
from typing import Final, Literal

import msgspec

Condition = Literal["full", "dead"]

_NAME: Final = r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?"
_WITH: Final = re.compile(rf"with (?P<all>{_NAME} (?:full|dead)(?: and {_NAME} (?:full|dead))*),? ")
_MAY: Final = re.compile(
    rf"(?P<site>{_NAME}) may (?P<no>not )?(?P<verb>call|offer) (?P<service>{_NAME})"
)
_SPILLS: Final = re.compile(
    rf"(?P<service>{_NAME})(?: from (?P<at>{_NAME}))? spills to (?P<to>{_NAME})"
    rf"(?: before (?P<before>{_NAME}))?"
)
_REFUSED: Final = re.compile(
    rf"nothing(?: of (?P<service>{_NAME}))?(?: from (?P<at>{_NAME}))? is refused"
    r" at (?P<rate>[0-9]{1,6}(?:\.[0-9]{1,3})?)/s"
)
_SERVED: Final = re.compile(
    rf"(?P<service>{_NAME}) from (?P<at>{_NAME}) is served by (?P<sites>{_NAME}(?: or {_NAME})*)"
)

FORMS: Final = (
    "SITE may [not] call SERVICE",
    "SITE may [not] offer SERVICE",
    "[with SITE full|dead,] SERVICE [from SITE] spills to SITE [before SITE]",
    "[with SITE full|dead,] SERVICE from SITE is served by SITE [or SITE]",
    "[with SITE full|dead,] nothing [of SERVICE] [from SITE] is refused at N/s",
)
"""All forms of sentences, human-readable."""
RATE_PER_S_MAX: Final = 1_000.0


class MayUse(msgspec.Struct, frozen=True, tag=True):
    """``SITE may [not] call|offer SERVICE``."""

    site: str
    verb: Literal["call", "offer"]
    service: str
    is_allowed: bool


class SpillsTo(msgspec.Struct, frozen=True, tag=True):
    """``SERVICE [from SITE] spills to SITE [before SITE]``. ``at``: where its clients are."""

    service: str
    at: str
    to: str
    before: str


class ServedBy(msgspec.Struct, frozen=True, tag=True):
    """``SERVICE from SITE is served by SITE [or SITE]``."""

    service: str
    at: str
    sites: tuple[str, ...]


class NothingRefused(msgspec.Struct, frozen=True, tag=True):
    """``nothing [of SERVICE] [from SITE] is refused at N/s``. Empty: every one; its owner."""

    service: str
    at: str
    per_s: float


Statement = MayUse | SpillsTo | ServedBy | NothingRefused


class Sentence(msgspec.Struct, frozen=True):
    """One test: ``text`` as written, what must hold, and ``given`` which state of which site."""

    text: str
    claim: Statement
    given: dict[str, Condition] = {}
    line: int = 0

    @property
    def sites(self) -> tuple[str, ...]:
        """Every site that it names."""
        match self.claim:
            case MayUse(site=site):
                named: tuple[str, ...] = (site,)
            case SpillsTo(at=at, to=to, before=before):
                named = (at, to, before)
            case ServedBy(at=at, sites=sites):
                named = (at, *sites)
            case NothingRefused(at=at):
                named = (at,)
        return tuple(site for site in (*named, *self.given) if site)


def parsed(text: str, line: int = 0) -> Sentence | str:
    """The sentence, or a message on why it is none."""
    words = " ".join(text.split())
    given: dict[str, Condition] = {}
    rest = words
    if found := _WITH.match(words):
        rest = words[found.end() :]
        for part in found["all"].split(" and "):
            site, _, state = part.partition(" ")
            if site in given:
                return f"site {site} has two states"
            given[site] = "full" if state == "full" else "dead"
    claim = _claim(rest)
    if isinstance(claim, str):
        return claim
    if isinstance(claim, SpillsTo) and not claim.at:
        full = [site for site, state in given.items() if state == "full"]
        if len(full) != 1:
            return "from which site? Write: SERVICE from SITE spills to …"
        claim = msgspec.structs.replace(claim, at=full[0])
    reason = _contradiction(claim, given)
    return reason or Sentence(text=words, claim=claim, given=given, line=line)


def _claim(words: str) -> Statement | str:
    if found := _MAY.fullmatch(words):
        verb: Literal["call", "offer"] = "call" if found["verb"] == "call" else "offer"
        return MayUse(found["site"], verb, found["service"], not found["no"])
    if found := _SPILLS.fullmatch(words):
        return SpillsTo(found["service"], found["at"] or "", found["to"], found["before"] or "")
    if found := _SERVED.fullmatch(words):
        return ServedBy(found["service"], found["at"], tuple(found["sites"].split(" or ")))
    if found := _REFUSED.fullmatch(words):
        per_s = float(found["rate"])
        if not 0 < per_s <= RATE_PER_S_MAX:
            return f"expected a rate above 0/s, at most {RATE_PER_S_MAX:g}/s"
        return NothingRefused(found["service"] or "", found["at"] or "", per_s)
    return f"{words[:80]!r} is no sentence of a test"


def _contradiction(claim: Statement, given: dict[str, Condition]) -> str:
    """Why that cannot hold whatever the network is; empty: it can."""
    serving: tuple[str, ...] = ()
    match claim:
        case MayUse():
            return "what a site may do does not depend on load: leave 'with …' out" if given else ""
        case SpillsTo(at=at, to=to, before=before):
            if to in (at, before):
                return f"{to} cannot be before itself" if to == before else f"{to} is where it is"
            serving = (at, to)
        case ServedBy(at=at) | NothingRefused(at=at):
            serving = (at,)
    dead = next((site for site in serving if given.get(site) == "dead"), "")
    return f"{dead} is dead: nothing comes from it, and it serves nothing" if dead else ""
