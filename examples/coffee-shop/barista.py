"""Baristas: each port is one that brews what it is asked for and says its name. Kitchens too.

python3 barista.py SITE HOST:PORT…   (BREW_S=0.2: seconds for one drink)

POST / with an order as JSON; the answer is the order with "barista" and "at_once": how many drinks
that barista had in hand. GET / gives the most it ever had, and how many it has brewed.
"""

import json
import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BREW_S = float(os.environ.get("BREW_S", "0.2"))


class Barista(ThreadingHTTPServer):
    """One replica."""

    request_queue_size = 128
    daemon_threads = True

    def __init__(self, name: str, place: tuple[str, int]) -> None:
        super().__init__(place, Brewing)
        self.name = name
        self.lock = threading.Lock()
        self.in_hand = self.in_hand_max = self.brewed = 0


class Brewing(BaseHTTPRequestHandler):
    """One connection to a barista."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Barista

    def do_POST(self) -> None:
        order = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        barista = self.server
        with barista.lock:
            barista.in_hand += 1
            barista.in_hand_max = max(barista.in_hand_max, barista.in_hand)
            at_once = barista.in_hand
        time.sleep(BREW_S)
        with barista.lock:
            barista.in_hand -= 1
            barista.brewed += 1
        self.answer({**order, "barista": barista.name, "at_once": at_once})

    def do_GET(self) -> None:
        barista = self.server
        self.answer(
            {"barista": barista.name, "at_most": barista.in_hand_max, "brewed": barista.brewed}
        )

    def answer(self, item: object) -> None:
        body = json.dumps(item).encode() + b"\n"
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet: the broker tells who brewed what."""


def main() -> None:
    site, *places = sys.argv[1:]
    threads = []
    for number, place in enumerate(places, 1):
        host, _, port = place.rpartition(":")
        barista = Barista(f"{site}-{number}", (host, int(port)))
        threads.append(threading.Thread(target=barista.serve_forever))
        threads[-1].start()
    for thread in threads:  # Python 3.12 starts no thread, so no answer, once this one has ended.
        thread.join()


if __name__ == "__main__":
    main()
