"""What the console's overview says first, by the console's own code, and whether that is so."""

import re
import subprocess
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Final

import msgspec
import playwright

from tests.simulation.hours.claims import false_of
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
    "its targets are ejected": "ejected",
    "attempts here failed": "failover",
    "the policy chooses other sites too": "policy",
    "sessions stay at other sites": "session",
}
Check = Callable[[Truth, str, re.Match[str]], str]


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


def false_overview(truth: Truth, key: str, said: Answer) -> Iterator[str]:
    """What of that, which router ``key`` says now, is not so."""
    whole = f"{said.text} {said.more}"
    yield from false_of(truth, key, whole)
    for pattern, check in CLAIMS:
        for match in pattern.finditer(whole):
            if wrong := check(truth, key, match):
                yield wrong
    if truth.lasts("known", key) < LATELY_S or truth.stood_still(key):
        return
    if not truth.is_over("stops", key):
        return  # That is said instead.
    if said.tone == "good" and (fail(truth, key) or leave(truth, key)):
        yield "good, and requests fail or leave"
    if said.tone in ("bad", "warn") and is_calm(truth, key):
        yield f"{said.tone}, and all is well"
    if fail(truth, key) and not re.search(r"fail|\bfull\b|no ready target", whole):
        yield "requests fail"
    if leave(truth, key) and not re.search(r"spill|fail|\bfull\b|at other sites", whole):
        yield "requests leave"


def _is_idle(truth: Truth, key: str, match: re.Match[str]) -> str:
    if truth.lasts("known", key) < LATELY_S or truth.stood_still(key):
        return ""
    ended = truth.lately(key, lambda one: one.ended > 0)
    return "some ended" if goes_on(truth.now, ended, lambda one: True, 3) else ""


def _all_are_served_here(truth: Truth, key: str, match: re.Match[str]) -> str:
    if truth.lasts("known", key) < LATELY_S or truth.stood_still(key):
        return ""
    if leave(truth, key):
        return "some leave"
    return "some fail" if match[1] != " that succeeds" and fail(truth, key) else ""


def _spills_there(truth: Truth, key: str, match: re.Match[str]) -> str:
    if truth.stood_still(key):
        return ""
    served = {one.site for one in truth.lately(key, lambda one: True)}
    none = (
        [] if "" in served else [one for one in re.split(", | and ", match[1]) if one not in served]
    )
    return f"none went to {', '.join(none)}" if none else ""


def _some_fail(truth: Truth, key: str, match: re.Match[str]) -> str:
    if truth.protocol == "tcp" or truth.stood_still(key):
        return ""
    failed = truth.lately(key, lambda one: one.ended > 0 and is_failure(one))
    return "" if failed else "none failed"


def _is_known(truth: Truth, key: str, match: re.Match[str]) -> str:
    return "there is one" if truth.lasts("known", key) > OWN_S else ""


def _left_for(truth: Truth, key: str, match: re.Match[str]) -> str:
    if truth.stood_still(key):
        return ""
    given = [reason for words, reason in REASONS.items() if words in match[1]]
    none = [one for one in given if not truth.share_of_spills(key, frozenset((one,)))]
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
        (r"spills to ([abc](?:(?:, | and )[abc])*)\.", _spills_there),
        ("^(?:Request|Connection)s fail at", _some_fail),
        ("^No services yet|^No service is open here", _is_known),
        (r"(?:leave|left) [abc] because ([^.]*)", _left_for),
    )
)
