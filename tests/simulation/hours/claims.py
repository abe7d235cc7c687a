"""What sentences claim, and whether that is so."""

import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Final

from router.model.limits import FLAP_HOLD_S_MAX
from tests.simulation.hours.lasting import is_shed
from tests.simulation.hours.truth import JOINED_S, LATELY_S, LEAST_S, OWN_S, TOLD_S, Truth
from tests.simulation.world import LEFT

Check = Callable[[Truth, str, re.Match[str]], str]
"""Given the truth, the router that says it, and the match: the fault; empty: none."""

_SITES: Final = r"\b([abc](?:(?:, | and )[abc])*)"
_SINCE: Final = r"since (?:\d{4}-\d\d-\d\d )?(\d\d:\d\d:\d\d) UTC"
_LEFT: Final = r"(?=: .*(?:go to|open at))"
LONG_S: Final = 900.0
"""No hour lasts so long."""
_LEAST_SHARE: Final = 0.3
"""Of what left, for the one reason that is named."""
_OVERFLOW: Final = ("full", "above-mark", "sheddable-share", "higher-level", "rate")


def _sites_are(fact: str) -> Check:
    def check(truth: Truth, teller: str, match: re.Match[str]) -> str:
        over = {
            site: since
            for site in re.split(", | and ", match[1])
            if truth.is_known_whole(teller, site)
            and (since := truth.is_over(fact, site)) > truth.slack(teller, site)
        }
        return ", ".join(f"{site} is not {fact} for {since:.1f} s" for site, since in over.items())

    return check


def _since_away(truth: Truth, teller: str, match: re.Match[str]) -> str:
    """Of a link it is said since when that one is down: other ones may have led there for a while,
    or the site have gone before."""
    if match[2]:
        return _not_lately(truth, teller, match[3])
    said_s, lasts = _age_s(truth, teller, match[3]), truth.lasts("away", teller, match[1])
    is_off = abs(said_s - lasts) > TOLD_S
    return f"{match[1]} is away for {lasts:.1f} s, not {said_s:.0f}" if is_off else ""


def _not_in_the_future(truth: Truth, teller: str, match: re.Match[str]) -> str:
    return _not_lately(truth, teller, match[1])


def _not_lately(truth: Truth, teller: str, time_of_day: str) -> str:
    is_lately = -TOLD_S < _age_s(truth, teller, time_of_day) < LONG_S
    return "" if is_lately else "that is long ago, or to come"


def _age_s(truth: Truth, teller: str, time_of_day: str) -> float:
    """How long ago that was, by the wall clock of router ``teller``; below 0: it comes."""
    hours, minutes, seconds = map(int, time_of_day.split(":"))
    shown = hours * 3600 + minutes * 60 + seconds
    return truth.network.world[teller].age_s(shown, of_day=True)


def _is_no_longer(fact: str) -> Check:
    def check(truth: Truth, teller: str, match: re.Match[str]) -> str:
        since = truth.lasts(fact, match[1])
        return f"{match[1]} is {fact}" if since > truth.slack(teller, match[1]) else ""

    return check


def _is_stopping(truth: Truth, teller: str, match: re.Match[str]) -> str:
    """A router that stops does not know of the other routers of its site any more, at its end."""
    is_own = match[1] == truth.name_of(teller) and not truth.is_over("stops", teller)
    return "" if is_own else _sites_are("stopping")(truth, teller, match)


def _none_declares(truth: Truth, teller: str, match: re.Match[str]) -> str:
    if match[1] != truth.service.name:
        return ""  # A name that is misspelled.
    declaring = [
        site
        for site in truth.names
        if truth.lasts("declaring", site) > TOLD_S
        and truth.lasts("joined", teller, site) > JOINED_S
        and truth.lasts("exporting", site) > TOLD_S
        and truth.lasts("importing", truth.name_of(teller)) > TOLD_S
    ]
    return f"declared by {', '.join(declaring)}" if declaring else ""


def _is_declared_twice(truth: Truth, teller: str, match: re.Match[str]) -> str:
    silent = [
        site
        for site in (match[1], match[2])
        if truth.lasts("undeclaring", site) > TOLD_S
        and truth.lasts("joined", teller, site) > JOINED_S
    ]
    return f"not by {', '.join(silent)}" if silent else ""


def _are_not_offered(truth: Truth, teller: str, match: re.Match[str]) -> str:
    used = [
        site
        for site in re.split(", | and ", match[1])
        if truth.lasts("usable", teller, site) > OWN_S
    ]
    return f"{teller} may use {', '.join(used)}" if used else ""


def _this_is(fact: str, slack_s: float = OWN_S) -> Check:
    def check(truth: Truth, teller: str, match: re.Match[str]) -> str:
        since = truth.is_over(fact, teller)
        return f"{teller} is not {fact} for {since:.1f} s" if since > slack_s else ""

    return check


def _this_site_is(fact: str) -> Check:
    def check(truth: Truth, teller: str, match: re.Match[str]) -> str:
        name = truth.name_of(teller)
        since = truth.is_over(fact, name)
        return f"{name} is not {fact} for {since:.1f} s" if since > OWN_S else ""

    return check


def _are_away(truth: Truth, teller: str, match: re.Match[str]) -> str:
    over = {site: truth.is_over("away", teller, site) for site in re.split(", | and ", match[1])}
    return ", ".join(f"{site} is reached for {s:.1f} s" for site, s in over.items() if s > OWN_S)


def _rate(text: str) -> float:
    return float(text.replace(",", "").removeprefix("<"))


def _go_there(truth: Truth, teller: str, match: re.Match[str]) -> str:
    maybe = truth.lately(teller, lambda one: one.site in (match[2], ""))
    return _at_most(truth, teller, _rate(match[1]), len(maybe))


def _fail(truth: Truth, teller: str, match: re.Match[str]) -> str:
    failed = truth.lately(teller, lambda one: bool(one.ended) and one.status != 200)
    return _at_most(truth, teller, _rate(match[1]), len(failed))


def _gave_up(truth: Truth, teller: str, match: re.Match[str]) -> str:
    left = truth.lately(teller, lambda one: one.error == LEFT)
    return _at_most(truth, teller, _rate(match[1]), len(left))


def _are_shed(truth: Truth, teller: str, match: re.Match[str]) -> str:
    return _at_most(truth, teller, _rate(match[1]), len(truth.lately(teller, is_shed)))


def _at_most(truth: Truth, teller: str, claimed: float, counted: int) -> str:
    """A figure that is of `LEAST_S` or longer. Of a service port that came back, figures begin at
    their last reading: some seconds before it was removed, if requests are under way. A router that
    stood still counts afterwards all that came meanwhile.
    """
    if truth.lasts("known", teller) < LATELY_S or truth.stood_still(teller):
        return ""
    return f"{claimed}/s, and it was {counted}" if claimed * LEAST_S > counted + 2 else ""


def _is_held(truth: Truth, teller: str, match: re.Match[str]) -> str:
    age_s = _age_s(truth, teller, match[2]) if match[2] else 0.0
    if not -FLAP_HOLD_S_MAX - TOLD_S < age_s < OWN_S + 1.0:
        return f"that is {age_s:.0f} s ago"
    over_s = truth.is_over("holding", teller, match[1])
    return f"{teller} held it {over_s:.1f} s ago" if over_s > OWN_S else ""


def _is_held_there(truth: Truth, teller: str, match: re.Match[str]) -> str:
    own = truth.name_of(teller)
    over_s = min(
        truth.is_over("holding", key, own) for key in truth.keys if truth.name_of(key) == match[1]
    )
    return f"{match[1]} held it {over_s:.1f} s ago" if over_s > TOLD_S else ""


def _wait(truth: Truth, teller: str, match: re.Match[str]) -> str:
    queued = truth.queued(teller)
    return "" if queued == int(match[1]) else f"{queued} wait"


def _some_wait(truth: Truth, teller: str, match: re.Match[str]) -> str:
    return "" if truth.queued(teller) else "none waits"


def _completed_none(truth: Truth, teller: str, match: re.Match[str]) -> str:
    """When a router that stood still goes on, clients that left and late answers come at once: what
    the target answered before counts or does not."""
    since_s = min(int(match[2]), truth.is_over("still", teller)) - OWN_S
    count = truth.answered(teller, int(match[1]), since_s)
    return f"it completed {count}" if count > 0 else ""


def _are_ready(truth: Truth, teller: str, match: re.Match[str]) -> str:
    found = truth.ready(teller)
    return "" if found == (int(match[1]), int(match[2])) else f"{found[0]} of {found[1]} are ready"


def _none_is_ready(truth: Truth, teller: str, match: re.Match[str]) -> str:
    own = truth.name_of(teller)
    serving = [
        site
        for site in truth.names
        if truth.lasts("ready", site) > TOLD_S
        and truth.is_over("away", teller, site) > TOLD_S
        and truth.is_over("stopping", site) > TOLD_S
        and truth.lasts("usable", teller, site) > TOLD_S
        and truth.is_known_whole(teller, site)
        and truth.is_over("isolated") > TOLD_S
        and site != own
    ]
    if truth.lasts("serves", teller) > OWN_S:
        serving.append(own)
    return f"ready and reached: {', '.join(serving)}" if serving else ""


def _none_serves_here(truth: Truth, teller: str, match: re.Match[str]) -> str:
    return "this router has some" if truth.lasts("serves", teller) > OWN_S else ""


def _none_of_it_is_ready(truth: Truth, teller: str, match: re.Match[str]) -> str:
    """Another router of this site may have some, and not be reached for a moment."""
    is_apart = match[1] == truth.name_of(teller) and not truth.has_one_router(match[1])
    check = _none_serves_here if is_apart else _sites_are("unready")
    return check(truth, teller, match)


def _left_for(*reasons: str) -> Check:
    def check(truth: Truth, teller: str, match: re.Match[str]) -> str:
        if truth.stood_still(teller):
            return ""
        share = truth.share_of_spills(teller, frozenset(reasons))
        return f"{share:.0%} left for that" if share < _LEAST_SHARE else ""

    return check


def _sends_none_away(truth: Truth, teller: str, match: re.Match[str]) -> str:
    return f"{match[1]} sends none away while there is room"


def _none_ready_for_long(truth: Truth, teller: str, match: re.Match[str]) -> str:
    """In the first seconds most of the figure left for another reason."""
    if truth.lasts("unready", truth.name_of(teller)) < LATELY_S:
        return ""
    return _left_for("no-target", "ejected", "failover", "drained")(truth, teller, match)


CLAIMS: Final[tuple[tuple[re.Pattern[str], Check], ...]] = tuple(
    (re.compile(pattern), check)
    for pattern, check in (
        # Of sites.
        (rf"{_SITES} (?:is|are) drained", _sites_are("drained")),
        (rf"{_SITES}: it is drained", _sites_are("drained")),
        (rf"{_SITES} drains? and takes? nothing new of it", _sites_are("drained")),
        (rf"draining \({_SITES}\)", _sites_are("draining")),
        (rf"{_SITES}: it is draining", _sites_are("draining")),
        (rf"{_SITES}: it takes nothing new of this service", _sites_are("draining")),
        (rf"{_SITES} stops? and takes? nothing new", _sites_are("stopping")),
        (rf"(?<!router of ){_SITES} is stopping", _is_stopping),
        ("this router of [abc] is stopping", _this_is("stops")),
        (rf"short of memory \({_SITES}\)", _sites_are("refusing")),
        (rf"{_SITES}: its router is short of memory", _sites_are("refusing")),
        (rf"no target of {_SITES} is ready", _none_of_it_is_ready),
        (rf"{_SITES}: no target is ready there", _sites_are("unready")),
        ("no target is ready here", _none_serves_here),
        (rf"{_SITES} ha(?:s|ve) targets, none of them ready", _sites_are("unready")),
        (rf"gives weight to {_SITES}, which ha(?:s|ve) no ready target", _sites_are("unready")),
        (rf"gives weight to {_SITES}, which may not serve", _are_not_offered),
        (rf"gives weight to {_SITES}, which (?:is|are) not reached", _are_away),
        (rf"gives weight to {_SITES}, which drains?\b", _sites_are("draining")),
        (rf"{_SITES} has no target of its own", _sites_are("bare")),
        (rf"and {_SITES} (?:is|are) not reached", _are_away),
        (rf"(?:^|; ){_SITES}: (?:link [^;]* is down|no path has led)", _are_away),
        (r"exportTo of ([abc]) leaves out", _is_no_longer("exporting")),
        (r"importFrom of ([abc]) leaves out", _is_no_longer("importing")),
        (rf"{_SITES}: it has not offered", _are_not_offered),
        (rf"{_SITES}(?:, which declared it last,)? (?:was|were) deleted", _sites_are("deleted")),
        (r"[Nn]o site declares the service (\w+)", _none_declares),
        (
            r"\w+ is declared differently by ([abc]); in force here is that of ([abc])",
            _is_declared_twice,
        ),
        (
            rf"(?:^|; ){_SITES}: (?:(link) [^;]* is down|no path has led there) {_SINCE}",
            _since_away,
        ),
        (
            r"The link with ([abc]) went down too often: nothing is sent over it before "
            r"(?:\S+T(\d\d:\d\d:\d\d)Z|it has)",
            _is_held,
        ),
        ("The link with ([abc]) is up, but [abc] holds it back", _is_held_there),
        (rf"ejected for [\d.]+ s {_SINCE}", _not_in_the_future),
        # Of this site.
        (
            "this site is drained of it|this site takes nothing new of|its service is drained here",
            _this_site_is("drained"),
        ),
        ("(?<!while )this router is short of memory", _this_is("refuses")),
        ("this router stops", _this_is("stops")),
        ("has no listener here: cannot listen", _this_is("taken", TOLD_S)),
        (r"(\d+) of (\d+) targets? (?:is|are) ready here", _are_ready),
        (r"\b(\d+) (?:request|connection)s? waits?\b", _wait),
        ("the queue is in use", _some_wait),
        (r":(\d+) of \S+ has .*completed no request for at least (\d+) s", _completed_none),
        (
            "has no ready target, here or|no site that is reached and may serve it has a ready",
            _none_is_ready,
        ),
        # Figures of the last seconds.
        (r"([\d.,<]+)/s (?:go )?to ([abc])\b", _go_there),
        (r"([\d.,<]+)/s served nowhere", _fail),
        (r"([\d.,<]+)/s of [\d.,<]+/s requests (?:are|were) turned away", _fail),
        (r"([\d.,<]+)/s of [\d.,<]+/s requests fail", _fail),
        (r"([\d.,<]+)/s of [\d.,<]+/s requests are shed", _are_shed),
        (r"clients gave up ([\d.,<]+)/s of", _gave_up),
        # Why requests left.
        (rf"^[abc] is drained{_LEFT}", _none_ready_for_long),
        (rf"^no target of [abc] is ready{_LEFT}", _none_ready_for_long),
        (rf"has no target of its own{_LEFT}", _none_ready_for_long),
        ("^policy (fill|failover) sends", _sends_none_away),
        (rf"^(?:policy \w+ sends|the policy before \w+ sent)[^:]*{_LEFT}", _left_for("policy")),
        (rf"^the rate of [^:]* is used up{_LEFT}", _left_for(*_OVERFLOW)),
        (rf"^the rate of [^:]* was used up[^:]*{_LEFT}", _left_for("rate")),
        (rf"slots of [abc] are busy[^:]*{_LEFT}", _left_for(*_OVERFLOW)),
        (rf"^\d+ in flight at [^:]*{_LEFT}", _left_for(*_OVERFLOW)),
        (rf"^[abc] has no configured capacity[^:]*{_LEFT}", _left_for(*_OVERFLOW)),
        (rf"^[abc] keeps its last slots[^:]*{_LEFT}", _left_for(*_OVERFLOW)),
        ("had no room when they", _left_for(*_OVERFLOW)),
        ("was drained when they", _left_for("drained")),
        ("was ready when they", _left_for("no-target", "ejected")),
        ("^attempts at [abc] failed", _left_for("failover")),
    )
)


def false_of(truths: Sequence[Truth], teller: str, text: str) -> Iterator[str]:
    """What of ``text``, which the router ``teller`` says now, is not so of the services that it
    names, or of any of ``truths``."""
    if claims := _claims_in(text):
        named = about(truths, text) or truths
        for check, match in claims:
            wrong = [check(truth, teller, match) for truth in named]
            if all(wrong):
                yield wrong[0]


@lru_cache(maxsize=1000)
def _claims_in(text: str) -> Sequence[tuple[Check, re.Match[str]]]:
    """Most texts are said again each second."""
    return [(check, match) for pattern, check in CLAIMS for match in pattern.finditer(text)]


def about(truths: Sequence[Truth], text: str) -> list[Truth]:
    """Of the services that ``text`` names."""
    return [one for one in truths if re.search(rf"\b{one.service.name}\b", text)]


def false_of_row(truths: Sequence[Truth], of: Truth, teller: str, text: str) -> Iterator[str]:
    """As `false_of`, of a text in a row ``of`` one service."""
    if others := [one for one in about(truths, text) if one is not of]:
        yield f"it is about {of.service.name}, and names {others[0].service.name}"
    yield from false_of([of], teller, text)
