"""Hosts whose clock is wrong: libfaketime below real commands and real routers."""

import os
import signal
from functools import cache
from pathlib import Path
from typing import Final

from tests import needs
from tests.programs import find
from tests.scenario import forking
from tests.scenario.fork_requests import Forked
from tests.scenario.harness import ROOT, Network
from tests.scenario.waiting import until

_CACHED_S: Final = 1
"""libfaketime reads the file of a clock so often."""
_ROUTER: Final = f"""
import select, runpy
select.select([], [], [], {_CACHED_S + 0.1})  # Until its own clock is read, not the server's.
runpy.run_module("router.process.main", run_name="__main__", alter_sys=True)
"""


def library() -> str:
    """The path of libfaketime."""
    needs.programs("libfaketime")
    found = find("libfaketime")
    assert found is not None
    return found


@cache
def _python() -> forking.Forker:
    """Processes with libfaketime below them. Each has the clock that its environment names."""
    return forking.Forker(
        ROOT,
        {
            "LD_PRELOAD": library(),
            "FAKETIME_CACHE_DURATION": str(_CACHED_S),
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        },
    )


class Host:
    """A site on a host whose wall clock is off, by ``off`` (``-1d``, ``+40d``, ``+0``)."""

    def __init__(self, net: Network, name: str, off: str = "+0") -> None:
        self._file = net.state / f"{name}.clock"
        self._router: Forked | None = None
        self.site = net.planned(name)
        self.set_clock(off)
        words = ("init", name, *self.site.places())
        if off == "+0":
            self.site.quick(*words)
        else:
            self.site.ctl(*words)

    def set_clock(self, off: str) -> None:
        """Move it, for commands at once and for a router that runs within a second."""
        # A command sleeps, which libfaketime takes amiss unless it shifts that clock too.
        shifted = {"LD_PRELOAD": library(), "FAKETIME": off}
        self.site.environment = {} if off == "+0" else shifted
        scratch = self._file.with_suffix(".new")
        scratch.write_text(f"{off}\n")
        scratch.rename(self._file)

    def start(self) -> None:
        """Start its router, whose wall clock alone is off."""
        site = self.site
        environment = {
            **site.paths(),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            # Else each thread that waits for Python's lock spins: a fix for an old glibc.
            "FAKETIME_FORCE_MONOTONIC_FIX": "0",
        }
        with open(os.devnull, "rb") as nothing:
            self._router = _python().run(
                ["-c", _ROUTER, "--site-dir", str(site.directory)],
                (nothing.fileno(), 1, 2),
                ROOT,
                environment,
            )
        site.forked.append(self._router)
        until(site.admin.is_ready, f"the router of {site.name} is ready")
        assert site.note_pid() == self._router.pid

    def stop(self) -> None:
        """End its router."""
        assert self._router is not None
        os.kill(self._router.pid, signal.SIGTERM)
        assert self._router.wait(30) == 0

    def problems(self) -> dict[str, str]:
        """What `status` says is wrong: code and message."""
        return {one["code"]: one["message"] for one in self.site.get("status")["problems"]}

    def token(self, net: Network, *flags: str) -> Path:
        """A token of this site, made by its clock."""
        path = net.state / f"{self.site.name}-{len(list(net.state.iterdir()))}.token"
        self.site.ctl("token", "create", str(path), *flags)
        return path
