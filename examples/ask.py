"""Clients that ask and count who answered.

python3 ask.py HOST:PORT --requests 1000 --clients 10    each asks again when it is answered
python3 ask.py HOST:PORT --rate 15 --seconds 20          at a rate, however long answers take

Each client keeps its connection. Prints a line for each who answered, and for what went wrong.
"""

import argparse
import asyncio
import time
from collections import Counter

TIMEOUT_S = 20.0
Door = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def ask(door: Door, host: str) -> tuple[str, bool]:
    """Who answered (or the status), and whether the connection may be used again."""
    reader, writer = door
    writer.write(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    status, *lines = head.rstrip().split("\r\n")
    fields = dict(line.split(": ", 1) for line in lines)
    await reader.readexactly(int(fields.get("content-length", "0")))
    answered = fields.get("x-served-by", "") if " 200 " in status else status.split(" ", 1)[1]
    return answered, fields.get("connection") != "close"


class Clients:
    """They share the connections that are free."""

    def __init__(self, place: str) -> None:
        self.host, _, port = place.rpartition(":")
        self.port = int(port)
        self.answered: Counter[str] = Counter()
        self.free: list[Door] = []

    async def once(self) -> None:
        """One request."""
        door: Door | None = None
        try:
            async with asyncio.timeout(TIMEOUT_S):
                door = self.free.pop() if self.free else await self.enter()
                who, stays = await ask(door, self.host)
                if stays:
                    self.free.append(door)
                    door = None
        except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
            who = f"lost: {type(error).__name__}"
        self.answered[who] += 1
        if door is not None:
            door[1].close()

    async def enter(self) -> Door:
        """A new connection."""
        return await asyncio.open_connection(self.host, self.port)

    async def closed_loop(self, requests: int, clients: int) -> None:
        """So many requests by so many clients."""
        left = requests

        async def client() -> None:
            nonlocal left
            while left:
                left -= 1
                await self.once()

        async with asyncio.TaskGroup() as tasks:
            for _ in range(clients):
                tasks.create_task(client())

    async def open_loop(self, rate: float, seconds: float) -> None:
        """So many requests a second."""
        due = time.monotonic()
        async with asyncio.TaskGroup() as tasks:
            for _ in range(round(rate * seconds)):
                await asyncio.sleep(due - time.monotonic())
                tasks.create_task(self.once())
                due += 1 / rate


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("place", metavar="HOST:PORT")
    words.add_argument("--requests", type=int, default=100)
    words.add_argument("--clients", type=int, default=1)
    words.add_argument("--rate", type=float)
    words.add_argument("--seconds", type=float, default=10.0)
    given = words.parse_args()
    clients = Clients(given.place)
    if given.rate:
        asyncio.run(clients.open_loop(given.rate, given.seconds))
    else:
        asyncio.run(clients.closed_loop(given.requests, given.clients))
    total = clients.answered.total()
    for who, count in sorted(clients.answered.items()):
        print(f"{who:20} {count:6} {count / total:6.1%}")


if __name__ == "__main__":
    main()
