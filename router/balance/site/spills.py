"""Why a request spills, and the state of this site's own targets. Decided here alone.

A request *spills* if another site serves it, whatever the reason. Pure: decides from counts only.
"""

from collections.abc import Mapping
from typing import Final, Literal

import msgspec

SpillReason = Literal[
    "full",
    "above-mark",
    "sheddable-share",
    "higher-level",
    "rate",
    "drained",
    "no-target",
    "ejected",
    "policy",
    "failover",
    "session",
]
"""Why this site did not serve a request of its own clients. A label of metrics.

``full``: no free slot here; ``above-mark``: the free ones are in reserve (`PolicySpec.spill_at`);
``sheddable-share``: they are reserved for requests that are not sheddable, and this one is
(`ServiceSpec.sheddable`); ``higher-level``: without a configured capacity, more load here than
elsewhere; ``rate``: the rate of this site is used up; ``drained``: an operator has drained this
site for the service; ``no-target``: no target here is ready; ``ejected``: likewise, since
failed requests took out one or more of them; ``failover``: the attempt here failed; ``session``:
its session is at another site and stays there; ``policy``: this site had room, and the policy named
another one. A site that stops still serves the clients that it has.
"""

_PASSED_OVER: Final[Mapping[str | None, SpillReason]] = {
    "sends-away": "rate",
    "above-mark": "above-mark",
    "sheddable-share": "sheddable-share",
    "higher-level": "higher-level",
}
"""Reasons for passing over this site that are also the reason of the spill."""

LocalState = Literal["none", "all", "some", "down"]

ABSENCES: Final[tuple[SpillReason, ...]] = ("no-target", "ejected")
"""Reasons for which this site takes no request at all, unintended: no target is ready."""


class LocalTargets(msgspec.Struct, frozen=True):
    """How many targets the connectors of this site name for a service port, and how
    many are ready.
    """

    total: int = 0
    ready: int = 0
    ejected: int = 0

    @property
    def state(self) -> LocalState:
        """``none``: this site has none; ``some``: one or more of them are not ready."""
        if not self.total:
            return "none"
        if not self.ready:
            return "down"
        return "all" if self.ready >= self.total else "some"

    @property
    def shown(self) -> str:
        """``1 of 3 targets are ready here (1 ejected)``."""
        noun = "target" if self.total == 1 else "targets"
        verb = "is" if self.total == 1 else "are"
        ejected = f" ({self.ejected} ejected)" if self.ejected else ""
        return f"{self.ready} of {self.total} {noun} {verb} ready here{ejected}"


def absence(*, ready: int, ejected: int, is_drained: bool = False) -> SpillReason | Literal[""]:
    """Why this site takes no request at all; empty: it takes some."""
    if ready:
        return ""
    if is_drained:
        return "drained"
    return "ejected" if ejected else "no-target"


def spill_reason(
    absent: SpillReason | Literal[""], verdict: str | None, *, hard_full: bool, paced: bool
) -> SpillReason:
    """Why a request goes to another site, whatever cheaper sites were passed over on the way.

    ``absent``: the result of `absence`. ``verdict``: that of this site; None: it has room.
    ``hard_full``: it has none. ``paced``: slots are free here, and the rate is used up.
    """
    if absent:
        return absent
    if verdict == "full" or (verdict == "excluded" and hard_full):
        return "rate" if paced else "full"
    if verdict == "excluded":
        return "failover"
    return _PASSED_OVER.get(verdict, "policy")
