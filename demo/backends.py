"""The demo's servers: an HTTP service that takes its time, and a TCP one for want of Redis.

`python -m demo.backends http SITE PORT…` serves one target per port, each on 127.0.0.1; every
answer says which site it is and how many requests that target had in hand.
`python -m demo.backends tcp SITE PORT` answers PING and GET like Redis (RESP, inline or array).
"""

import asyncio
import sys

from aiohttp import web

SERVICE_S = 0.1
LINE_BYTES_MAX = 1024


def http_target(site: str) -> web.Application:
    """One target: works `SERVICE_S` for each request, any number at once."""
    in_hand = 0

    async def serve(request: web.Request) -> web.Response:
        nonlocal in_hand
        in_hand += 1
        try:
            seen = in_hand
            await asyncio.sleep(SERVICE_S)
            return web.Response(
                text=f"hello from {site}\n",
                headers={"X-Served-By": site, "X-In-Hand": str(seen)},
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


async def serve(kind: str, site: str, ports: list[int]) -> None:
    """Serve until killed."""
    if kind == "tcp":

        async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await tcp_client(site, reader, writer)

        await asyncio.start_server(client, "127.0.0.1", ports[0], limit=LINE_BYTES_MAX)
    else:
        for port in ports:
            runner = web.AppRunner(http_target(site), access_log=None)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", port).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], sys.argv[2], [int(port) for port in sys.argv[3:]]))
