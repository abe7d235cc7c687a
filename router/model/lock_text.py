"""The contents of a site's ``run/lock``: which process holds it, and which file it was written in.

A copied site folder carries the text along. The inode distinguishes the copy from the original.
"""

LOCK_TEXT_BYTES_MAX = 4096


def lock_text(process_id: int, inode: int) -> str:
    """The text of a lock, a file with ``inode``, that the process ``process_id`` holds."""
    return f"{process_id} inode={inode}\n"


def process_in(text: str) -> int | None:
    """The process id in the ``text`` of a lock; None: it holds none."""
    number = text.split(maxsplit=1)[:1]
    return int(number[0]) if number and number[0].isdecimal() else None


def process_that_died(text: str, inode: int) -> int | None:
    """The process that left ``text`` in a lock, a file with ``inode``, and did not stop in order.

    None: the last one stopped, or the file is a copy of a lock: its router may well run elsewhere.
    """
    written_in = text.split()[1:]  # Older versions wrote only the process id.
    return None if written_in not in ([], [f"inode={inode}"]) else process_in(text)
