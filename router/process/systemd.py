"""Reports our progress to systemd, if it listens (sd_notify(3): one datagram each)."""

import asyncio
import logging
import os
import socket
import time
from collections.abc import Callable, Mapping

from router.admin.views.status import Status
from router.model import limits
from router.model.wording.network_words import links_up, sites_reachable
from router.model.wording.plural import counted

log = logging.getLogger("router.process")

NOTIFY_TIMEOUT_S = 1.0
STATUS_PERIOD_S = 5.0
"""How often the line that `systemctl status` shows may change."""


def notify(state: str) -> None:
    """Send ``state`` (``READY=1``) to ``$NOTIFY_SOCKET``, if any. A failure is only logged."""
    error = _send(state, NOTIFY_TIMEOUT_S)
    if error is not None:
        log.warning("systemd could not be told %s", state, extra={"cause": str(error)})


def _send(state: str, timeout_s: float) -> OSError | None:
    """The error that kept systemd from receiving ``state``; None: it received it, or does not
    listen.
    """
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return None
    if address.startswith("@"):  # The abstract name space.
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as door:
            door.settimeout(timeout_s)
            door.sendto(state.encode(), address)
    except OSError as error:
        return error
    return None


def reloading(read_again: Callable[[], None]) -> None:
    """Run ``read_again`` while the unit counts as reloading."""
    notify(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")
    try:
        read_again()
    finally:
        notify("READY=1")


def watchdog_period_s(environment: Mapping[str, str], process_id: int) -> float | None:
    """The period of watchdog messages from this process: half of the watchdog's timeout.

    None: there is no watchdog, or it watches another process (sd_watchdog_enabled(3)).
    """
    wanted = environment.get("WATCHDOG_USEC", "")
    if not wanted.isdecimal() or int(wanted) == 0:
        return None
    if environment.get("WATCHDOG_PID", str(process_id)) != str(process_id):
        return None
    return int(wanted) / 2e6


async def report_to_systemd(line: Callable[[], str]) -> None:
    """Send systemd watchdog messages, and changes of ``line``, until canceled.

    It runs on the serving loop, so that a loop that hangs goes silent and is ended. It never waits
    for systemd: a message that does not fit is repeated the next time.
    """
    if not os.environ.get("NOTIFY_SOCKET"):
        return
    period_s = watchdog_period_s(os.environ, os.getpid())
    told, was_heard = "", True
    while True:
        beat = ["WATCHDOG=1"] if period_s is not None else []
        now = line()
        states = [*beat, f"STATUS={now}"] if now != told else beat
        if states:
            error = _send("\n".join(states), 0.0)
            if error is None:
                told = now
            elif was_heard:
                log.warning("systemd does not hear us", extra={"cause": str(error)})
            was_heard = error is None
        await asyncio.sleep(min(period_s or STATUS_PERIOD_S, STATUS_PERIOD_S))


def status_line(status: Status) -> str:
    """The state in one line for `systemctl status`."""
    state = "serving" if status.ready else "draining"
    links = links_up(status.links, status.links_up, status.links_silent, status.links_partly)
    here = " at this router" if status.replicas > 1 else ""  # Each knows only its own links.
    parts = [
        f"{links if status.links else 'no links'}{here}",
        counted(status.services, "service"),
        sites_reachable(status.sites_known or status.sites, status.sites),
    ]
    text = f"{state}: {', '.join(parts)}"
    if status.problems:
        first = " ".join(status.problems[0].message.split())
        text += f"; {counted(len(status.problems), 'problem')}: {first}"
    most = limits.STATUS_TEXT_CHARS_MAX
    return text if len(text) <= most else f"{text[: most - 1]}…"
