"""The part of one process in a router of several: its listeners, capacities and links."""

from pathlib import Path

import msgspec

from router.documents import Wanted
from router.documents.division import Division, divided
from router.net.listener import Sharing


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """Worker ``index`` of ``count``. The first one leads: it does the site's own tasks.

    These are the link port, claims, certificates, hooks, the console, the operator's door.
    """

    index: int = 0
    count: int = 1

    @property
    def leads(self) -> bool:
        """This is the first worker, or the only one."""
        return self.index == 0

    @property
    def sharing(self) -> Sharing:
        """How service ports are shared with the other workers."""
        if self.count == 1:
            return "alone"
        return "first" if self.leads else "further"

    def flow_number(self, last: int, began: float) -> int:
        """The number of a flow that ``began`` then, in monotonic seconds, after ``last``.

        Each worker has separate numbers, and over all workers they grow with time: by the clock of
        the host, which all of them read, to 10 µs. In a year that is less than 10**15.
        """
        if self.count == 1:
            return last + 1
        return max(last + self.count, int(began * 100_000) * self.count + self.index)

    def run(self, directory: Path) -> Path:
        """The directory of its door, journal and log."""
        run = directory / "run"
        return run if self.leads else worker_directory(run, self.index)

    def state(self, directory: Path) -> Path:
        """The file with the values that survive a restart, its router id first of all."""
        return (directory if self.leads else self.run(directory)) / "state.json"

    def of(self, wanted: Wanted, siblings: tuple[str, ...]) -> Wanted:
        """This part's share of ``wanted``; it dials ``siblings``.

        Each worker always has a fixed share of every capacity: the share of a worker that died is
        unused until it is back, so that no share is ever used twice.
        """
        if self.count == 1:
            return wanted
        division = Division(count=self.count, index=self.index)
        mine = divided(wanted, division)
        site = mine.site
        if not self.leads:
            site = msgspec.structs.replace(site, ingress="none", console=None)
        return msgspec.structs.replace(mine, site=site, siblings=siblings)


WHOLE = Part()


def worker_directory(run: Path, index: int) -> Path:
    """The directory of worker ``index``; ``run`` is the router's."""
    return run / "workers" / str(index)
