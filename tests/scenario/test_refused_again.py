"""Real TCP clients that are refused and connect again are as much demand as they are clients."""

import contextlib
import socket
import threading
from pathlib import Path

from tests.scenario.harness import SHOP_PORT, Network
from tests.scenario.waiting import until

SLOTS, REFUSED = 2, 3
PAUSE_S = 0.1


def _again_and_again(address: str, source: str, over: threading.Event) -> None:
    while not over.wait(PAUSE_S):
        with (
            contextlib.suppress(OSError),
            socket.create_connection((address, SHOP_PORT), 5.0, source_address=(source, 0)) as one,
        ):
            one.recv(1)


def test_clients_that_are_refused_again_and_again_are_demand_once(tmp_path: Path) -> None:
    with Network(tmp_path) as net, contextlib.ExitStack() as open_until_end:
        site = net.site("west")
        site.declare("db", protocol="tcp", queue=0)
        site.connect("db", net.tcp("west"), capacity=SLOTS)
        net.start()
        net.ready("db", {"west": 1})
        for _ in range(SLOTS):
            held = socket.create_connection((site.address, SHOP_PORT), 5.0)
            open_until_end.enter_context(held)
        until(lambda: site.get("services/db/scale")["in_flight"] == SLOTS, "all slots are taken")
        over = threading.Event()
        threads = [
            threading.Thread(target=_again_and_again, args=(site.address, f"127.0.77.{n}", over))
            for n in range(1, REFUSED + 1)
        ]
        for one in threads:
            one.start()
        try:
            most = 0

            def refused_often() -> bool:
                nonlocal most
                scale = site.get("services/db/scale")
                most = max(most, scale["demand"])
                refusals = site.service("db")["requests_total"]
                return bool(refusals > 20 * REFUSED and scale["demand"] == SLOTS + REFUSED)

            until(refused_often, "each client was refused many times", 30.0)
            assert most == SLOTS + REFUSED
        finally:
            over.set()
            for one in threads:
                one.join()
        until(lambda: site.get("services/db/scale")["demand"] == SLOTS, "they are gone")
