"""The demo's servers: an HTTP service that takes its time, and a TCP one for want of Redis.

`python -m sitectl.demo.backends http SITE SECONDS PORT…` serves one target per port on 127.0.0.1
that takes so long for each request. Every answer says which site it is, how many requests that
target had in hand, and by how many seconds it is late: other programs keep this machine busy.
`python -m sitectl.demo.backends tcp SITE PORT` answers PING and GET like Redis (RESP, both forms).
"""

import asyncio
import sys
import time

from aiohttp import web

LINE_BYTES_MAX = 1024


def http_target(site: str, service_s: float) -> web.Application:
    """One target: works ``service_s`` for each request, any number at once."""
    in_hand = 0

    async def serve(request: web.Request) -> web.Response:
        nonlocal in_hand
        in_hand += 1
        try:
            seen = in_hand
            due = time.monotonic() + service_s
            await asyncio.sleep(service_s)
            late_s = time.monotonic() - due
            return web.Response(
                text=f"hello from {site}\n",
                headers={"X-Served-By": site, "X-In-Hand": str(seen), "X-Late": f"{late_s:.4f}"},
            )
        finally:
            in_hand -= 1

    app = web.Application()
    app.router.add_get("/", serve)
    return app


async def tcp_client(site: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Serve one connection until it ends."""
    answers = {b"PING": b"+PONG\r\n", b"GET": b"$%d\r\n%s\r\n" % (len(site), site.encode())}
    try:
        while line := await reader.readline():
            words = [line.strip()]
            if line.startswith(b"*"):
                words = []
                for _ in range(int(line[1:])):
                    await reader.readline()
                    words.append((await reader.readline()).strip())
            writer.write(answers.get(words[0].split()[0].upper(), b"-ERR unknown command\r\n"))
            await writer.drain()
    except (ConnectionError, ValueError, IndexError):
        return  # A client that breaks off or talks nonsense costs only its own connection.
    finally:
        writer.close()


async def serve(kind: str, site: str, *figures: str) -> None:
    """Serve until killed."""
    if kind == "tcp":
        (port,) = figures

        async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await tcp_client(site, reader, writer)

        await asyncio.start_server(client, "127.0.0.1", int(port), limit=LINE_BYTES_MAX)
    else:
        seconds, *ports = figures
        for port in ports:
            runner = web.AppRunner(http_target(site, float(seconds)), access_log=None)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", int(port)).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(*sys.argv[1:]))
