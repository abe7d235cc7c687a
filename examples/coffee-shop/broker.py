"""The broker: a queue of orders, worked off by CONSUMERS at once; so concurrency comes from here.

python3 broker.py HOST:PORT BARISTA_URL KITCHEN_URL COUNTER_URL [CONSUMERS]

Drinks are the barista service's, food is the kitchen's.

POST / puts an order into the queue, 202 at once. GET / says how many wait and how many failed.
"""

import http.client
import json
import queue
import sys
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TRIES = 5
FOOD = ("croissant", "cakepop")


class Broker(ThreadingHTTPServer):
    """The queue."""

    request_queue_size = 128
    daemon_threads = True

    def __init__(
        self, place: tuple[str, int], barista: str, kitchen: str, counter: str, consumers: int
    ) -> None:
        super().__init__(place, Taking)
        self.orders: queue.Queue[bytes] = queue.Queue()
        self.failed: list[str] = []
        for _ in range(consumers):
            words = map(urllib.parse.urlsplit, (barista, kitchen, counter))
            threading.Thread(target=self._consume, args=tuple(words), daemon=True).start()

    def _consume(
        self,
        barista: urllib.parse.SplitResult,
        kitchen: urllib.parse.SplitResult,
        counter: urllib.parse.SplitResult,
    ) -> None:
        while True:
            order = self.orders.get()
            try:
                maker = kitchen if json.loads(order)["item"] in FOOD else barista
                post(counter, "/brewed", post(maker, "/", order))
            except (OSError, http.client.HTTPException, RuntimeError) as error:
                self.failed.append(f"{order.decode()}: {type(error).__name__} {error}")
            self.orders.task_done()


def post(where: urllib.parse.SplitResult, path: str, body: bytes) -> bytes:
    """What is answered with 200. A 503 says that nothing was done: asked again."""
    assert where.hostname is not None
    for _ in range(TRIES):
        door = http.client.HTTPConnection(where.hostname, where.port, timeout=20)
        try:
            door.request("POST", path, body, {"Content-Type": "application/json"})
            answer = door.getresponse()
            said = answer.read()
        finally:
            door.close()
        if answer.status != 503:
            break
    if answer.status != 200:
        raise RuntimeError(f"{where.geturl()} says {answer.status}: {said.decode()}")
    return said


class Taking(BaseHTTPRequestHandler):
    """One connection to the broker."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Broker

    def do_POST(self) -> None:
        self.server.orders.put(self.rfile.read(int(self.headers["Content-Length"])))
        self.answer(202, {"waiting": self.server.orders.qsize()})

    def do_GET(self) -> None:
        left = self.server.orders.unfinished_tasks
        self.answer(200, {"unfinished": left, "failed": self.server.failed})

    def answer(self, status: int, item: object) -> None:
        body = json.dumps(item).encode() + b"\n"
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


def main() -> None:
    place, barista, kitchen, counter, *consumers = sys.argv[1:]
    host, _, port = place.rpartition(":")
    many = int(consumers[0]) if consumers else 8
    Broker((host, int(port)), barista, kitchen, counter, many).serve_forever()


if __name__ == "__main__":
    main()
