"""HTTP/1.1 of the operator's door: what its API needs of a server, and nothing else.

In: connections that `router.admin.server` accepts. Out: `Request`s to the handlers of `Routes`,
their `Response` or `StreamResponse` back. No TLS, no cookies, no forms, no files: the console has
these, and `aiohttp` for them, which is imported only where a console is served: it would be 12 MiB
of every router, and a third of its start.

Heads are parsed by llhttp (`httptools`); bounds are in `limits` (``ADMIN_…``).
"""

from router.admin.http.messages import Exchange, Refused, Request, Response, StreamResponse
from router.admin.http.routes import Handler, Routes

__all__ = ["Exchange", "Handler", "Refused", "Request", "Response", "Routes", "StreamResponse"]
