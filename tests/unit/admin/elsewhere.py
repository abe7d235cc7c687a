"""Other sites, as the API asks them; tests set their answers."""

from collections.abc import Callable

from router.admin.ports import BadQuestion
from router.admin.views.history import ServiceHistory
from router.admin.views.ping import HopView, PingView
from router.admin.views.site import SiteDetail

DETAIL = SiteDetail(
    name="west", id="0" * 32, local=False, reachable=True, path_cost=3, told=True, error=""
)
HOP = HopView(
    site="west",
    id="0" * 32,
    cost=3,
    path_cost=3,
    sent=1,
    answered=1,
    rtt_ms=(1.0, 2.0, 3.0),
    certificate_expires=None,
    version="1",
    error="",
)
PING = PingView(site="west", id="0" * 32, reachable=True, path_cost=3, hops=(HOP,), reason="")


class Others:
    """One other site, ``west``; this one is ``here``. ``is_busy``: too much is asked already."""

    def __init__(self) -> None:
        self.is_busy = False
        self.told: tuple[ServiceHistory, ...] = ()
        self.error = ""
        self.pinged: list[tuple[str, int, str]] = []

    def is_here(self, site: str) -> bool:
        return site == "here"

    def detail(self, site: str, done: Callable[[SiteDetail], None]) -> bool | None:
        if site != "west":
            return None
        if self.is_busy:
            return False
        done(DETAIL)
        return True

    def history(
        self,
        site: str,
        service: str,
        port: int | None,
        done: Callable[[tuple[ServiceHistory, ...], str], None],
    ) -> bool | None:
        if site != "west":
            return None
        if self.is_busy:
            return False
        done(self.told, self.error)
        return True

    def ping(
        self, site: str, rounds: int, via: str, done: Callable[[PingView], None]
    ) -> bool | None:
        self.pinged.append((site, rounds, via))
        if site == "here":
            raise BadQuestion("here is this site itself.", "sitectl network status")
        if site != "west":
            return None
        if self.is_busy:
            return False
        done(PING)
        return True
