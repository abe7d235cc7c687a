"""A receiver of burst webhooks: checks the signature, drops repeats, prints what it was told.

python receiver.py SECRET-FILE [PORT]
"""

import hashlib
import hmac
import json
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

SECRET = Path(sys.argv[1]).read_bytes().strip()
OLD_S = 300
seen: set[str] = set()


def is_genuine(header: str, body: bytes) -> bool:
    """Whether ``body`` was signed with our secret, and lately."""
    parts = dict(part.split("=", 1) for part in header.split(",") if "=" in part)
    stamp = parts.get("t", "")
    wanted = hmac.new(SECRET, stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(wanted, parts.get("v1", "")):
        return False
    return abs(time.time() - int(stamp)) < OLD_S


class Handler(BaseHTTPRequestHandler):
    """POST anywhere."""

    def do_POST(self) -> None:
        body = self.rfile.read(min(int(self.headers.get("Content-Length", 0)), 65_536))
        genuine = is_genuine(self.headers.get("Spillway-Signature", ""), body)
        if genuine:
            told = json.loads(body)
            if told["id"] not in seen:  # A try whose answer was lost comes again with the same id.
                seen.add(told["id"])
                print(told["event"], told["service"], "demand", told["demand"], flush=True)
        self.send_response(204 if genuine else 403)
        self.end_headers()


if __name__ == "__main__":
    port = int(sys.argv[2]) if len(sys.argv) > 2 else 8099
    HTTPServer(("127.0.0.1", port), Handler).serve_forever()
