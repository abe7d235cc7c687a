"""Refusals of the operating system as text, with the next step."""

import errno
from shlex import quote
from typing import Final

_DISK_STEPS: Final = {
    errno.ENOSPC: "Free space or inodes {there} (df -h, df -i), and type the same again",
    errno.EDQUOT: "Free space within your quota (quota -s), and type the same again",
    errno.EROFS: "Mount it for writing, and type the same again",
    errno.EIO: "The disk fails: dmesg; restore a backup on another one",
}


def text_of(error: Exception) -> str:
    """The reason in the system's words, with the file or directory, if the system named one."""
    if isinstance(error, OSError) and error.filename and error.strerror:
        return f"{error.filename}: {error.strerror}"
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return str(error)


def step_after(error: OSError) -> str:
    """The next command, or a place to check; empty if the system named no place."""
    place = str(error.filename) if error.filename else ""
    if error.errno == errno.EACCES and not place:  # A port below 1024, which no user owns.
        return ""
    if isinstance(error, PermissionError):
        mode = (
            f". If you are that user, see which mode is why: namei -l {quote(place)}"
            if place
            else ""
        )
        return f"Run as the user that owns it{mode}"
    step = _DISK_STEPS.get(error.errno or 0, "")
    if not step and place:
        return f"See what is there: ls -ld {quote(place.rpartition('/')[0] or '.')}"
    return step.format(there="there" if place else "where this writes to")
