"""The web shop: takes an order from a customer and passes it to the counter.

python3 web.py HOST:PORT COUNTER_URL

GET / is the menu, POST /order with item=latte (a form) or {"item": "latte"} orders.
"""

import json
import sys
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MENU = ("espresso", "latte", "cappuccino", "tea", "croissant", "cakepop")


class Shop(ThreadingHTTPServer):
    """Knows the counter."""

    request_queue_size = 128
    daemon_threads = True

    def __init__(self, place: tuple[str, int], counter: str) -> None:
        super().__init__(place, Selling)
        self.counter = counter


class Selling(BaseHTTPRequestHandler):
    """One customer's connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Shop

    def do_GET(self) -> None:
        self.answer(200, json.dumps({"menu": MENU}).encode())

    def do_POST(self) -> None:
        said = self.rfile.read(int(self.headers["Content-Length"])).decode()
        if said.startswith("{"):
            item = json.loads(said).get("item", "")
        else:
            item = dict(urllib.parse.parse_qsl(said)).get("item", "")
        if item not in MENU:
            self.answer(400, json.dumps({"error": "not on the menu", "menu": MENU}).encode())
            return
        body = json.dumps({"item": item}).encode()
        request = urllib.request.Request(f"{self.server.counter}/orders", body)
        with urllib.request.urlopen(request, timeout=20) as answer:
            self.answer(answer.status, answer.read())

    def answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


def main() -> None:
    place, counter = sys.argv[1:]
    host, _, port = place.rpartition(":")
    Shop((host, int(port)), counter).serve_forever()


if __name__ == "__main__":
    main()
