"""The coffee shop's programs, by themselves."""

import json
import os
import runpy
import socketserver
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path

import pytest

from tests.scenario.ports import free_ports
from tests.scenario.waiting import until

BARISTA = Path(__file__).resolve().parents[3] / "examples" / "coffee-shop" / "barista.py"


def brewed_by(place: str) -> str:
    """The barista that answers an order; empty: none does."""
    order = urllib.request.Request(f"http://{place}/", b'{"item": "latte"}')
    try:
        with urllib.request.urlopen(order, timeout=10) as answer:
            return str(json.load(answer)["barista"])
    except OSError:
        return ""


def test_each_port_is_a_barista_that_brews() -> None:
    ports = free_ports()
    places = [f"127.0.0.1:{next(ports)}" for _ in range(2)]
    command = [sys.executable, str(BARISTA), "onprem", *places]
    with subprocess.Popen(command, env={**os.environ, "BREW_S": "0"}) as process:
        try:
            names = [until(lambda p=place: brewed_by(p), "it brews") for place in places]  # type: ignore[misc]
        finally:
            process.kill()
    assert names == ["onprem-1", "onprem-2"]


def test_the_main_thread_stays_while_baristas_serve(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python 3.12 starts no thread after the main thread has ended, so it answers no client."""
    serving, closing = threading.Event(), threading.Event()

    def serve(server: socketserver.BaseServer) -> None:
        serving.set()
        closing.wait(60)
        server.server_close()

    monkeypatch.setattr(socketserver.BaseServer, "serve_forever", serve)
    monkeypatch.setattr(sys, "argv", ["barista.py", "onprem", "127.0.0.1:0"])
    opened = threading.Thread(target=runpy.run_path(str(BARISTA))["main"])
    opened.start()
    assert serving.wait(60)
    opened.join(0.2)
    stayed = opened.is_alive()
    closing.set()
    opened.join(60)
    assert stayed and not opened.is_alive()
