"""An HTTP/1 server that notices when the client leaves before the answer."""

import select
import socket
import threading
import time

from tests.scenario.harness import own_address

LOOK_S = 0.005
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n"


class NoticingTarget:
    """Answers once `release` was called; until then it waits for that, or for the other end."""

    def __init__(self) -> None:
        self.address = own_address()
        self._listener = socket.create_server((self.address, 0), backlog=128)
        self.port = int(self._listener.getsockname()[1])
        self._open = threading.Event()
        self._lock = threading.Lock()
        self.in_hand = self.asked = 0
        self.left_at: list[float] = []
        """By the monotonic clock, of each request whose client had left."""
        threading.Thread(target=self._accept, daemon=True).start()

    def hold(self) -> None:
        """Answer nothing until `release`."""
        self._open.clear()

    def release(self) -> None:
        self._open.set()

    def stop(self) -> None:
        self.release()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                door, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(door,), daemon=True).start()

    def _serve(self, door: socket.socket) -> None:
        with door:
            try:
                while self._request(door):
                    pass
            except OSError:
                return  # The client broke off.

    def _request(self, door: socket.socket) -> bool:
        """One request, of which the head is enough. False: the connection is over."""
        got = b""
        while b"\r\n\r\n" not in got:
            data = door.recv(65_536)
            if not data:
                return False
            got += data
        if got.startswith(b"GET /favicon.ico "):  # Browsers ask for it whenever they like.
            door.sendall(ANSWER)
            return True
        self._count(+1)
        try:
            while not self._open.wait(LOOK_S):
                if self._has_left(door):
                    self.left_at.append(time.monotonic())
                    return False
            door.sendall(ANSWER)
            return True
        finally:
            self._count(-1)

    def _has_left(self, door: socket.socket) -> bool:
        if not select.select([door], [], [], 0)[0]:
            return False
        try:
            return not door.recv(65_536)  # Else it is the rest of a body.
        except OSError:
            return True

    def _count(self, by: int) -> None:
        with self._lock:
            self.in_hand += by
            self.asked += by > 0
