"""A command of a shell that is forked, and all of ours that it starts.

``python -I -S FILE ADDRESS WORDS…`` is `python WORDS…`, forked from the server that listens at
``ADDRESS`` (`tests.scenario.forking`). Where it starts, Python imports only what asks for that.
"""

import os
import socket
import sys
from pathlib import Path

if __name__ == "__main__":
    address, *words = sys.argv[1:]
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    from tests.scenario.fork_requests import ask

    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as server:
        server.connect(f"\0{address}")
        command = ask(server, words, (0, 1, 2), Path.cwd(), os.environ, forks=True)
    code = command.wait(None)
    assert code is not None
    sys.exit(code if code >= 0 else 128 - code)  # As a shell has it of a signal.
