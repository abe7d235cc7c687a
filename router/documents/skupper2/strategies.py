"""The strategy of a MultiKeyListener: several routing keys, in order or with weights."""

from collections.abc import Mapping
from typing import Any

import msgspec

from router.documents.readers import is_routing_key
from router.documents.skupper2.spec_reader import SpecReader, integer_of
from router.model import limits

_PATH = "spec.strategy"


class Strategy(msgspec.Struct, frozen=True):
    """``weights`` of the keys in their order; empty: the first key that is served gets all."""

    keys: tuple[str, ...] = ()
    weights: tuple[int, ...] = ()


def read_strategy(reader: SpecReader) -> Strategy:
    """The object's strategy; without keys if it is wrong, which is noted."""
    strategy = reader.mapping("strategy")
    named = [word for word in ("priority", "weighted") if strategy.get(word) is not None]
    if len(named) != 1:
        told = "both" if named else "neither"
        hint = "Give exactly one: priority with routingKeys, or weighted with a weight for each"
        reader.wrong(_PATH, f"{told} of priority and weighted", hint)
        return Strategy()
    chosen = strategy[named[0]]
    keys = chosen.get("routingKeys") if isinstance(chosen, Mapping) else None
    path = f"{_PATH}.{named[0]}.routingKeys"
    read = _priority if named[0] == "priority" else _weighted
    found = read(reader, keys, path)
    if found is None:
        return Strategy()
    if not 1 <= len(found.keys) <= limits.SERVICES_PER_LISTENER_MAX:
        bounds = f"1 to {limits.SERVICES_PER_LISTENER_MAX}"
        reader.wrong(path, f"expected {bounds} routing keys, got {len(found.keys)}", "")
        return Strategy()
    wrong = next((key for key in found.keys if not is_routing_key(key)), None)
    if wrong is not None:
        reader.wrong(path, f"{wrong[:80]!r} is no routing key", "Use another key at all sites")
        return Strategy()
    return found


def _priority(reader: SpecReader, keys: Any, path: str) -> Strategy | None:
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        reader.wrong(path, "expected a list of routing keys", "Write [FIRST, SECOND]")
        return None
    if len(set(keys)) < len(keys):
        reader.wrong(path, "a routing key is named twice", "Keep one of them")
        return None
    return Strategy(tuple(keys))


def _weighted(reader: SpecReader, keys: Any, path: str) -> Strategy | None:
    if not isinstance(keys, Mapping) or not all(isinstance(key, str) for key in keys):
        reader.wrong(path, "expected a weight for each routing key", "Write {KEY: 3, OTHER: 1}")
        return None
    weights: list[int] = []
    for key in sorted(keys):
        weight = integer_of(keys[key])
        if weight is None or not 0 <= weight <= limits.SPLIT_WEIGHT_MAX:
            reader.wrong(
                f"{path}[{key[:60]}]",
                f"expected a weight from 0 to {limits.SPLIT_WEIGHT_MAX}",
                "Weights are whole numbers: twice as much gets twice as many connections",
            )
            return None
        weights.append(weight)
    if keys and not any(weights):
        reader.wrong(path, "all weights are 0", "Give at least one key more than 0")
        return None
    return Strategy(tuple(sorted(keys)), tuple(weights))
