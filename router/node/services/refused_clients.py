"""Client connections that are reset because their address has too many: events and notes."""

from collections.abc import Callable, Iterable, Mapping

from router.model import limits
from router.model.events import Note, Tell
from router.model.ids import ServiceKey
from router.model.wording.plural import counted

Refused = Mapping[ServiceKey, int]
"""How many were reset since a process started, by service port."""


class RefusedClients:
    """``refused``: counts of this process. ``per_source``: the configured limit of one address."""

    __slots__ = ("_beside", "_per_source", "_refused", "_seen", "_tell", "_told")

    def __init__(
        self,
        refused: Callable[[], Refused],
        tell: Tell,
        per_source: Callable[[ServiceKey], int | None] = lambda _: None,
    ) -> None:
        self._refused, self._tell, self._per_source = refused, tell, per_source
        self._beside: Callable[[], Iterable[Refused]] = tuple
        self._seen: dict[ServiceKey, int] = {}
        self._told: dict[ServiceKey, tuple[float, int, int | None]] = {}
        """When the last one was seen, how many since `status` began to show them, and the limit of
        one address at that time."""

    def count_with(self, beside: Callable[[], Iterable[Refused]]) -> None:
        """Count also those of the other workers of this router."""
        self._beside = beside

    def look(self, now: float) -> None:
        """Call once a second."""
        sums: dict[ServiceKey, int] = {}
        for refused in (self._refused(), *self._beside()):
            for key, count in refused.items():
                sums[key] = sums.get(key, 0) + count
        before_all, self._seen = self._seen, sums
        for key, count in sums.items():
            before = before_all.get(key, 0)
            if count <= before:  # Fewer: a worker ended, and its count with it.
                continue
            _, so_far, most = self._told.get(key, (now, 0, None))
            self._told[key] = now, so_far + count - before, self._per_source(key) or most
            if not so_far:
                self._tell("warning", "connections-refused", str(key), *self._words(key))
        for key, (last, *_) in list(self._told.items()):
            if now - last >= limits.REFUSED_CLIENTS_S:
                del self._told[key]

    def notes(self) -> list[Note]:
        """One note for each service port, until none was reset for a while."""
        found = []
        for key in sorted(self._told):
            message, hint = self._words(key)
            found.append(Note(severity="warning", code="SW0360", message=message, hint=hint))
        return found

    def _words(self, key: ServiceKey) -> tuple[str, str]:
        """The message and the hint. Of the two limits, the count does not say which was met."""
        _, count, most = self._told[key]
        were = f"{counted(count, 'client connection')} of service {key} "
        were += "was reset" if count == 1 else "were reset"
        places = "LimitNOFILE= of the unit, or ulimit -n, and limits.connections"
        own = f"limits.connectionsPerSource of service {key.name}"
        if most:
            allows = "allows" if self._per_source(key) == most else "allowed then"
            cause = f"the {most} that limits.connectionsPerSource {allows}, or too many"
            more = f"For more: {own}. For more places: {places}"
        else:
            cause = "too many"
            more = f"For more places: {places} and {own}"
        return (
            f"{were}: the address of the client had {cause} for the places that are left here.",
            f"See which clients hold connections that they do not use. {more}",
        )
