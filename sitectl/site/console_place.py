"""Where browsers find the console of a site on a host, and who logs in there, by its document."""

import socket
from pathlib import Path
from typing import Final

from router.documents.addresses import is_loopback
from router.model.addresses import join
from router.model.specs import EVERY_HOST, ConsoleSpec

USERS: Final = "console-users"
"""Below ``secrets``: each file is a user, its content the password."""


def console_place(secrets: Path, spec: ConsoleSpec | None) -> dict[str, str]:
    """``console`` of `status`, as far as the document has it."""
    if spec is None:
        return {"url": "", "auth": "", "secret": ""}
    scheme = "http" if is_loopback(spec.bind) and not spec.tls_cert else "https"
    host, _, port = spec.bind.rpartition(":")
    bare = host.strip("[]")
    shown = spec.hosts[0] if spec.hosts and spec.hosts[0] != EVERY_HOST else bare
    if shown in ("0.0.0.0", "::"):
        shown = socket.gethostname()
    secret = str(secrets / USERS) if spec.auth == "internal" else ""
    return {"url": f"{scheme}://{join(shown, int(port))}/", "auth": spec.auth, "secret": secret}
