"""What `sitectl` itself says, in tables, figures and exit codes, and whether that is so."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from tests.simulation.hours.claims import about, false_of
from tests.simulation.hours.lasting import fail, is_calm, serves_others
from tests.simulation.hours.truth import APART_S, EDGE_S, JOINED_S, LATELY_S, OWN_S, TOLD_S, Truth
from tests.simulation.hours.typed import Printed

_SLACK: Final = 2
_RANGE: Final = 1.5
"""Between the two bounds of a range of latencies, at most."""
_DIPS: Final = 0.25
"""Of the readings of a mean, so many at most are of moments between the end of requests and the
begin of the next ones, where no sample was."""
Law = Callable[[Sequence[Truth], str, Printed], Iterator[str]]
"""Given the truth of all services, the router that is asked, and the output: the faults."""


def false_in(truths: Sequence[Truth], key: str, printed: Printed) -> Iterator[str]:
    """What of that, which is printed now of router ``key``, is not so."""
    asked = about(truths, printed.words) or truths
    for line in printed.text.splitlines():
        named = about(asked, line) or asked
        for cell in line.split("  "):
            for wrong in false_of(named, key, cell.strip()):
                yield f"{cell!r}: {wrong}"
    for law in LAWS.get(printed.words, ()):
        yield from law(truths, key, printed)


def _rows(truths: Sequence[Truth], printed: Printed) -> Iterator[tuple[Truth, Mapping[str, str]]]:
    """Of the table of services, each with the truth of its own."""
    for row in printed.table("SERVICE"):
        for truth in about(truths, row["SERVICE"]):  # None in a sentence below.
            yield truth, row


def _state(truths: Sequence[Truth], key: str, printed: Printed) -> Iterator[str]:
    truth = truths[0]
    state = _line(printed, "State:")
    if not re.match("ready|not ready|draining", state):
        yield f"the router runs, and is said to be {state}"
    if state.startswith("draining") and truth.is_over("stops", key) > OWN_S:
        yield "it does not drain"
    if not state.startswith("draining") and truth.lasts("stops", key) > OWN_S:
        yield "it drains"
    if ("degraded" in state) != ("Problem:" in printed.text):
        yield "degraded is one that has problems"


def _ends_as_it_says(truths: Sequence[Truth], key: str, printed: Printed) -> Iterator[str]:
    is_well = _line(printed, "State:") == "ready" and "Problem:" not in printed.text
    if (printed.code == 0) != is_well:
        yield f"exit {printed.code}"


def _check_counts(truths: Sequence[Truth], key: str, printed: Printed) -> Iterator[str]:
    found = re.search(r"(\d+) errors?, (\d+) warnings?, (\d+) good", printed.text)
    assert found is not None, printed.text
    errors, warnings, good = map(int, found.groups())
    marks = [line[4:11].strip() for line in printed.text.splitlines() if line.startswith("  ")]
    if [marks.count("ERROR"), marks.count("WARNING"), marks.count("ok")] != [
        errors,
        warnings,
        good,
    ]:
        yield f"its lines are {marks}"
    if printed.code != (1 if errors else 3 if warnings else 0):
        yield f"exit {printed.code}"


def _is_worth_a_problem(truths: Sequence[Truth], key: str, printed: Printed) -> Iterator[str]:
    """Exit 0 is for scripts: then nothing that lasts is wrong."""
    if any(truth.lasts("known", key) < LATELY_S for truth in truths):
        return
    if printed.code == 0 and any(fail(truth, key) for truth in truths):
        yield "exit 0 while requests fail"
    if printed.code != 0 and all(is_calm(truth, key) for truth in truths):
        yield f"exit {printed.code} while all is well: {printed.text}"


def _network(truths: Sequence[Truth], key: str, printed: Printed) -> Iterator[str]:
    """The sites that a way leads to, or none."""
    truth = truths[0]
    text = _line(printed, "Network:")
    found = re.match(r"(?:(\d+) of )?(\d+) sites?", text)
    assert found is not None, printed.text
    shown = int(found[1] or found[2])
    least = sum(_is_known(truths, key, one) for one in truth.names)
    most = sum(truth.lasts("apart", key, one) < APART_S for one in truth.names)
    if not least <= shown <= most:
        yield f"{shown} sites are reached: {least} to {most}"


def _sites(truths: Sequence[Truth], key: str, printed: Printed) -> Iterator[str]:
    truth = truths[0]
    for row in printed.table("SITE"):
        site, reached = row["SITE"], row["REACHABLE"]
        is_reached = reached.startswith(("yes", "draining"))
        if is_reached and truth.lasts("apart", key, site) > APART_S:
            yield f"{site} is reached: {reached}, and no way leads there"
        if not is_reached and truth.lasts("joined", key, site) > JOINED_S:
            yield f"{site} is reached: {reached}, and a way leads there"
        cost = truth.network.cost(key, site, JOINED_S)
        if is_reached and cost is not None and row["COST"] != str(cost):
            yield f"the way to {site} costs {row['COST']}: {cost}"


def _is_known(truths: Sequence[Truth], key: str, name: str) -> bool:
    """That site is reached from router ``key``, which has heard of it."""
    is_joined = truths[0].lasts("joined", key, name) > JOINED_S
    return is_joined and any(one.hears_of(key, name) for one in truths)


def _links(truths: Sequence[Truth], key: str, printed: Printed) -> Iterator[str]:
    truth = truths[0]
    rows = list(printed.table("LINK"))
    linked = {row["SITE"] for row in rows if row["STATE"].startswith("up")}
    for row in rows:
        is_used = not re.match("flaps: |the other site holds the link back", row["ERROR"])
        if row["STATE"].startswith("up") and row["ERROR"] not in ("", "-") and is_used:
            yield f"{row['LINK']} is up and has an error"
        ends = row["SITE"], truth.name_of(key)
        if ends[0] == ends[1] or not all(map(truth.has_one_router, ends)):
            continue
        if truth.lasts("severed", key, ends[0]) > APART_S:
            if row["STATE"].startswith("up"):
                yield f"{row['LINK']} is up, and nothing passes"
            elif row["STATE"] == "down" and row["ERROR"] in ("", "-"):
                yield f"{row['LINK']} is down, and nothing says why"
        elif row["STATE"] == "down" and truth.is_over("severed", key, ends[0]) > JOINED_S:
            if ends[0] in linked:
                continue  # Its other end may have been deleted while the sites were apart.
            yield f"{row['LINK']} is down, and what is sent arrives"


def _services(truths: Sequence[Truth], key: str, printed: Printed) -> Iterator[str]:
    """The row of each service: sums over its sites."""
    for truth, row in _rows(truths, printed):
        ready = re.match(r"(\d+) at (\d+) sites?", row["TARGETS"])
        if ready is None or not all(map(truth.has_one_router, truth.names)):
            continue
        yield from _in_flight(truth, key, _number(row["IN FLIGHT"]))
        was = {name: truth.was_ready(name, TOLD_S) for name in truth.names}
        most = sum(max(counts, default=0) for counts in was.values())
        if int(ready[1]) > most:
            yield f"{ready[1]} are ready, and {most} are there"


def _in_flight(truth: Truth, key: str, shown: float) -> Iterator[str]:
    """What its own clients wait for counts where it was sent, also if it is lost on the way."""
    most = sum(truth.in_hand(name, TOLD_S + OWN_S)[1] for name in truth.names)
    most += sum(not one.ended for one in truth.asked(key, truth.now))
    if shown > most + _SLACK * len(truth.names):
        yield f"{shown:.0f} in flight: all targets have {most}"


def _top(truths: Sequence[Truth], key: str, printed: Printed) -> Iterator[str]:
    name = truths[0].name_of(key)
    for truth, row in _rows(truths, printed):
        here = row["HERE"]
        if not truth.has_one_router(name) or truth.lasts("known", key) < LATELY_S:
            continue
        if here == "drained" and truth.is_over("drained", name) > OWN_S:
            yield f"{name} is not drained"
        if here == "no target" and truth.lasts("serves", key) > OWN_S:
            yield f"{name} has targets that are ready"
        if re.match("0 of", here) and truth.lasts("serves", key) > OWN_S:
            yield f"{name} has targets that are ready"
        if found := re.search(r"([\d.]+) (?:of [\d.]+$|in flight)", here):
            least, most = truth.in_hand(name, 2 * TOLD_S)
            dip = _DIPS * (least - truth.dipped(name, 2 * TOLD_S))
            if not least - dip - 0.1 <= float(found[1]) <= most + _SLACK:
                yield f"{found[1]} in flight here: {least} to {most}"
        if found := re.search(r" of (\d+)$", here):
            slots = truth.slots(name, 2 * OWN_S)
            if slots and truth.is_over("partly drained", name) > APART_S and int(found[1]) != slots:
                yield f"{found[1]} slots here: {slots}"
        yield from _latency(truth, key, row["P50"], row["P99"])
        if "for other sites' clients" in row["SPILLED"] and not serves_others(truth, name):
            yield "only its own clients were served here"


def _latency(truth: Truth, key: str, p50: str, p99: str) -> Iterator[str]:
    """Upper bounds of ranges, of requests of the last seconds."""
    ended = truth.lately(key, lambda one: one.ended > 0)
    lasted = [one.ended - one.began for one in ended]
    if not lasted or "-" in (p50, p99) or truth.stood_still(key):
        return
    if not min(lasted) <= _seconds(p50) + EDGE_S:
        yield f"half of the requests took {p50}: {min(lasted):.3f} s at least"
    if _seconds(p99) > _RANGE * max(lasted) + EDGE_S:
        yield f"nearly all requests took {p99}: {max(lasted):.3f} s at most"


def _seconds(text: str) -> float:
    """``<120 ms``."""
    number, unit = text.lstrip("<>").split()
    return float(number) * {"us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0}[unit]


def _line(printed: Printed, head: str) -> str:
    return next(
        (line[10:] for line in printed.text.splitlines() if line.startswith(head)), "not shown"
    )


def _number(cell: str) -> float:
    return 0.0 if cell in ("", "-") else float(cell)


LAWS: Final[Mapping[str, tuple[Law, ...]]] = {
    "status": (_state, _ends_as_it_says, _is_worth_a_problem, _network),
    "check": (_check_counts, _is_worth_a_problem),
    "network status": (_sites,),
    "link status": (_links,),
    "service status": (_services,),
    "top --once": (_top,),
}
"""By the command typed."""
