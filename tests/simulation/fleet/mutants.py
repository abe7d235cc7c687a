"""Breaks the product on purpose, one way at a time, and counts the seeds until a rule finds it.

``python -m tests.simulation.fleet.mutants`` prints the table of docs/design/simulation.md.
"""

import argparse
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import msgspec

from router.model.limits import COST_MAX
from router.node import routing_run
from router.routing import core, lsa_receive, pace, routes, spf
from router.routing.absent_routers import AbsentRouters
from router.routing.adverts import flood, lsa, lsdb
from router.routing.adverts.duplicate_routers import DuplicateRouters
from router.routing.adverts.lsdb import PartStanding
from router.routing.build import candidates, declarations, table
from router.routing.declared import counting
from router.routing.edges import attached, edge
from router.routing.load import LoadTable
from router.routing.own_lsa import OwnLsa
from tests.simulation.fleet.run import play

SEEDS = 200

Core, Lsdb, Flooding, Graph = core.RoutingCore, lsdb.Lsdb, flood.Flooding, spf.Graph
LsaReceiver = lsa_receive.LsaReceiver
_two_way, _standing = Graph.two_way, Lsdb.standing
_joined = spf._joined
_overtake = OwnLsa.overtake
_counting, _candidates, _accept = counting, candidates.candidates_of, LoadTable.accept
_down, _flood = Core.adjacency_down, Flooding.flood


def _one_way(self: Any, here: Any) -> Any:
    vertex = self._vertices.get(here)
    yield from (
        (there, cost)
        for there, cost in (vertex.reported.items() if vertex else ())
        if there in self._vertices
    )


def _least_cost(self: Any, here: Any) -> Any:
    for there, _ in _two_way(self, here):
        yield there, self._vertices[here].reported[there]


def _same_is_newer(self: Any, told: Any, signed: bytes) -> PartStanding:
    standing = _standing(self, told, signed)
    return PartStanding.NEWER if standing is PartStanding.SAME else standing


def _older_is_newer(self: Any, told: Any, signed: bytes) -> PartStanding:
    standing = _standing(self, told, signed)
    return PartStanding.NEWER if standing is PartStanding.OLDER else standing


def _sequence_first(self: Any, lsa: Any, signed: bytes) -> PartStanding:
    stored = self.get(lsa.key)
    if stored and stored[0].epoch != lsa.epoch:
        newer = (lsa.sequence, lsa.epoch) > (stored[0].sequence, stored[0].epoch)
        return PartStanding.NEWER if newer else PartStanding.OLDER
    return _standing(self, lsa, signed)


def _unclamped(node: Any, topology: Any) -> Any:
    reported = {lsa.Node(a.router, a.site): a.cost for a in topology.adjacencies}
    reported.pop(node, None)
    return spf.Vertex(not (topology.stub or topology.draining), reported)


def _half_adopted(self: Any) -> bool:
    bodies = [one.body for one, _ in self.parts.values() if isinstance(one.body, lsa.Services)]
    declarations = tuple(told for body in bodies for told in body.declarations)
    adverts = tuple(told for body in bodies for told in body.adverts)
    changed = (declarations, adverts) != (self.declarations, self.adverts)
    self.declarations, self.adverts = declarations, adverts
    return changed


def _by_insertion(cost: int, here: Any, before: Any) -> Any:
    route = _joined(cost, here, before)
    found = [(*path, here.router) for _, one in before for path in one.paths]
    return msgspec.structs.replace(route, paths=tuple(found[:1]) if before else ((),))


def _gives_up(self: Any, from_router: Any, received: Any, now: float) -> Any:
    return self._ack(from_router, received.lsa, now)


def _same_epoch(self: Any, lsa: Any, now: float) -> Any:
    events = _overtake(self, lsa, now)
    self._origin.epoch = lsa.epoch
    return events


def _never_withdraws(self: Any, lsa: Any, now: float) -> Any:
    self._duplicates = DuplicateRouters()
    return _overtake(self, lsa, now)


def _forgets(self: Any, router: Any, now: float) -> Any:
    events = _down(self, router, now)
    for node in self._lsdb.nodes_of(router):
        self._lsdb._drop_origin(node)
    return events


def _anybodys(claims: Any, own: Any, owner: Any, unix: float) -> Any:
    return _counting(claims, own, None, unix)


def _unsorted(*what: Any) -> Any:
    found, withheld = _candidates(*what)
    return {key: tuple(reversed(told)) for key, told in found.items()}, withheld


def _unbounded_load(self: Any, report: Any, from_router: Any, table: Any, now: float) -> Any:
    accepted = _accept(self, report, from_router, table, now)
    return accepted and msgspec.structs.replace(
        accepted, report=msgspec.structs.replace(report, capacity=COST_MAX)
    )


def _no_load_onward(self: Any, report: Any, from_router: Any, table: Any, now: float) -> Any:
    accepted = _accept(self, report, from_router, table, now)
    return accepted and msgspec.structs.replace(accepted, forward_to=())


def _never_heard(self: Any, router: Any, key: Any, version: Any, now: float) -> Any:
    return []


def _flood_back(self: Any, keys: Any, now: float, *, but: Any = None) -> Any:
    return _flood(self, keys, now)


class _Nothing:
    """Never raised."""


MUTANTS: dict[str, tuple[Any, str, Any]] = {
    "the two-way check is left out": (Graph, "two_way", _one_way),
    "of two costs the near end's counts": (Graph, "two_way", _least_cost),
    "an equal sequence counts as newer": (Lsdb, "standing", _same_is_newer),
    "an older word replaces a newer": (Lsdb, "standing", _older_is_newer),
    "the sequence counts before the epoch": (Lsdb, "standing", _sequence_first),
    "nothing is acked": (LsaReceiver, "_ack", lambda *_: []),
    "acks are not heeded": (Flooding, "has_heard", _never_heard),
    "a deadline is never met": (Flooding, "handle_timeout", lambda *_: []),
    "nothing is sent again": (flood, "LSA_RETRANSMIT_S", 1e9),
    "an older word is not answered": (Flooding, "answer", lambda *_: []),
    "words go back to who sent them": (Flooding, "flood", _flood_back),
    "nothing is passed on": (Flooding, "flood", lambda *_, **__: []),
    "age is not looked at": (Lsdb, "expire", lambda *_: False),
    "who drains is crossed": (Graph, "is_crossable", lambda *_: True),
    "signatures are not checked": (lsa_receive, "signature_fault", lambda *_: None),
    "told costs are not clamped": (routes, "vertex", _unclamped),
    "the budget is ignored": (Flooding, "may_judge", lambda *_: True),
    "parts are adopted one by one": (lsdb.Origin, "adopt_services", _half_adopted),
    "of equal paths the first found": (spf, "_joined", _by_insertion),
    "a former life is not overtaken": (LsaReceiver, "_receive_own", _gives_up),
    "the epoch is not raised": (OwnLsa, "overtake", _same_epoch),
    "a copy never withdraws": (OwnLsa, "overtake", _never_withdraws),
    "who loses a neighbor purges it": (Core, "adjacency_down", _forgets),
    "lost routers count for ever": (AbsentRouters, "next_deadline", lambda *_: None),
    "whoever is nearest declares": (declarations, "counting", _anybodys),
    "candidates are in another order": (table, "candidates_of", _unsorted),
    "loads are not bounded": (LoadTable, "accept", _unbounded_load),
    "loads are not passed on": (LoadTable, "accept", _no_load_onward),
    "computing is not paced": (pace, "SPF_DELAY_MAX_S", 0.001),
    "an edge is told all words": (flood.NeighbourFlood, "takes", lambda *_: True),
    "edges are not told again": (attached, "EDGE_RETRANSMIT_S", 1e9),
    "an edge does not ask again": (edge, "EDGE_RETRANSMIT_S", 1e9),
    "a raised epoch is not kept": (routing_run, "EpochRaised", _Nothing),
}


@contextmanager
def broken(name: str) -> Iterator[None]:
    """The product with that fault."""
    owner, attribute, instead = MUTANTS[name]
    with patch.object(owner, attribute, instead):
        yield


def hunt(name: str, seeds: int = SEEDS) -> tuple[str, int]:
    """The rule that found it, and after how many seeds; empty: it survived."""
    with broken(name):
        for seed in range(seeds):
            try:
                outcome = play(seed)
            except Exception as error:
                return f"raises {type(error).__name__}", seed + 1
            if outcome.rule:
                return outcome.rule, seed + 1
    return "", seeds


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="mutants whose name has this in it")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    survived = 0
    names = [name for name in MUTANTS if arguments.only in name]
    print("| fault | found by | seeds |\n| --- | --- | --- |")
    with ProcessPoolExecutor(arguments.workers) as pool:
        found = pool.map(hunt, names, [arguments.seeds] * len(names))
        for name, (rule, seeds) in zip(names, found, strict=True):
            survived += not rule
            print(f"| {name} | {f'`{rule}`' if rule else 'nothing'} | {seeds} |", flush=True)
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main())
