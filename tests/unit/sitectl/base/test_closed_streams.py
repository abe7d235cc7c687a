"""A caller may have closed standard input, output or error: a job of a daemon, a script."""

import subprocess
import sys
from pathlib import Path

import pytest

_SAYS_WHAT_IS_OPEN = """
import subprocess, sys
from sitectl import main

# Of a program that the command starts: what the command has is inherited.
PLACES = "import os, sys; open(sys.argv[1], 'w').write(' '.join("
PLACES += "os.readlink(f'/proc/self/fd/{number}') for number in range(3)))"

def cli(prog_name):
    print("to a closed stream", file=sys.stdout)
    subprocess.run([sys.executable, "-c", PLACES, sys.argv[1]], check=True)

main.cli = cli
main.main()
"""


@pytest.mark.parametrize(
    ("ends", "closed"), [("<&-", [0]), (">&-", [1]), ("2>&-", [2]), ("<&- >&- 2>&-", [0, 1, 2])]
)
def test_a_closed_stream_leads_to_no_file_of_ours(
    tmp_path: Path, ends: str, closed: list[int]
) -> None:
    found = tmp_path / "found"
    words = ["sh", "-c", f'"$0" -c "$1" "$2" {ends}', sys.executable, _SAYS_WHAT_IS_OPEN]
    done = subprocess.run(
        [*words, str(found)], input=b"", capture_output=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    places = found.read_text().split(" ")
    assert [number for number in range(3) if places[number] == "/dev/null"] == closed
