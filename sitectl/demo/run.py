"""The story: make three sites, join them, offer a burst, watch it, judge it."""

import asyncio
import os
import shutil
import signal
import tempfile
import time
from pathlib import Path

from sitectl.demo.judge import late_share, rows, verdicts
from sitectl.demo.load import Held, Phase, RequestOutcome, connections, requests
from sitectl.demo.show import DemoPicture
from sitectl.demo.sites import DemoError, DemoNetwork, DemoSite, free_ports

FEW_CORES = 2
# With few of them half the rate, and targets that take twice as long: the same slots are filled.
SLOWER = 2 if len(os.sched_getaffinity(0)) <= FEW_CORES else 1
SERVICE_S = 0.1 * SLOWER
PHASES = [
    Phase("calm", 6, 50 / SLOWER, 2),
    Phase("burst", 18, 250 / SLOWER, 10),
    Phase("after", 8, 50 / SLOWER, 2),
]
BURST = "burst"


def run(*, hold: bool) -> int:
    """Run it; 0 when no promise was broken, see `judge`. ``hold``: look around until Ctrl-C."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # As Ctrl-C: stop all processes.
    state = Path(tempfile.mkdtemp(prefix="spillway-demo-"))
    network = DemoNetwork(state)
    try:
        return _story(network, hold)
    except DemoError as error:
        print(f"\nThe demo could not go on: {error}")
        for log in sorted(state.glob("*/run/router.log")):
            print(f"--- {log}\n{log.read_text()[-2000:]}")
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        network.end()
        shutil.rmtree(state)


def _story(network: DemoNetwork, hold: bool) -> int:
    ports = free_ports(14)
    sites = [
        DemoSite("onprem", "127.0.8.1", ports[0], (ports[1], ports[2]), ports[3], 5, 4),
        DemoSite("near", "127.0.8.2", ports[4], (ports[5], ports[6]), ports[7], 5, 4),
        # Larger than the burst needs: a busy machine serves slower, and nothing may be lost then.
        DemoSite("far", "127.0.8.3", ports[8], (ports[9], ports[10]), ports[11], 15, 4),
    ]
    shop, cache = ports[12], ports[13]
    onprem, near, far = sites
    print(
        "Three sites on this machine, each with its own router, certificate authority and targets."
    )
    tcp_server = ""
    for site in sites:
        words = [str(port) for port in site.http_ports]
        network.serve("http", site.name, str(SERVICE_S), *words, wait_for=site.http_ports)
        tcp_server = network.serve_tcp(site)
        network.start(site, console=site is onprem and hold)
    print(f"Joined with one-time claim tokens (the TCP service is {tcp_server}):")
    network.link(onprem, near, cost=5)
    network.link(far, near, cost=15)
    network.sitectl(
        "onprem", "service", "create", "shop", str(shop), "--protocol", "http", quiet=False
    )
    network.sitectl("onprem", "service", "create", "cache", str(cache), quiet=False)
    for site in sites:
        for port in site.http_ports:
            network.sitectl(
                *(site.name, "service", "bind", "shop", "host", "127.0.0.1"),
                *("--target-port", str(port), "--capacity", str(site.capacity)),
                quiet=site is not onprem,
            )
        network.sitectl(
            *(site.name, "service", "bind", "cache", "host", "127.0.0.1"),
            *("--target-port", str(site.tcp_port), "--capacity", str(site.connections)),
            quiet=site is not onprem,
        )
    print("  … and the same at near and far.")
    network.wait_ready("onprem", "shop", 3, 6)
    network.wait_ready("onprem", "cache", 3, 3)
    names = [site.name for site in sites]
    slots = {site.name: site.capacity * len(site.http_ports) for site in sites}
    picture = DemoPicture(names, {name: count / SERVICE_S for name, count in slots.items()})
    served, held = asyncio.run(_offer(picture, onprem.address, shop, cache))
    picture.table(rows(served, held, names))
    outcome = verdicts(
        served, held, names, slots, {site.name: site.connections for site in sites}, BURST
    )
    picture.verdicts(outcome, late_share(served))
    if hold:
        _hold(network)
    return 1 if any(verdict.is_broken for verdict in outcome) else 0


async def _offer(
    picture: DemoPicture, address: str, shop: int, cache: int
) -> tuple[list[RequestOutcome], list[Held]]:
    served: list[RequestOutcome] = []
    held: list[Held] = []
    full = max(phase.rate for phase in PHASES)
    with picture:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(requests(f"http://{address}:{shop}/", PHASES, served.append))
            tasks.create_task(connections(address, cache, PHASES, held.append))
            tasks.create_task(_watch(picture, served, full))
    return served, held


async def _watch(picture: DemoPicture, served: list[RequestOutcome], full: float) -> None:
    ends, number, shown = 0.0, 0, 0
    for phase in PHASES:
        ends += phase.seconds
        while number < ends:
            await asyncio.sleep(1)
            number += 1
            picture.second(phase.name, number, served[shown:], full)
            shown = len(served)


def _hold(network: DemoNetwork) -> None:
    print(f"\nHeld up. Look around, then press Ctrl-C:\n  export SITECTL_STATE={network.state}")
    print(f"  console: {network.json('onprem', 'status')['item']['console']['url']}")
    for words in ("top", "network status", "service status", "why shop", "events -f"):
        print(f"  sitectl --site onprem {words}")
    print(f"  curl --unix-socket {network.state}/onprem/run/admin.sock http://site/metrics")
    while True:
        time.sleep(60)
