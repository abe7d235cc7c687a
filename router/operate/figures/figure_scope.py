"""Whose figures a sentence has: those of a site, or of one router of several."""

from typing import Final

from router.model.ids import ServiceKey
from router.node.site_router import SiteRouter
from router.workers.combined_figures import RouterFigures

AT_THIS_ROUTER: Final = " at this router"


def with_router(message: str, router: str) -> str:
    """``message`` of ``router`` for readers who do not know which router says it: one that has
    the figures of one router names it."""
    return f"Router {router}: {message}" if AT_THIS_ROUTER in message else message


class FigureScope:
    """``whole``: of ``router``, which is one process of it."""

    def __init__(self, router: SiteRouter, whole: RouterFigures) -> None:
        self._router, self._whole = router, whole

    @property
    def routers(self) -> int:
        """Routers of this site; the workers of one router count as one."""
        return 1 if self._whole.workers.all else 1 + len(self._router.links.adjacencies.siblings)

    def named(self, key: ServiceKey) -> str:
        """``shop:80``, or ``shop:80 at this router`` if the site has others, whose requests and
        slots are not among the figures that follow.
        """
        return f"{key}{AT_THIS_ROUTER}" if self.routers > 1 else str(key)
