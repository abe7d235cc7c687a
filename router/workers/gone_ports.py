"""Service ports that are gone: what other workers said of them is forgotten. Pure."""

from collections.abc import Callable, Collection, Sequence

from router.model import limits
from router.model.ids import ServiceKey
from router.workers.one_worker import WorkerState


class GonePorts:
    """``known``: the service ports known at the first worker.

    Another worker may learn of a service a moment earlier, and says only once what does not change.
    So the figures of a service port stay for `limits.WORKER_PORTS_KEPT_S`.
    """

    __slots__ = ("_gone", "_known", "_workers")

    def __init__(
        self, workers: Sequence[WorkerState], known: Callable[[], Collection[ServiceKey]]
    ) -> None:
        self._workers, self._known = workers, known
        self._gone: dict[ServiceKey, float] = {}
        """Since when each is reported and not known."""

    def look(self, now: float) -> None:
        """Call it regularly."""
        gone = set().union(*(one.ports for one in self._workers)).difference(self._known())
        self._gone = {key: self._gone.get(key, now) for key in gone}
        for key, since in self._gone.items():
            if now - since >= limits.WORKER_PORTS_KEPT_S:
                for one in self._workers:
                    one.forget(key)
