"""Notes on service ports whose sheddable requests are refused so that others are served."""

from collections.abc import Callable, Iterable, Iterator

from router.model import limits
from router.model.events import Note
from router.model.ids import ServiceKey
from router.operate.problems.spill_reason import long_time_text, per_s_text
from router.workers.recent_port_figures import RecentPortFigures


def notes_of(
    ports: Iterable[tuple[ServiceKey, RecentPortFigures]], named: Callable[[ServiceKey], str] = str
) -> Iterator[Note]:
    """One note for each port where more than `limits.FAILING_SHARE` of the requests are shed.
    ``named``: see `FigureScope`.
    """
    for key, port in ports:
        lately = port.change
        if lately is None or lately.shed <= limits.FAILING_SHARE * lately.requests:
            continue
        shed, requests = (per_s_text(lately.per_s(n)) for n in (lately.shed, lately.requests))
        long = long_time_text(lately)
        are_shed = f"were shed {long}" if long else "are shed"
        yield Note(
            severity="info",
            code="SW0357",
            message=f"Service {named(key)}: {shed} of {requests} requests {are_shed}: sheddable "
            f"requests {'made' if long else 'make'} way for others, as configured.",
            hint=f"See what the next one meets: sitectl why {key} --sheddable",
        )
