"""The interface of runtimes, which keep the router of a directory site running."""

from abc import ABC, abstractmethod
from shlex import quote
from typing import TYPE_CHECKING, Any

from router.model.errors import ConfigError

if TYPE_CHECKING:
    from sitectl.site.directory import DirectorySite


class Runtime(ABC):
    """Runs the router of one site on this host. Every call may be repeated."""

    def __init__(self, site: "DirectorySite") -> None:
        self.site = site

    @abstractmethod
    def start(self, timeout_s: float) -> bool:
        """Start the router and wait until it is ready. False: it ran already. Failure: it is not
        ready.

        First makes its units or its container, or updates them to this version.
        """

    def fetch(self) -> None:  # noqa: B027 - a plain process needs nothing.
        """Have on this host what `start` needs, such as an image. Failure: it cannot be had."""

    @abstractmethod
    def stop(self, timeout_s: float) -> bool:
        """Have the router drain and end; returns when it is gone. False: none ran."""

    def remove(self, timeout_s: float) -> None:  # noqa: B027 - a plain process leaves nothing.
        """Remove what `start` made outside of the site's directory; the router is stopped."""

    def describe(self) -> dict[str, Any]:
        """For ``status``: ``runtime`` and fields of this runtime (unit, image, …)."""
        return {"runtime": "process"}

    def findings(self) -> list[ConfigError]:
        """Obstacles to running the router here, or to its return after a reboot."""
        return []

    def log_hint(self) -> str:
        """The command to read the router's log."""
        return f"tail {quote(str(self.site.log))}"
