"""Output on pages of commands that read a router: the router is played, its figures are made up.

Part of `tests.shown`, which writes it again. A block is fenced, and begins with ``$ sitectl``.
"""

import re
import tempfile
import time
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from sitectl.main import cli
from tests.unit.sitectl.fakes import FakeAdmin

PAGE = Path(__file__).resolve().parent.parent / "docs" / "sitectl.md"
_BLOCK = re.compile(r"(```\n\$ sitectl ([^\n]*)\n)(.*?)(```\n)", re.S)
_STATUS: dict[str, Any] = {
    "name": "onprem",
    "id": "5b9f2c80d1e64a7399b0f3a1c2d4e5f6",
    "mode": "interior",
    "version": "0.1.0",
    "ready": True,
    "uptime_s": 7_530.0,
    "links": 1,
    "services": 2,
    "sites": 2,
    "problems": [],
    "console": {"url": "", "auth": "", "secret": ""},
}


def _site(name: str, cost: int, capacity: int | None, in_flight: int) -> dict[str, Any]:
    return {
        "site": name,
        "id": name,
        "local": not cost,
        "path_cost": cost,
        "targets_ready": 1,
        "capacity": capacity,
        "in_flight": in_flight,
        "draining": False,
        "age_s": 0.2,
    }


def _service(name: str, port: int, protocol: str, *sites: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "port": port,
        "protocol": protocol,
        "policy": "fill",
        "queued": 0,
        "demand": sum(site["in_flight"] for site in sites),
        "requests_total": 48_210 if protocol == "http" else 312,
        "overflow_total": 9_044 if protocol == "http" else 0,
        "spilled_total": 9_044 if protocol == "http" else 0,
        "listener": {"host": "127.0.0.11", "port": port, "state": "bound", "error": ""},
        "sites": list(sites),
        "targets": [],
    }


_SERVICES = [
    _service("shop", 8080, "http", _site("onprem", 0, 10, 10), _site("cloud", 5, 40, 4)),
    _service("db", 5432, "tcp", _site("onprem", 0, None, 7)),
]
_NETWORK = [
    {
        "name": name,
        "id": name.encode().hex().ljust(32, "0"),
        "path_cost": cost,
        "next_hops": ["cloud"] if cost else [],
        "neighbours": [{"site": other, "cost": 5}],
        "services": ["shop"] if cost else ["shop", "db"],
        "reachable": True,
        "version": "0.1.0",
    }
    for name, cost, other in (("onprem", 0, "cloud"), ("cloud", 5, "onprem"))
]


def _now(service: str, port: int, per_s: float, to: dict[str, float]) -> dict[str, Any]:
    return {
        "service": service,
        "port": port,
        "requests_per_s": per_s,
        "overflow_per_s": sum(to.values()),
        "failed_per_s": 0.0,
        "p50_s": 0.05,
        "p99_s": 0.12,
        "overflow_to": to,
        "spilled_per_s": sum(to.values()),
        "spilled_to": to,
        "spilled_for": {"full": sum(to.values())} if to else {},
        "why": "",
    }


def _answer(admin: FakeAdmin) -> None:
    since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 7_505))
    link = {
        "name": "link1",
        "neighbour": {"name": "cloud", "id": "c" * 32},
        "direction": "outgoing",
        "cost": 5,
        "state": "up",
        "since": since,
        "rtt_ms": 12.4,
        "lanes": 1,
        "streams": 4,
        "error": "",
        "certificate_expires": None,
    }
    live = {
        "at": "2026-11-21T14:03:10Z",
        "status": _STATUS,
        "links": [link],
        "services": _SERVICES,
        "network": _NETWORK,
        "now": [_now("shop", 8080, 212.4, {"cloud": 61.8}), _now("db", 5432, 0.4, {})],
    }
    admin.item("/api/v1/status", _STATUS)
    admin.item("/api/v1/live", live)
    admin.items("/api/v1/links", link)
    admin.items("/api/v1/services", *_SERVICES)
    admin.items("/api/v1/network", *_NETWORK)


def commands(text: str) -> list[str]:
    """The commands in the blocks of a page."""
    return [found[2] for found in _BLOCK.finditer(text)]


def page(text: str) -> str:
    """``text`` with new output in its blocks."""
    with tempfile.TemporaryDirectory() as place:
        runner = CliRunner(
            env={"SITECTL_STATE": place, "SITECTL_SITE": None, "SITECTL_PLATFORM": "process"}
        )
        runner.invoke(cli, ["init", "onprem"], catch_exceptions=False)
        with FakeAdmin(Path(place) / "onprem" / "run" / "admin.sock") as admin:
            _answer(admin)

            def made(found: re.Match[str]) -> str:
                result = runner.invoke(cli, found[2].split(), catch_exceptions=False)
                lines = [line.rstrip() for line in result.output.splitlines()]
                return found[1] + "\n".join(lines) + "\n" + found[4]

            return _BLOCK.sub(made, text)
