"""One systemd unit that runs a router, ours or generated: how it is, ordering it, awaiting it."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from sitectl.runtimes.manager import Manager
from sitectl.runtimes.presence import wait_until
from sitectl.runtimes.spec import Scope

POLL_S: Final = 0.1
SYSTEM_UNITS: Final = Path("/etc/systemd/system")
_SHOWN: Final = (
    *("LoadState", "ActiveState", "SubState", "Result", "ExecMainStatus"),
    *("InvocationID", "NeedDaemonReload", "NRestarts"),
)


def user_config() -> Path:
    """Where the user's programs keep their settings (XDG Base Directory Specification)."""
    base = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(base).expanduser().absolute()


def units_directory(scope: Scope) -> Path:
    """Where units of a manager are installed (systemd.unit(5))."""
    return SYSTEM_UNITS if scope == "system" else user_config() / "systemd" / "user"


class Unit:
    """``name`` of ``manager``."""

    def __init__(self, manager: Manager, name: str) -> None:
        self.manager = manager
        self.name = name

    def state(self) -> dict[str, str]:
        """By property of systemd; empty where there is none of it."""
        return dict.fromkeys(_SHOWN, "") | self.manager.properties(self.name, *_SHOWN)

    def order(self, verb: str) -> None:
        """Start, restart or stop it; what becomes of that is not awaited."""
        self.manager.run("systemctl", verb, "--no-block", self.name)

    def await_ready(
        self, is_ready: Callable[[float], bool], invocation_before: str, timeout_s: float
    ) -> tuple[bool, dict[str, str]]:
        """Wait until it serves, in another run than that before; whether that is decided in time,
        and its state then: active, or failed, or about to be tried again. ``is_ready`` is asked
        with the seconds that are left."""
        state: dict[str, str] = {}
        ends_at = time.monotonic() + timeout_s

        def settled() -> bool:
            state.update(self.state())
            if state["InvocationID"] in ("", invocation_before):
                return False  # The order is not carried out yet.
            if state["ActiveState"] == "active":
                return is_ready(ends_at - time.monotonic())
            return state["ActiveState"] == "failed" or waits_to_restart(state)

        return wait_until(settled, timeout_s, POLL_S), state

    def stop(self, timeout_s: float) -> bool:
        """Whether it ended in time."""
        self.order("stop")
        return wait_until(
            lambda: self.state()["ActiveState"] in ("inactive", "failed"), timeout_s, POLL_S
        )

    def forget(self) -> None:
        """After its file is gone: no failure of it is remembered."""
        self.manager.run("systemctl", "daemon-reload")
        self.manager.says("reset-failed", self.name)  # No, when there is nothing to forget.

    def log(self, invocation: str) -> list[str]:
        """The last lines of one run of it."""
        return self.manager.journal(self.name, invocation)

    @property
    def log_hint(self) -> str:
        """The command to read its log."""
        return f"journalctl {'--user ' if self.manager.scope == 'user' else ''}-u {self.name}"


def waits_to_restart(state: dict[str, str]) -> bool:
    """Whether it ended and systemd tries it again in a moment."""
    return state["ActiveState"] == "activating" and state["SubState"].startswith("auto-restart")
