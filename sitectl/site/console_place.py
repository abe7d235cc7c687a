"""Where browsers find the console of a site on a host, and who logs in there, by its document."""

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Final

from router.documents.addresses import is_loopback
from router.model.addresses import join, split
from router.model.specs import EVERY_HOST, ConsoleSpec

USERS: Final = "console-users"
"""Below ``secrets``: each file is a user, its content the password."""
EVERYWHERE: Final = ("", "0.0.0.0", "::")
Outside = Callable[[int], tuple[str, int] | None]


def as_it_is(port: int) -> tuple[str, int] | None:
    """On the host's network."""
    return None


def console_place(
    secrets: Path, spec: ConsoleSpec | None, outside: Outside = as_it_is
) -> dict[str, str]:
    """``console`` of `status`, as far as the document has it. ``outside``: where a port of the
    router's container is published.
    """
    if spec is None:
        return {"url": "", "auth": "", "secret": ""}
    scheme = "http" if is_loopback(spec.bind) and not spec.tls_cert else "https"
    host, port = split(spec.bind)
    published = outside(port) if host in EVERYWHERE else None
    if published is not None:
        host, port = published
        # The router does not know the host's name, and refuses it; an address it takes.
        host = "127.0.0.1" if host in EVERYWHERE else host
    shown = spec.hosts[0] if spec.hosts and spec.hosts[0] != EVERY_HOST else host
    if shown in EVERYWHERE:
        shown = socket.gethostname()
    secret = str(secrets / USERS) if spec.auth == "internal" else ""
    return {"url": f"{scheme}://{join(shown, port)}/", "auth": spec.auth, "secret": secret}
