"""Histories of the other workers, to be joined to the first one's. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain

import msgspec

from router.admin.views.history import ServiceHistory
from router.workers.history_sums import joined, partial_until
from router.workers.worker_messages import Histories

_Port = tuple[str, int]


class Kept(msgspec.Struct, frozen=True):
    """The histories of one worker. ``restarted``: they lack those of its predecessor."""

    histories: Mapping[_Port, ServiceHistory]
    restarted: bool


def by_port(told: Iterable[Histories]) -> Mapping[_Port, ServiceHistory]:
    """The histories of one worker, by service and port."""
    each = chain.from_iterable(one.items for one in told)
    return {(one.service, one.port): one for one in each}


class OtherHistories:
    """Histories of ``each`` of the other workers. ``all_told``: none of them is missing."""

    def __init__(self, each: Sequence[Kept], *, all_told: bool) -> None:
        self._each = each
        self._all_told = all_told

    def join(self, own: Iterator[ServiceHistory]) -> Iterator[ServiceHistory]:
        """Each of ``own`` joined with those of the others."""
        for history in own:
            port = history.service, history.port
            told = [one.histories[port] for one in self._each if port in one.histories]
            whole = joined(history, told)
            lacking = [one.histories.get(port) for one in self._each if one.restarted]
            if not self._all_told:
                lacking.append(None)
            until = partial_until(whole, lacking)
            yield msgspec.structs.replace(whole, partial_until=until) if until else whole
