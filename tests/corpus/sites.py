"""Cases sent to routers: a raw client before them, behind them a target that keeps raw bytes."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterable, Sequence

from tests.corpus import strict
from tests.corpus.cases import RequestCase, ResponseCase, Sent
from tests.corpus.judge import without_added

OK_BODY = b"ok"
OK_HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
TIMEOUT_S = 10.0

Script = Callable[[socket.socket], None]


class RecordingTarget:
    """Reads requests strictly, saves each whole one, answers ``ok`` or by `script`.

    With ``at_head`` set it answers by that as soon as a head is there, and reads nothing more by
    itself; ``raw`` has the bytes that had come. ``violations`` lists bytes that no proxy may send.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self._listener = socket.create_server((address, 0), backlog=512)
        self.port = int(self._listener.getsockname()[1])
        self.script: Script | None = None
        self.at_head: Script | None = None
        self.raw = b""
        self.requests: list[Sent] = []
        self.violations: list[str] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self) -> None:
        """Accept no more."""
        self._listener.close()

    def forget(self) -> None:
        """Clear the record and go back to the default answers."""
        self.requests.clear()
        self.violations.clear()
        self.script = self.at_head = None
        self.raw = b""

    def _accept(self) -> None:
        while True:
            try:
                door, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(door,), daemon=True).start()

    def _serve(self, door: socket.socket) -> None:
        got = b""
        with door, contextlib.suppress(OSError):  # The client may break off.
            while data := door.recv(65_536):
                got += data
                if self.at_head is not None and b"\r\n\r\n" in got:
                    self.raw = got
                    self.at_head(door)
                    return
                try:
                    while (found := strict.read_request(got)) is not None:
                        message, length = found
                        got = got[length:]
                        if not self._answer(door, message):
                            return
                except strict.NotCanonicalError as error:
                    self.violations.append(f"{error} in {got[:2000]!r}")
                    return

    def _answer(self, door: socket.socket, message: strict.Message) -> bool:
        self.requests.append(Sent(without_added(message.head), message.body, message.trailers))
        if self.script is not None:
            self.script(door)
            return False
        door.sendall(OK_HEAD + (b"" if message.start.startswith(b"HEAD ") else OK_BODY))
        return True


def answering(pieces: Iterable[bytes]) -> Script:
    """Send these pieces, each by itself, then finish."""

    def script(door: socket.socket) -> None:
        door.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces:
            door.sendall(piece)
        door.shutdown(socket.SHUT_WR)
        while door.recv(65_536):
            pass

    return script


def _then(script: Script, over: threading.Event) -> Script:
    """``script``; ``over`` is set when its connection is."""

    def both(door: socket.socket) -> None:
        try:
            script(door)
        finally:
            over.set()

    return both


def exchange(address: str, port: int, pieces: Sequence[bytes]) -> tuple[bytes, bool]:
    """All that comes back to ``pieces`` and the end after them; True: then a reset.

    Its service serves clients that finish early: what the end says of a request is judged, too.
    """
    got = b""
    with socket.create_connection((address, port), TIMEOUT_S) as door:
        door.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for piece in pieces:
                door.sendall(piece)
        with contextlib.suppress(OSError):
            door.shutdown(socket.SHUT_WR)
        try:
            while data := door.recv(65_536):
                got += data
        except ConnectionResetError:
            return got, True
    return got, False


def responses_in(got: bytes, methods: Sequence[bytes]) -> list[strict.Message]:
    """The whole responses at the start of ``got``, 1xx included; all of it must be responses."""
    found: list[strict.Message] = []
    finals = 0
    while got:
        method = methods[finals] if finals < len(methods) else b"GET"
        read = strict.read_response(got, method, ended=True)
        strict.demand(read is not None, f"a response without end: {got[:200]!r}")
        assert read is not None
        message, length = read
        found.append(message)
        finals += status_of(message) >= 200
        got = got[length:]
    return found


def status_of(message: strict.Message) -> int:
    """Of a response."""
    return int(message.start[9:12])


def request_fault(
    case: RequestCase, pieces: Sequence[bytes], target: RecordingTarget, address: str, port: int
) -> str:
    """The fault in a site's handling of a client's bytes; empty: none."""
    target.forget()
    got, was_reset = exchange(address, port, pieces)
    if target.violations:
        return f"not canonical: {target.violations}"
    if tuple(target.requests) != case.reaches:
        return f"reached: {target.requests} and not {case.reaches}"
    if was_reset:
        return f"reset after {got!r}"
    try:
        answers = responses_in(got, [sent.head.split(b" ")[0] for sent in case.reaches])
    except strict.NotCanonicalError as error:
        return f"the answer is not canonical: {error} in {got!r}"
    statuses = [status_of(answer) for answer in answers]
    served = len(case.reaches)
    if statuses[:served] != [200] * served or len(statuses) != served + bool(case.statuses):
        return f"answered {statuses}"
    if case.statuses:
        last = answers[-1]
        if status_of(last) not in case.statuses or last.values(b"connection") != [b"close"]:
            return f"answered {last}"
    return ""


ASKED = {
    b"GET": b"POST / HTTP/1.1\r\nHost: shop\r\nContent-Length: 0\r\n",  # So that it is sent once.
    b"HEAD": b"HEAD / HTTP/1.1\r\nHost: shop\r\n",
}
UPGRADE = b"GET / HTTP/1.1\r\nHost: shop\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"


def response_fault(
    case: ResponseCase, pieces: Sequence[bytes], target: RecordingTarget, address: str, port: int
) -> str:
    """The fault in a site's handling of a target's bytes; empty: none."""
    target.forget()
    over = threading.Event()
    target.script = _then(answering(pieces), over)
    request = UPGRADE if case.upgrade else ASKED[case.method] + b"\r\n"
    got, was_reset = exchange(address, port, [request])
    if len(target.requests) != 1 and request is not UPGRADE:
        return f"the target was asked {len(target.requests)} times"
    if b"EVIL" in got:
        return f"passed on: {got!r}"
    fault = _answer_fault(case, got, was_reset)
    if fault:
        return fault
    target.script = None
    # What a target says behind its answer may cross the next request on its way: not so here.
    if not over.wait(TIMEOUT_S):
        return "the target's connection stays open"
    clean, _ = exchange(address, port, [b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n"])
    return "" if clean.endswith(b"\r\n\r\nok") else f"the next client got {clean!r}"


def _answer_fault(case: ResponseCase, got: bytes, was_reset: bool) -> str:
    method = b"GET" if case.method == b"GET" else case.method
    switched = bool(case.heads) and case.heads[-1].startswith(b"HTTP/1.1 101 ")
    if switched:
        head, _, rest = got.partition(b"\r\n\r\n")
        good = head.startswith(case.heads[-1][:-2]) and rest == case.body
        return "" if good else f"got {got!r}"
    whole = [head for head in case.heads if head[9:10] == b"1"]
    is_torn = len(whole) < len(case.heads) and not case.complete
    if is_torn:
        return "" if was_reset else f"torn, but got {got!r} and a clean end"
    if was_reset:
        return f"reset after {got!r}"
    try:
        answers = responses_in(got, [method])
    except strict.NotCanonicalError as error:
        return f"not canonical: {error} in {got!r}"
    if not case.complete:
        statuses = [status_of(answer) for answer in answers]
        wanted = [*(int(head[9:12]) for head in whole), 502]
        return "" if statuses == wanted else f"answered {statuses} and not {wanted}"
    heads = tuple(without_framing(answer) for answer in answers)
    if heads != case.heads:
        return f"heads {heads} and not {case.heads}"
    last = answers[-1]
    if (last.body, last.trailers) != (case.body, case.trailers):
        return f"body {last.body!r}, trailers {last.trailers!r}"
    return ""


def without_framing(message: strict.Message) -> bytes:
    """The head as the target may have said it."""
    ours = (b"content-length", b"transfer-encoding", b"connection", b"via")
    rows = message.head[:-2].split(b"\r\n")
    return b"".join(row + b"\r\n" for row in rows if row.partition(b":")[0].lower() not in ours)
