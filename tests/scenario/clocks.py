"""Hosts whose clock is wrong: libfaketime below real commands and real routers."""

import subprocess
from pathlib import Path

from tests import needs
from tests.programs import find
from tests.scenario.harness import Network


def library() -> str:
    """The path of libfaketime."""
    needs.programs("libfaketime")
    found = find("libfaketime")
    assert found is not None
    return found


class Host:
    """A site on a host whose wall clock is off, by ``off`` (``-1d``, ``+40d``, ``+0``)."""

    def __init__(self, net: Network, name: str, off: str = "+0") -> None:
        self._file = net.state / f"{name}.clock"
        self._router: subprocess.Popen[bytes] | None = None
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
        self._router = self.site.run(
            {
                "LD_PRELOAD": library(),
                "FAKETIME_TIMESTAMP_FILE": str(self._file),
                "FAKETIME_CACHE_DURATION": "1",
                "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            }
        )

    def stop(self) -> None:
        """End its router."""
        assert self._router is not None
        self._router.terminate()
        assert self._router.wait(30) == 0

    def problems(self) -> dict[str, str]:
        """What `status` says is wrong: code and message."""
        return {one["code"]: one["message"] for one in self.site.get("status")["problems"]}

    def token(self, net: Network, *flags: str) -> Path:
        """A token of this site, made by its clock."""
        path = net.state / f"{self.site.name}-{len(list(net.state.iterdir()))}.token"
        self.site.ctl("token", "create", str(path), *flags)
        return path
