"""Adopted Services that another program keeps restoring: noticed, counted, given up. Pure.

A revert is an adopted Service that is found with another selector. More than
`limits.SERVICE_REVERTS_MAX` reverts within `limits.SERVICE_REVERTS_WITHIN_S` are a fight: the
Service stays as it was before it was adopted. After a pause of the same length there is one more
attempt.
"""

import msgspec

from router.model import limits


class SelectorConflicts(msgspec.Struct, frozen=True):
    """By name of a Service: ``settled`` was last seen adopted; ``reverts``: times, oldest first."""

    settled: frozenset[str] = frozenset()
    reverts: dict[str, tuple[float, ...]] = {}

    def is_contested(self, name: str) -> bool:
        """Whether the Service is left alone now."""
        return len(self.reverts.get(name, ())) > limits.SERVICE_REVERTS_MAX

    def looked(
        self, name: str, *, is_adopted: bool, is_reverted: bool, now: float
    ) -> "SelectorConflicts":
        """The state after seeing a Service that should be adopted."""
        times = self._recent(name, now)
        settled = self.settled - {name}
        if is_reverted and name in self.settled:
            times = (*times, now)
        elif is_adopted and not is_reverted:
            settled |= {name}
        reverts = {key: value for key, value in self.reverts.items() if key != name}
        if times:
            reverts[name] = times
        return SelectorConflicts(settled, reverts)

    def only(self, kept: frozenset[str]) -> "SelectorConflicts":
        """Only the Services in ``kept``."""
        return SelectorConflicts(
            self.settled & kept,
            {name: times for name, times in self.reverts.items() if name in kept},
        )

    def again_at(self, name: str) -> float:
        """When the pause of a fought Service ends."""
        return self.reverts[name][-1] + limits.SERVICE_REVERTS_WITHIN_S

    def _recent(self, name: str, now: float) -> tuple[float, ...]:
        times = self.reverts.get(name, ())
        if self.is_contested(name):
            if now < self.again_at(name):
                return times
            return (now,) * limits.SERVICE_REVERTS_MAX  # One more attempt.
        return tuple(at for at in times if now - at < limits.SERVICE_REVERTS_WITHIN_S)
