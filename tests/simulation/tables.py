"""Sizes of all tables that a router has, by the attribute that holds each."""

import gc
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from types import BuiltinMethodType, FunctionType, MethodType, ModuleType
from typing import Any, Final

from router.net.simulated.host import SimulatedNetwork
from simulator.runs.virtual import MemoryKeeper, SimCredentials
from tests.simulation.world import SimSite, World

_TABLES: Final = (Mapping, AbstractSet, list, tuple, deque)
_OUTSIDE: Final = (
    *(ModuleType, type),
    *(MemoryKeeper, SimCredentials, SimSite, SimulatedNetwork, World),
)
_OURS: Final = ("router.", "tests.simulation.hours.")
_NOT_OURS: Final = ("router.net.",)


def sizes(*roots: object) -> Counter[str]:
    """How many entries each table has that ``roots`` lead to, with those of tables inside, as
    ``Class.attribute``; tables of objects of one class count together."""
    found: Counter[str] = Counter()
    seen: set[int] = set()
    todo: deque[object] = deque(roots)
    while todo:
        one = todo.popleft()
        if id(one) in seen or isinstance(one, (*_OUTSIDE, str, bytes, int, float)):
            continue
        seen.add(id(one))
        if isinstance(one, _TABLES):
            todo.extend(_entries(one))
        elif _is_ours(one):
            for name, value in _attributes(one):
                if isinstance(value, _TABLES):
                    found[f"{type(one).__name__}.{name}"] += _size(value)
                todo.append(value)
        elif not type(one).__module__.startswith(_NOT_OURS):
            todo.extend(_behind(one))
    return found


def _size(table: Any, depth: int = 3) -> int:
    inside = (entry for entry in _entries(table) if depth and isinstance(entry, _TABLES))
    return len(table) + sum(_size(entry, depth - 1) for entry in inside)


def _entries(table: Any) -> list[object]:
    return [*table, *(table.values() if isinstance(table, Mapping) else ())]


def _is_ours(one: object) -> bool:
    modules = [kind.__module__ for kind in type(one).__mro__]  # Also what a test derives.
    return not modules[0].startswith(_NOT_OURS) and any(one.startswith(_OURS) for one in modules)


def _attributes(one: object) -> Iterator[tuple[str, object]]:
    names = set(getattr(one, "__dict__", ()))
    for kind in type(one).__mro__:
        slots = vars(kind).get("__slots__", ())
        names |= {slots} if isinstance(slots, str) else set(slots)
    for name in sorted(names):
        if hasattr(one, name):
            yield name, getattr(one, name)


def _behind(one: object) -> Iterable[object]:
    if isinstance(one, FunctionType):
        return [cell.cell_contents for cell in one.__closure__ or ()]
    if isinstance(one, MethodType | BuiltinMethodType):
        return [one.__self__]
    return gc.get_referents(one)
