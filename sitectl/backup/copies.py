"""At the start of a restored site: does its original live?"""

import contextlib
from typing import Final

from certs.identity import restored_at
from sitectl.base import output
from sitectl.base.failure import Failure
from sitectl.runtimes.presence import wait_until
from sitectl.site.directory import DirectorySite

LOOK_S: Final = 3.0
COPY: Final = "SW0401"


def tell_if_copy(site: DirectorySite) -> None:
    """Say so if the neighbors of ``site``, just started, keep it out; waits for them a little.

    Only where it was restored: others lose no time.
    """
    if not restored_at(site.secrets):
        return
    before: list[str] = []

    def settled() -> bool:
        """Who is refused shows as up for a moment: twice the same counts."""
        now = [link["state"] for link in site.admin.get("/api/v1/links")]
        is_same, before[:] = now == before, now
        return is_same and all(state in ("up", "refused") for state in now)

    with contextlib.suppress(Failure):  # The router has started, and `status` shows the rest.
        wait_until(settled, LOOK_S)
        for problem in site.admin.get("/api/v1/status")["problems"]:
            if problem["code"] == COPY:
                output.note(f"{COPY} {problem['message']}")
