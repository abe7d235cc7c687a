"""Tells when requests of a service leave this site and when they do not any more, with figures."""

from collections.abc import Callable

from router.balance.overflowing import Begun, Ended, Now, Overflows
from router.forward.forwarder import Forwarder
from router.main.journal import Journal
from router.model.events import Overflow
from router.model.ticks import next_tick
from router.net.ports import Network

SECOND_S = 1.0


class OverflowNews:
    """Looks each second. ``utc``: ISO 8601 of the network's seconds."""

    __slots__ = ("_forwarder", "_journal", "_network", "_overflows", "_utc")

    def __init__(
        self,
        network: Network,
        forwarder: Forwarder,
        journal: Journal,
        utc: Callable[[float], str],
    ) -> None:
        self._network, self._forwarder = network, forwarder
        self._journal, self._utc = journal, utc
        self._overflows = Overflows(network.now())
        network.call_at(network.now() + SECOND_S, self._each_second)

    def close(self) -> None:
        """What lasts ends here."""
        for one in self._overflows.close():
            self._tell(one)

    def _each_second(self) -> None:
        now = self._network.now()
        self._network.call_at(next_tick(now, SECOND_S), self._each_second)
        services = {}
        for key, left in self._forwarder.left().items():
            if not left and not self._overflows.knows(key):
                continue  # As nearly all, always.
            load = self._forwarder.load_of(key)
            services[key] = Now(left=left, in_flight=load.in_flight, capacity=load.capacity)
        for one in self._overflows.look(services, now):
            self._tell(one)

    def _tell(self, one: Begun | Ended) -> None:
        name = f"{one.key.name}:{one.key.port}"
        is_end = isinstance(one, Ended)
        figures = Overflow(
            began=self._utc(one.began),
            lasted_s=round(one.lasted_s, 1) if isinstance(one, Ended) else 0.0,
            requests=one.requests,
            to=one.to,
            in_flight_max=one.in_flight_max if isinstance(one, Ended) else one.in_flight,
            capacity=one.capacity,
        )
        code = "overflow-ended" if is_end else "overflow-begun"
        self._journal.overflow(code, name, sentence(name, figures, is_end=is_end), figures)


def sentence(service: str, figures: Overflow, *, is_end: bool) -> str:
    """``shop:8080 overflowed for 12 s: 340 requests, 300 to east, 40 to north (…)``."""
    where = ", ".join(f"{count} to {site}" for site, count in figures.to.items())
    capacity = "no capacity stated" if figures.capacity is None else f"capacity {figures.capacity}"
    here = f"{figures.in_flight_max} in flight here"
    if figures.capacity is not None and figures.in_flight_max < figures.capacity:
        here += " when looked at"  # Each second: shorter fullness is not in that figure.
    if not is_end:
        return f"Service {service} overflows: {here}, {capacity}; {where}."
    return (
        f"Service {service} overflowed for {figures.lasted_s:.0f} s: "
        f"{figures.requests} requests, {where}; at most {here}, {capacity}."
    )
