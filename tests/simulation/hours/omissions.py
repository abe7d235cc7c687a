"""What must be said of what lasts, and figures that must be near the truth."""

import re
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Final, NamedTuple

from router.admin.views.live import ServiceNow
from router.admin.views.services import ServiceSite
from router.admin.views.status import Status
from tests.simulation.hours.lasting import fail, give_up, is_failure, leave
from tests.simulation.hours.truth import JOINED_S, LATELY_S, LEAST_S, OWN_S, TOLD_S, Truth
from tests.simulation.world import Answer, SimSite

SEEN_S: Final = 6.0
"""After so long checks of targets have seen what became of them."""
_WINDOWS: Final = (LEAST_S, *range(3, 12))


class Said(NamedTuple):
    """All that one site says at one moment."""

    status: Status
    rows: Sequence[ServiceNow]
    sites: Sequence[ServiceSite] = ()

    def codes(self, service: str) -> set[str]:
        """Of what is said of a service."""
        problems, notes = self.status.problems, self.status.notes
        told = [(one.code, one.message) for one in problems]
        told += [(one.code, one.message) for one in notes]
        return {code for code, message in told if re.search(rf"\b{service}\b", message)}

    def text(self, code: str) -> str:
        """Of the problems with that code."""
        return " ".join(one.message for one in self.status.problems if one.code == code)


def unsaid(truth: Truth, key: str, site: SimSite, said: Said) -> Iterator[str]:
    """What the router ``key`` of ``site`` should have ``said`` and did not."""
    if truth.lasts("known", key) < LATELY_S:
        return
    if truth.is_over("stops", key) > LATELY_S:
        yield from _unsaid_of_documents(truth, key, site, said)
    codes = said.codes(truth.service.name)
    ended = truth.lately(key, lambda one: one.ended > 0)
    if fail(truth, key) and not codes & {"SW0337", "SW0338", "SW0309"}:
        yield "requests fail"
    if give_up(truth, key) and "SW0352" not in codes:
        yield "clients give up"
    if leave(truth, key) and not any(row.why for row in said.rows):
        yield "requests leave this site"
    yield from _wrong_counts(site, said.status)
    for one in said.sites:
        if not truth.has_one_router(one.site):
            continue  # Of those of its routers that are reached.
        was = truth.was_ready(one.site, truth.slack(key, one.site))
        if len(was) == 1 and one.targets_ready not in was:  # Else they come and go.
            yield f"{one.targets_ready} targets of {one.site} are ready: {was}"
        yield from _wrong_slots(truth, key, one)
    is_late = truth.comes_late(key, truth.now - LATELY_S) or truth.stood_still(key)
    for row in () if is_late else said.rows:
        seen = truth.lately(key, lambda one: True)  # Requests under way count from their begin on.
        yield from far_off(truth.now, "requests", row.requests_per_s, seen)
        failed = list(filter(is_failure, ended))
        yield from far_off(
            truth.now, "failed", row.failed_per_s, failed, sure=truth.protocol == "http"
        )


def _wrong_slots(truth: Truth, key: str, shown: ServiceSite) -> Iterator[str]:
    """Of a site in a row of router ``key``: the capacity of its ready targets."""
    site, own = shown.site, truth.name_of(key)
    slots = truth.slots(site, OWN_S if site == own else 2 * TOLD_S)
    is_whole = truth.is_over("partly drained", site) > SEEN_S
    is_heard = site == own or (
        truth.lasts("whole") > 2 * TOLD_S
        and min(truth.lasts(fact, key, site) for fact in ("usable", "joined")) > 2 * TOLD_S
    )
    if slots and is_whole and is_heard and shown.capacity != slots:
        yield f"{shown.capacity} slots of {site}: {slots}"


def _unsaid_of_documents(truth: Truth, key: str, site: SimSite, said: Said) -> Iterator[str]:
    """Of targets, listeners, names and links of a router that serves."""
    name, codes = site.name, said.codes(truth.service.name)
    is_down = truth.lasts("down", name) > SEEN_S and truth.is_over("drained", name) > SEEN_S
    if is_down and not codes & {"SW0335", "SW0309"}:
        yield "no target here is ready"
    is_drained = truth.connectors_of(site) and truth.lasts("drained", name) > SEEN_S
    if is_drained and "SW0353" not in codes:
        yield "this site is drained"
    if truth.lasts("taken", key) > TOLD_S and "SW0202" not in codes:
        yield "its port is taken"
    if truth.lasts("misspelled", key) > TOLD_S and "SW0301" not in said.codes(truth.misspelled):
        yield "a connector names a service that does not exist"
    if _conflict(truth, key) and not codes & {"SW0304", "SW0340"}:
        yield "two sites declare it differently"
    held = [one for one in truth.names if truth.lasts("holding", key, one) > OWN_S]
    if any(not re.search(rf"with {one} went down", said.text("SW0673")) for one in held):
        yield "a link is held back"


def _conflict(truth: Truth, key: str) -> bool:
    """Two sites declare it differently for long, of which this router has long known."""
    own = truth.name_of(key)
    declaring = [
        one
        for one in truth.names
        if truth.lasts("declaring", one) > JOINED_S
        and truth.lasts("joined", key, one) > JOINED_S
        and (one == own or truth.lasts("exporting", one) > JOINED_S)
    ]
    pairs = combinations(declaring, 2)
    differ = any(truth.lasts("differing", *pair) > JOINED_S for pair in pairs)
    return differ and truth.lasts("importing", own) > JOINED_S


def _wrong_counts(site: SimSite, status: Status) -> Iterator[str]:
    up = sum(link.state == "up" for link in site.router.links.status())
    if status.links_up != up:
        yield f"{status.links_up} links up are {up}"
    reached = sum(route.reachable for route in site.router.routing.table.sites.values())
    if status.sites != reached:
        yield f"{status.sites} sites are {reached}"


def far_off(
    now: float, what: str, per_s: float, answers: Sequence[Answer], *, sure: bool = True
) -> Iterator[str]:
    """A rate that was in none of the times that it may be of. ``sure``: all of them count."""
    least = min(sum(now - one.ended <= s for one in answers if one.ended) / s for s in _WINDOWS)
    most = max(sum(now - (one.ended or one.began) <= s for one in answers) / s for s in _WINDOWS)
    if not sure * least * 0.5 - 2 <= per_s <= most * 1.5 + 3:
        yield f"{what}: {per_s}/s, and it was {least:.1f} to {most:.1f}/s"
