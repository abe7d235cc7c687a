"""Members of one token that open streams as fast as their links carry them, in a separate process.
Each stream is refused: no site has the service.

``python -m tests.hostile.drowning TOKEN COUNT`` says when ``COUNT`` members have joined, and ends
when its input does.
"""

import contextlib
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec

from tests.hostile import wire
from tests.hostile.member import Member
from tests.hostile.wire import Frame

ROOT = Path(__file__).resolve().parents[2]
AT_ONCE = 200
PING_EVERY_S = 0.5
SERVICE, PORT = "nothing", 80
_HEADER = struct.Struct(">II")


class Drowning(Member):
    """Once it has joined it looks at nothing that it is answered."""

    def __init__(self, token_file: Path, name: str) -> None:
        self._has_joined = False
        super().__init__(token_file, name)
        (router, _), head = self.neighbour, b"GET / HTTP/1.1\r\nHost: shop\r\n"
        fields = ([router], SERVICE, PORT, "http", self.site, 0, 0, 0, head, "", 0, "", "")
        payload = msgspec.msgpack.encode(fields)
        self._rest = payload
        self._word = (wire.OPEN | wire.END) << 24 | len(payload)
        self._has_joined = True

    def _received(self, data: bytes) -> list[Frame]:
        return [] if self._has_joined else super()._received(data)

    def ping(self) -> None:
        """Or the link is taken for dead."""
        self.send(Frame(wire.PING, 0, bytes(8)))

    def drown(self) -> None:
        """Until the router hangs up."""
        stream = 1
        with contextlib.suppress(OSError):
            while not self.closed.is_set():
                ids = range(stream, stream + 2 * AT_ONCE, 2)
                stream += 2 * AT_ONCE
                frames = (_HEADER.pack(self._word, number) + self._rest for number in ids)
                self.write(b"".join(frames))


@contextlib.contextmanager
def drowned(token: Path, count: int) -> Iterator[None]:
    """``count`` members flood meanwhile."""
    command = [sys.executable, "-m", "tests.hostile.drowning", str(token), str(count)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=ROOT) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "joined\n"
        process.stdin.write("go\n")
        process.stdin.flush()
        yield
        process.stdin.close()


def main(token: str, count: str) -> None:
    members: list[Drowning] = []
    has_begun = threading.Event()

    def ping() -> None:
        while not has_begun.wait(PING_EVERY_S):
            for member in tuple(members):  # Others join meanwhile.
                member.ping()

    threading.Thread(target=ping, daemon=True).start()
    members.extend(Drowning(Path(token), f"mallory-{number}") for number in range(int(count)))
    print("joined", flush=True)
    sys.stdin.readline()
    has_begun.set()
    for member in members:
        threading.Thread(target=member.drown, daemon=True).start()
    sys.stdin.read()


if __name__ == "__main__":
    main(*sys.argv[1:])
