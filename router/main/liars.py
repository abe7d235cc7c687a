"""Sites whose routers sign two different things with one number: what is known, for people."""

from router.model.events import Problem
from router.model.ids import SiteId
from router.model.limits import CONFLICT_SHOWN_S, EQUIVOCATORS_MAX, LIARS_SHOWN_MAX

HINT = (
    "If its state was copied or restored stop one of the two routers; else end its access where it "
    "is linked: sitectl link delete NAME"
)


def text_of(name: str, site: SiteId) -> str:
    """What is wrong."""
    return (
        f"{name} ({site}) signed two different sets of routing data with one number and tells some "
        "sites this, others that: it runs twice with one identity, or it lies. All sites use the "
        "same one of the two."
    )


class Liars:
    """Each is shown until nothing was heard of it for a while."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[SiteId, tuple[str, float]] = {}  # Longest silent first.

    def found(self, site: SiteId, name: str, now: float) -> bool:
        """It did so (again). True: it was not shown."""
        self._forget(now)
        is_new = self._known.pop(site, None) is None
        if len(self._known) >= EQUIVOCATORS_MAX:
            del self._known[next(iter(self._known))]
        self._known[site] = (name, now + CONFLICT_SHOWN_S)
        return is_new

    def problems(self, now: float) -> list[Problem]:
        """One for each site, by name, at most `LIARS_SHOWN_MAX`."""
        self._forget(now)
        known = sorted((name, site) for site, (name, _) in self._known.items())
        return [
            Problem(code="SW0672", message=text_of(name, site), hint=HINT)
            for name, site in known[:LIARS_SHOWN_MAX]
        ]

    def _forget(self, now: float) -> None:
        for site, (_, until) in list(self._known.items()):
            if now < until:
                return
            del self._known[site]
