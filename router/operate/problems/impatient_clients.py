"""Notes on service ports whose clients leave before they are answered."""

from collections.abc import Callable, Iterable, Iterator

from router.model import limits
from router.model.events import Note
from router.model.ids import ServiceKey
from router.operate.problems.spill_reason import long_time_text, per_s_text
from router.workers.recent_port_figures import RecentPortFigures

STALLED = ". Or they waited for this router: sitectl events --code router-stood-still"


def notes_of(
    ports: Iterable[tuple[ServiceKey, RecentPortFigures]], named: Callable[[ServiceKey], str] = str
) -> Iterator[Note]:
    """One note for each port where clients gave up more than `limits.GAVE_UP_SHARE` of the
    requests. ``named``: see `FigureScope`.
    """
    for key, port in ports:
        lately = port.change
        if lately is None or lately.gave_up <= limits.GAVE_UP_SHARE * lately.requests:
            continue
        gave_up, requests = (
            per_s_text(lately.per_s(count)) for count in (lately.gave_up, lately.requests)
        )
        long = long_time_text(lately)
        yield Note(
            severity="warning",
            code="SW0352",
            message=f"Service {named(key)}: clients gave up {gave_up} of {requests} requests "
            f"{f'{long} ' if long else ''}before they were answered.",
            hint="Compare their time-outs with the times of the targets: "
            f"sitectl service status {key.name} -v{STALLED if long else ''}",
        )
