"""What the console's overview says first, by the console's own code, and whether that is so."""

import re
import subprocess
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Final

import msgspec
import playwright

from tests.simulation.hours.claims import about, false_of
from tests.simulation.hours.lasting import fail, goes_on, is_calm, is_failure, leave
from tests.simulation.hours.truth import LATELY_S, OWN_S, Truth

ROOT: Final = Path(__file__).resolve().parents[3]
ANSWER: Final = ROOT / "router" / "admin" / "console" / "static" / "lib" / "answer.js"
SCRIPT: Final = Path(__file__).with_name("overview.mjs")
REASONS: Final = {
    "has no room": "full",
    "keeps its last slots in reserve": "above-mark",
    "keeps its last slots from sheddable requests": "sheddable-share",
    "has more in flight for each target than other sites": "higher-level",
    "its rate is used up": "rate",
    "it is drained": "drained",
    "it has no ready target": "no-target",
    "it has no target of its own": "no-target",
    "it has ejected targets and no ready one": "ejected",
    "attempts here failed": "failover",
    "the policy chooses other sites too": "policy",
    "sessions stay at other sites": "session",
}
Check = Callable[[Sequence[Truth], str, re.Match[str]], str]


class Answer(msgspec.Struct, frozen=True):
    """``tone``: its colour."""

    text: str
    more: str
    tone: str


@cache
def _node() -> subprocess.Popen[bytes]:
    """One for all hours of this process; it ends with it."""
    node = Path(playwright.__file__).with_name("driver") / "node"
    command = [node, SCRIPT, ANSWER]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def overview(live: bytes) -> Answer:
    """Of what ``GET /api/v1/live`` says."""
    node = _node()
    assert node.stdin is not None and node.stdout is not None
    node.stdin.write(live + b"\n")
    node.stdin.flush()
    return msgspec.json.decode(node.stdout.readline(), type=Answer)


def false_overview(truths: Sequence[Truth], key: str, said: Answer) -> Iterator[str]:
    """What of that, which router ``key`` says now, is not so."""
    whole = f"{said.text} {said.more}"
    for sentence in re.split(r"(?<=\.) ", whole):
        yield from false_of(truths, key, sentence)
    for pattern, check in CLAIMS:
        for match in pattern.finditer(whole):
            if wrong := check(truths, key, match):
                yield wrong
    known = [one for one in truths if one.lasts("known", key) > LATELY_S]
    if known and truths[0].is_over("stops", key) and not truths[0].stood_still(key):
        yield from _unsaid(known, key, said)  # Else that is said instead.
    is_alarmed = said.tone in ("bad", "warn") and _are_judged(truths, key)
    if is_alarmed and all(is_calm(one, key) for one in truths):
        yield f"{said.tone}, and all is well"


def _unsaid(truths: Sequence[Truth], key: str, said: Answer) -> Iterator[str]:
    """What it should say of services whose figures are known."""
    whole = f"{said.text} {said.more}"
    failing = [one for one in truths if fail(one, key)]
    leaving = [one for one in truths if leave(one, key)]
    if said.tone == "good" and (failing or leaving):
        yield "good, and requests fail or leave"
    if failing and not re.search(r"fail|\bfull\b|no ready target", whole):
        yield "requests fail"
    if leaving and not re.search(r"spill|fail|\bfull\b|at other sites", whole):
        yield "requests leave"
    is_spill = re.search(" spills? to ", said.text)
    for one in (*failing, *(leaving if is_spill else ())):
        if one not in about(truths, whole):
            yield f"requests of {one.service.name} fail or leave"


def _are_judged(truths: Sequence[Truth], key: str) -> bool:
    """What it says of the last seconds is."""
    is_known = all(one.lasts("known", key) > LATELY_S for one in truths)
    return is_known and not truths[0].stood_still(key)


def _is_idle(truths: Sequence[Truth], key: str, match: re.Match[str]) -> str:
    if not _are_judged(truths, key):
        return ""
    for truth in truths:
        ended = truth.lately(key, lambda one: one.ended > 0)
        if goes_on(truth.now, ended, lambda one: True, 3):
            return f"some of {truth.service.name} ended"
    return ""


def _all_are_served_here(truths: Sequence[Truth], key: str, match: re.Match[str]) -> str:
    if not _are_judged(truths, key):
        return ""
    if any(leave(one, key) for one in truths):
        return "some leave"
    is_all = match[1] != " that succeeds"
    return "some fail" if is_all and any(fail(one, key) for one in truths) else ""


def _spills_there(truths: Sequence[Truth], key: str, match: re.Match[str]) -> str:
    """Each of the services to some of the sites, and to each of the sites some of the services."""
    if truths[0].stood_still(key):
        return ""
    served = {
        one.service.name: {answer.site for answer in one.lately(key, lambda one: True)}
        for one in about(truths, match[1])
    }
    sites = set(re.split(", | and ", match[2]))
    idle = [name for name, seen in served.items() if not seen & {*sites, ""}]
    if idle:
        return f"none of {', '.join(idle)} went there"
    seen = set().union(*served.values())
    none = set() if "" in seen else sites - seen
    return f"none went to {', '.join(sorted(none))}" if none else ""


def _some_fail(truths: Sequence[Truth], key: str, match: re.Match[str]) -> str:
    """Of each service."""
    for truth in about(truths, match[1]):
        failed = truth.lately(key, lambda one: one.ended > 0 and is_failure(one))
        if not failed and truth.protocol != "tcp" and not truth.stood_still(key):
            return f"none of {truth.service.name} failed"
    return ""


def _is_known(truths: Sequence[Truth], key: str, match: re.Match[str]) -> str:
    return "there is one" if any(one.lasts("known", key) > OWN_S for one in truths) else ""


def _left_for(truths: Sequence[Truth], key: str, match: re.Match[str]) -> str:
    if truths[0].stood_still(key):
        return ""
    given = [reason for words, reason in REASONS.items() if words in match[1]]
    none = [
        reason
        for reason in given
        if not any(one.share_of_spills(key, frozenset((reason,))) for one in truths)
    ]
    return f"none left for {', '.join(none)}" if none else ""


CLAIMS: Final[tuple[tuple[re.Pattern[str], Check], ...]] = tuple(
    (re.compile(pattern), check)
    for pattern, check in (
        ("No (?:request|connection)s at the moment", _is_idle),
        ("^No request.* ended in the last seconds", _is_idle),
        (
            r"Every (?:valid )?(?:request|connection)( that \w+)? (?:is|was) served here",
            _all_are_served_here,
        ),
        (r"([\w, ]+) spills? to ([abc](?:(?:, | and )[abc])*)\.", _spills_there),
        ("^(?:Request|Connection)s fail at ([^.]*)", _some_fail),
        (r"^No services\.|^No service is open here", _is_known),
        (r"(?:leave|left) [abc] because ([^.]*)", _left_for),
    )
)
