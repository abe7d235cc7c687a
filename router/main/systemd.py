"""Telling systemd how far we are, when it listens (sd_notify(3): one datagram)."""

import logging
import os
import socket

log = logging.getLogger("router.main")

NOTIFY_TIMEOUT_S = 1.0


def notify(state: str) -> None:
    """Send ``state`` (``READY=1``) to ``$NOTIFY_SOCKET``, if any. Not being heard ends nothing."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):  # The abstract name space.
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as door:
            door.settimeout(NOTIFY_TIMEOUT_S)
            door.sendto(state.encode(), address)
    except OSError as error:
        log.warning("systemd could not be told %s", state, extra={"cause": str(error)})
