"""Requests whose only route broke: they learn when routes change, and not too many wait."""

from router.model import limits
from router.service.sites.missing_routes import MissingRoutes


class Request:
    """Takes the way that comes; ``is_stranded_again`` if that is gone too."""

    def __init__(self, routes: MissingRoutes, *, is_stranded_again: bool = False) -> None:
        self.told = 0
        self._routes, self._is_stranded_again = routes, is_stranded_again

    def rerouted(self) -> None:
        self.told += 1
        self._routes.unstrand(self)
        if self._is_stranded_again:
            self._routes.strand(self)


def test_each_is_told_once_for_each_change_while_it_is_stranded() -> None:
    routes = MissingRoutes(0.0)
    fine, again, left = Request(routes), Request(routes, is_stranded_again=True), Request(routes)
    for one in (fine, again, left):
        assert routes.strand(one)
    routes.unstrand(left)
    for _ in range(3):
        routes.changed()
    assert (fine.told, again.told, left.told) == (1, 3, 0)


def test_only_so_many_wait_and_one_more_when_one_has_left() -> None:
    routes = MissingRoutes(0.0)
    requests = [Request(routes) for _ in range(limits.REROUTES_WAITING_MAX + 1)]
    assert [routes.strand(one) for one in requests] == [True] * (len(requests) - 1) + [False]
    routes.unstrand(requests[0])
    assert routes.strand(requests[-1])


def test_to_wait_makes_sense_while_this_router_is_new_or_the_last_site_has_just_gone() -> None:
    routes = MissingRoutes(5.0)
    assert routes.settles_until == 5.0
    routes.deserted(5.0 - 2 * limits.REROUTE_WAIT_S)
    assert routes.settles_until == 5.0
    routes.deserted(7.0)
    assert routes.settles_until == 7.0 + limits.REROUTE_WAIT_S
