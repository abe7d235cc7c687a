"""The record of a run: every request, and the state of every site at every step of time."""

from router.model.ids import ServiceKey
from simulator.runs.bursts import BurstMoment

ANSWERED = 200


class SimulatedRequest:
    """One request of a client. Times are in seconds of the network's clock.

    ``free``: free slots of its own site when the request reached the router; None: no capacity is
    configured there. ``told``: the site that served it, or how it was lost. ``held_s``: how long it
    was held for a site that was woken; 0.0: it was not. ``draw``: from [0, 1), determines the work
    on it. ``parent``: the request whose backend makes this call; None: a client makes it.
    """

    __slots__ = (
        "began",
        "draw",
        "ended",
        "free",
        "held_s",
        "number",
        "parent",
        "request_class",
        "service",
        "site",
        "status",
        "told",
    )

    def __init__(
        self,
        number: int,
        site: str,
        service: str,
        began: float,
        draw: float = 0.0,
        request_class: str = "",
    ) -> None:
        self.number, self.site, self.service, self.began = number, site, service, began
        self.draw, self.request_class = draw, request_class
        self.parent: SimulatedRequest | None = None
        self.ended = -1.0
        self.status = -1
        self.told = ""
        self.held_s = 0.0
        self.free: int | None = None

    def end(self, now: float, status: int, told: str) -> None:
        """The request is over: ``status`` 0 is a lost connection."""
        self.ended, self.status, self.told = now, status, told

    @property
    def served_by(self) -> str:
        """The site that served it; empty: none."""
        return self.told if self.status == ANSWERED else ""

    @property
    def latency_s(self) -> float:
        """From the client's first byte to the answer's last."""
        return self.ended - self.began


class StepSample:
    """A site for one service in one step of time. ``busy``: mean number of its working slots in it.

    The others are of its end: requests that wait ``in_backends`` and ``queued`` in the router's
    line, and ``slots`` of the backends, whatever is configured.
    """

    __slots__ = ("busy", "in_backends", "queued", "slots")

    def __init__(self, busy: float, in_backends: int, queued: int, slots: int) -> None:
        self.busy, self.in_backends, self.queued, self.slots = busy, in_backends, queued, slots


class RunRecord:
    """The record of a run."""

    def __init__(self) -> None:
        self.requests: list[SimulatedRequest] = []
        self.samples: dict[tuple[str, str], list[StepSample]] = {}
        self.bursts: list[BurstMoment] = []
        self.connections: dict[tuple[str, str], int] = {}
        """Opened by clients, by site and service."""
        self.began_s = self.lasted_s = 0.0
        self.interrupted = False


def key_of(services: tuple[str, ...], service: str) -> ServiceKey:
    """The service port used for ``service``."""
    return ServiceKey(service, 8001 + services.index(service))
