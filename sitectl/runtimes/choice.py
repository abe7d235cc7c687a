"""Choosing who keeps the router of a full site running: nobody, or systemd."""

import os
from typing import Literal

from sitectl.directory import DirectorySite
from sitectl.failure import conflict
from sitectl.runtimes import presence, runtime_of
from sitectl.runtimes.spec import RuntimeSpec, read_spec, write_spec

RunBy = Literal["process", "systemd"]


def run_by(site: DirectorySite, kind: RunBy, timeout_s: float) -> bool:
    """From its next start on ``kind`` keeps the router running. False: it does already.

    Root's unit is the system's, another user's is of their own manager. Failure: the router runs.
    """
    before = read_spec(site)
    if before.kind == kind:
        return False
    if presence.is_running(site):
        raise conflict(
            f"the router of {site.name!r} runs, by {before.kind}",
            f"sitectl --site {site.name} stop, then the same again",
        )
    runtime_of(site).remove(timeout_s)
    if kind == "process":
        write_spec(site, RuntimeSpec())
    else:
        name = f"spillway-{site.name}"
        scope: Literal["user", "system"] = "system" if os.geteuid() == 0 else "user"
        write_spec(site, RuntimeSpec(kind=kind, name=name, scope=scope))
    return True
