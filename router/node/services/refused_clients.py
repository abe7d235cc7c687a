"""Client connections that are reset because their address has too many: events and notes."""

from collections.abc import Callable, Iterable, Mapping

from router.model import limits
from router.model.events import Note, Tell
from router.model.ids import ServiceKey
from router.model.wording.plural import counted

Refused = Mapping[ServiceKey, int]
"""How many were reset since a process started, by service port."""


class RefusedClients:
    """``refused``: counts of this process."""

    __slots__ = ("_beside", "_refused", "_seen", "_tell", "_told")

    def __init__(self, refused: Callable[[], Refused], tell: Tell) -> None:
        self._refused, self._tell = refused, tell
        self._beside: Callable[[], Iterable[Refused]] = tuple
        self._seen: dict[ServiceKey, int] = {}
        self._told: dict[ServiceKey, tuple[float, int]] = {}
        """When the last one was seen, and how many since `status` began to show them."""

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
            _, so_far = self._told.get(key, (now, 0))
            self._told[key] = now, so_far + count - before
            if not so_far:
                self._tell(
                    "warning", "connections-refused", str(key), self._message(key), _hint(key)
                )
        for key, (last, _) in list(self._told.items()):
            if now - last >= limits.REFUSED_CLIENTS_S:
                del self._told[key]

    def notes(self) -> list[Note]:
        """One note for each service port, until none was reset for a while."""
        return [
            Note(severity="warning", code="SW0360", message=self._message(key), hint=_hint(key))
            for key in sorted(self._told)
        ]

    def _message(self, key: ServiceKey) -> str:
        count = self._told[key][1]
        clients = counted(count, "client connection")
        return (
            f"{clients} of service {key} {'was' if count == 1 else 'were'} reset: the "
            "address of the client had too many for the places that are left here."
        )


def _hint(key: ServiceKey) -> str:
    return (
        "See which clients hold connections that they do not use. For more places: LimitNOFILE= of "
        "the unit, or ulimit -n, and limits.connections and limits.connectionsPerSource of service "
        f"{key.name}"
    )
