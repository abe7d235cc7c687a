"""Whether a router of a site runs on this machine, by its lock, with or without its socket."""

import fcntl
import os
from pathlib import Path

from certs.errors import CertError

_PROGRAM = b"router.process.main"


def is_locked(run: Path) -> bool:
    """Whether a process holds ``run/lock``, as a router does from its first step to its last, or
    runs for this site although that file was removed or cannot be opened."""
    from certs.files import open_file  # It loads msgspec, and `sitectl health` needs none.

    try:
        descriptor = open_file(run / "lock")
    except (OSError, CertError):
        return process_of(run.parent) is not None
    try:
        # Shared with other commands that check at the same time; a router shares it with none.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def process_of(directory: Path) -> int | None:
    """The router of the site in ``directory``, by its command line; None: there is none, or it runs
    in a container. Processes of other users do not count: any user may choose such a line."""
    place = [b"--site-dir", os.fsencode(directory)]
    for name in filter(str.isdecimal, os.listdir("/proc")):
        try:  # Without `Path`: every command for a stopped site looks at all processes.
            with open(f"/proc/{name}/cmdline", "rb", buffering=0) as file:
                line = file.read()
        except OSError:  # It ended since it was listed.
            continue
        words = line.split(b"\0") if _PROGRAM in line else []
        is_router = place in [words[at : at + 2] for at in range(len(words))]
        if _PROGRAM in words and is_router and is_of_owner(int(name), directory):
            return int(name)
    return None


def is_of_owner(process_id: int, directory: Path) -> bool:
    """Whether the process belongs to the user of the site in ``directory``."""
    try:
        lines = Path(f"/proc/{process_id}/status").read_text("utf-8", "replace").splitlines()
        owner = directory.stat().st_uid
    except OSError:
        return False
    return [line.split()[1:] for line in lines if line.startswith("Uid:")] == [[str(owner)] * 4]
