"""The next step for a file that cannot be read or written: the disk is not always to blame."""

from typing import Final

RAISE_OPEN_FILES: Final = (
    "Raise the limit of open files: ulimit -n, or LimitNOFILE= of the unit; serving goes on"
)
RAISE_FILE_SIZE: Final = (
    "Raise the limit of a file's size: ulimit -f, or LimitFSIZE= of the unit; serving goes on"
)
_NO_DESCRIPTOR: Final = ("Too many open files", "Too many open files in system")
"""EMFILE and ENFILE, in the system's words."""
_TOO_LARGE: Final = "File too large"
"""EFBIG."""


def next_step(reason: str, otherwise: str) -> str:
    """``otherwise``, unless ``reason`` shows that a limit of the process is to blame."""
    if reason.endswith(_TOO_LARGE):
        return RAISE_FILE_SIZE
    return RAISE_OPEN_FILES if reason.endswith(_NO_DESCRIPTOR) else otherwise
