"""The counter: writes each order into PostgreSQL and hands it to the broker.

python3 counter.py HOST:PORT BROKER_URL USER@POSTGRES_HOST:PORT

POST /orders {"item": "latte"}: 202 with its number, as soon as it is written and handed on.
POST /brewed (from the broker): who brewed it. GET /orders: all there are.
"""

import json
import sys
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from postgres import Database, quoted

TABLE = """create table if not exists orders
 (id serial primary key, item text not null, barista text, at_once int)"""


class Counter(ThreadingHTTPServer):
    """Keeps one session of the database; one query at a time."""

    request_queue_size = 128
    daemon_threads = True

    def __init__(self, place: tuple[str, int], broker: str, database: Database) -> None:
        super().__init__(place, Serving)
        self.broker = broker
        self._database = database
        self._lock = threading.Lock()
        self.query(TABLE)

    def query(self, text: str) -> list[tuple[str, ...]]:
        with self._lock:
            return self._database.query(text)


class Serving(BaseHTTPRequestHandler):
    """One connection to the counter."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Counter

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/brewed":
            self.server.query(
                f"update orders set barista = {quoted(asked['barista'])},"
                f" at_once = {int(asked['at_once'])} where id = {int(asked['id'])}"
            )
            self.answer(200, asked)
            return
        insert = f"insert into orders (item) values ({quoted(asked['item'])}) returning id"
        order = {"id": int(self.server.query(insert)[0][0]), "item": asked["item"]}
        request = urllib.request.Request(self.server.broker, json.dumps(order).encode())
        with urllib.request.urlopen(request, timeout=20) as answer:
            answer.read()
        self.answer(202, order)

    def do_GET(self) -> None:
        rows = self.server.query("select id, item, coalesce(barista, '') from orders order by id")
        self.answer(200, [{"id": int(row[0]), "item": row[1], "barista": row[2]} for row in rows])

    def answer(self, status: int, item: object) -> None:
        body = json.dumps(item).encode() + b"\n"
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet: the database has it all."""


def main() -> None:
    place, broker, database = sys.argv[1:]
    host, _, port = place.rpartition(":")
    user, _, server = database.rpartition("@")
    db_host, _, db_port = server.rpartition(":")
    Counter((host, int(port)), broker, Database(db_host, int(db_port), user)).serve_forever()


if __name__ == "__main__":
    main()
