"""How many routers a site has, asked of one of them."""

from sitectl.base import output
from sitectl.base.failure import Failure
from sitectl.site.site import Site


def several_routers(site: Site) -> int:
    """How many routers ``site`` has; 0: one, or the router does not answer any more."""
    try:
        return output.several_routers(site.admin.get("/api/v1/status"))
    except Failure:
        return 0
