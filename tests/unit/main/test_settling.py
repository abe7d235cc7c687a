"""What may leave memory after the start: only what comes back as it was."""

import subprocess
import sys
from pathlib import Path

from router.main.settling import SMAPS, Mapping, droppable, mappings

LIBRARY = "/usr/lib/libx.so.1"

SHOWN = """\
7f0000000000-7f0000001000 r--p 00000000 fe:00 123                        /usr/lib/libx.so.1
Size:                  4 kB
Rss:                   4 kB
Anonymous:             0 kB
VmFlags: rd mr mw me
7f0000001000-7f0000003000 r-xp 00001000 fe:00 123                        /usr/lib/libx.so.1
Anonymous:             0 kB
7f0000003000-7f0000004000 r--p 00003000 fe:00 123                        /usr/lib/libx.so.1
Anonymous:             4 kB
7f0000004000-7f0000005000 rw-p 00004000 fe:00 123                        /usr/lib/libx.so.1
Anonymous:             0 kB
7f0000006000-7f0000007000 r--p 00000000 fe:00 9                          /var/data of somebody
Anonymous:             0 kB
7f0000008000-7f0000009000 r-xp 00000000 00:00 0                          [vdso]
Anonymous:             0 kB
7f000000a000-7f000000b000 rw-p 00000000 00:00 0
Anonymous:             4 kB
"""


def test_files_are_found_with_what_was_written_to_them() -> None:
    assert list(mappings(SHOWN.splitlines(keepends=True))) == [
        Mapping(0x7F0000000000, 0x7F0000001000, "r--p", LIBRARY, 0),
        Mapping(0x7F0000001000, 0x7F0000003000, "r-xp", LIBRARY, 0),
        Mapping(0x7F0000003000, 0x7F0000004000, "r--p", LIBRARY, 4),
        Mapping(0x7F0000004000, 0x7F0000005000, "rw-p", LIBRARY, 0),
        Mapping(0x7F0000006000, 0x7F0000007000, "r--p", "/var/data of somebody", 0),
    ]


def test_only_what_no_one_wrote_to_or_may_is_let_go_and_only_of_libraries() -> None:
    let_go = droppable(mappings(SHOWN.splitlines(keepends=True)))
    assert [(one.start, one.flags) for one in let_go] == [
        (0x7F0000000000, "r--p"),
        (0x7F0000001000, "r-xp"),
    ]


def test_this_process_has_some_on_linux() -> None:
    if sys.platform != "linux":
        return
    with SMAPS.open(errors="replace") as lines:
        assert droppable(mappings(lines))


def test_a_process_lives_on_without_them_and_has_them_again_when_it_needs_them() -> None:
    told = """
import json, ssl, threading
from router.main.settling import unmap_untouched

stop = threading.Event()
def work():
    while not stop.is_set():
        json.loads(json.dumps({"a": [1] * 100}))
threads = [threading.Thread(target=work) for _ in range(2)]
for thread in threads: thread.start()
for _ in range(20):
    unmap_untouched()
    ssl.create_default_context()
stop.set()
for thread in threads: thread.join()
from hashlib import sha256
print(sha256(b"x").hexdigest()[:8])
"""
    root = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, cwd=root)
    assert (done.returncode, done.stdout, done.stderr) == (0, "2d711642\n", "")
