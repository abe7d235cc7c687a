"""HTTP servers for trying things out: each port is a target that says who it is.

python3 server.py NAME HOST:PORT…   (WORK_S=0.1: seconds for one request)
"""

import asyncio
import os
import sys

WORK_S = float(os.environ.get("WORK_S", "0.1"))


async def client(name: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Serve one connection until it ends: any request without a body."""
    body = f"{name}\n".encode()
    answer = b"HTTP/1.1 200 OK\r\nX-Served-By: %b\r\nContent-Length: %d\r\n\r\n%b"
    try:
        while True:
            await reader.readuntil(b"\r\n\r\n")
            if WORK_S:
                await asyncio.sleep(WORK_S)
            writer.write(answer % (name.encode(), len(body), body))
    except (asyncio.IncompleteReadError, ConnectionError):
        return  # The other end is through with us.
    finally:
        writer.close()


async def serve(name: str, places: list[str]) -> None:
    """Serve until killed."""
    for number, place in enumerate(places, 1):
        mine = f"{name}-{number}" if len(places) > 1 else name
        host, _, port = place.rpartition(":")

        async def one(
            reader: asyncio.StreamReader, writer: asyncio.StreamWriter, mine: str = mine
        ) -> None:
            await client(mine, reader, writer)

        await asyncio.start_server(one, host, int(port), backlog=1024)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], sys.argv[2:]))
