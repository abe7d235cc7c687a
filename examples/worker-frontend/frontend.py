"""A frontend: publishes a job for the workers with each request, and says who it is.

python3 frontend.py NAME HOST:PORT REDIS_HOST:PORT

GET / publishes to channel ``jobs``; the answer says how many workers heard it.
"""

import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from redis_lines import Redis


class Frontend(ThreadingHTTPServer):
    """One connection to Redis, one job at a time."""

    request_queue_size = 128
    daemon_threads = True

    def __init__(self, name: str, place: tuple[str, int], redis: Redis) -> None:
        super().__init__(place, Publishing)
        self.name = name
        self._redis = redis
        self._lock = threading.Lock()

    def publish(self) -> int:
        """How many workers heard of it."""
        with self._lock:
            heard = self._redis.ask("PUBLISH", "jobs", f"from {self.name}")
        assert isinstance(heard, int)
        return heard


class Publishing(BaseHTTPRequestHandler):
    """One client's connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Frontend

    def do_GET(self) -> None:
        body = f"{self.server.name}: {self.server.publish()} workers\n".encode()
        self.send_response(200)
        self.send_header("X-Served-By", self.server.name)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


def main() -> None:
    name, place, redis = sys.argv[1:]
    host, _, port = place.rpartition(":")
    redis_host, _, redis_port = redis.rpartition(":")
    server = Frontend(name, (host, int(port)), Redis(redis_host, int(redis_port)))
    print(f"{name} serves", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
