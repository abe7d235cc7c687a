"""Which service a new connection is for, at a listener that several services share."""

from collections.abc import Callable

import msgspec

from router.model.ids import ServiceKey


class ServiceChoice(msgspec.Struct, frozen=True):
    """The service ports that share a listener, at least one, in order.

    ``weights`` in the same order: one is drawn by weight; empty: the first that is served counts.
    """

    keys: tuple[ServiceKey, ...]
    weights: tuple[int, ...] = ()

    def reached(self, is_served: Callable[[ServiceKey], bool]) -> tuple[ServiceKey, ...]:
        """The service ports that `choose` may return; empty: none of them is served."""
        if not self.weights:
            return tuple(list(filter(is_served, self.keys))[:1])
        pairs = zip(self.keys, self.weights, strict=True)
        return tuple(key for key, weight in pairs if weight and is_served(key))

    def choose(
        self, is_served: Callable[[ServiceKey], bool], draw: Callable[[], float]
    ) -> ServiceKey:
        """The service port of the next connection. If none is served: the first one, or with
        weights the first one that has a weight.

        ``draw`` returns a number from 0 up to 1, exclusive.
        """
        if not self.weights:
            return next(filter(is_served, self.keys), self.keys[0])
        pairs = zip(self.keys, self.weights, strict=True)
        weighted = [(key, weight) for key, weight in pairs if weight]
        served = [(key, weight) for key, weight in weighted if is_served(key)]
        left = draw() * sum(weight for _, weight in served)
        for key, weight in served:
            if left < weight:
                return key
            left -= weight
        return weighted[0][0] if weighted else self.keys[0]
