"""Names of services that another site owns."""

import time
import urllib.parse
from collections.abc import Iterable
from typing import Any

from router.model.specs import Document
from router.model.wording.withdrawal import withdrawal
from sitectl.base import output
from sitectl.base.failure import Exit, Failure, conflict
from sitectl.base.options import Settings
from sitectl.site.site import Site

_SETTLES_S = 1.0
"""Time for a router to apply a declaration."""


def require_in_force(
    settings: Settings, site: Site, name: str, documents: Iterable[Document]
) -> None:
    """If ``documents`` declare ``name``, require that other sites use this declaration, as far as
    this site knows.

    Raises Failure (exit 5) where another site owns ``name`` and declares it otherwise.
    """
    declares = any(document.kind == "Service" for document in documents)
    if settings.dry_run or not declares or not site.may_be_others(name):
        return
    if not site.admin.is_running():
        return
    ends_at = time.monotonic() + _SETTLES_S
    while True:
        try:
            view = look(site, name)
        except Failure as failure:
            if failure.exit_code is Exit.UNREACHABLE:
                return  # `reload` has said so.
            raise
        owners = [] if view is None else view["owners"]
        others = [owner for owner in owners if owner != site.name]
        if view is None or len(others) < len(owners) or not owners:
            return
        if view["declared_by"] == site.name and not {*others}.isdisjoint(view["differing"]):
            break
        if time.monotonic() >= ends_at:
            return
        time.sleep(site.poll_s)
    owner = output.safe(", ".join(others))
    raise conflict(
        f"service {name} is declared at {site.name}, and counts only there and at its edges: "
        f"{owner} owns the name, so other sites use the declaration of {owner}",
        f"Declare it alike, or leave it to {owner}: {withdrawal(name)}; or let another site use "
        f"yours, there: sitectl service adopt {name} --from {site.name}",
    )


def look(site: Site, name: str) -> dict[str, Any] | None:
    """The router's view of ``name``; None: no other site declares it."""
    try:
        view = site.admin.get(f"/api/v1/names/{urllib.parse.quote(name, safe='')}")
    except Failure as failure:
        if failure.exit_code is not Exit.NOT_FOUND:
            raise
        return None
    assert isinstance(view, dict)
    return view
