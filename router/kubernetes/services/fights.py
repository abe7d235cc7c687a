"""Adopted Services that somebody else keeps putting back: seen, counted, given up. Pure.

Each time an adopted Service is found with another selector is a revert. More of them than
`limits.SERVICE_REVERTS_MAX` within `limits.SERVICE_REVERTS_WITHIN_S` is a fight: the Service stays
as it was before it was adopted. After a rest as long there is one more attempt.
"""

import msgspec

from router.model import limits


class Fights(msgspec.Struct, frozen=True):
    """By name of a Service: ``settled`` was last seen adopted; ``reverts``: when, oldest first."""

    settled: frozenset[str] = frozenset()
    reverts: dict[str, tuple[float, ...]] = {}

    def is_fought(self, name: str) -> bool:
        """Whether it is left alone now."""
        return len(self.reverts.get(name, ())) > limits.SERVICE_REVERTS_MAX

    def looked(self, name: str, *, is_adopted: bool, is_reverted: bool, now: float) -> "Fights":
        """After a look at a Service that is wanted adopted."""
        times = self._recent(name, now)
        settled = self.settled - {name}
        if is_reverted and name in self.settled:
            times = (*times, now)
        elif is_adopted and not is_reverted:
            settled |= {name}
        reverts = {key: value for key, value in self.reverts.items() if key != name}
        if times:
            reverts[name] = times
        return Fights(settled, reverts)

    def only(self, kept: frozenset[str]) -> "Fights":
        """Without those that are wanted no more."""
        return Fights(
            self.settled & kept,
            {name: times for name, times in self.reverts.items() if name in kept},
        )

    def again_at(self, name: str) -> float:
        """When the rest of a fought one ends."""
        return self.reverts[name][-1] + limits.SERVICE_REVERTS_WITHIN_S

    def _recent(self, name: str, now: float) -> tuple[float, ...]:
        times = self.reverts.get(name, ())
        if self.is_fought(name):
            if now < self.again_at(name):
                return times
            return (now,) * limits.SERVICE_REVERTS_MAX  # One more attempt.
        return tuple(at for at in times if now - at < limits.SERVICE_REVERTS_WITHIN_S)
