"""Strict sites, their grants, and connections that end when a grant does."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime

import yaml

from tests.scenario.clients import TIMEOUT_S
from tests.scenario.harness import Site
from tests.scenario.waiting import until

OFFER, CALL = "offer", "call"
FLOWS_BYTES = 50_000
ECHO_S = 0.005
"""Pause between an echo and sending again: without it an echo uses up a processor."""


def be_strict(site: Site) -> None:
    """From its start, or the next look at its documents."""
    path = site.directory / "config" / f"site-{site.name}.yaml"
    document = yaml.safe_load(path.read_text())
    document["spec"]["sharing"] = "strict"
    path.write_text(yaml.safe_dump(document))


def share_with_all(site: Site) -> None:
    """By rule, all services: what grants add is who may offer."""
    rules = {"service": "*", "exportTo": ["*"], "importFrom": ["*"]}
    site.document("Policy", "all", rules)


def grant(
    site: Site, service: str, verb: str, *to: Site, until_unix: int = 0, **rules: object
) -> None:
    """``site`` grants this and nothing else, with these ``rules`` of the service."""
    grants = [{"site": one.name, "verbs": [verb]} for one in to]
    if until_unix:
        moment = datetime.fromtimestamp(until_unix, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        grants = [{**one, "until": moment} for one in grants]
    site.document("Policy", f"own-{service}", {"service": service, "grants": grants, **rules})


def callers(site: Site, service: str) -> set[str]:
    """Names of the sites that ``site`` granted to call ``service``, as far as it has read that."""
    rows = site.json("access", service)["rows"]
    return {
        row["site"] for row in rows if (row["may"], row["by"]) == (CALL, f"grant of {site.name}")
    }


class Stream:
    """A connection through which bytes come without an end; ``ended`` once they do no more, with
    the wall clock's time of that."""

    def __init__(self, site: Site, port: int, first: bytes, pump: bytes = b"") -> None:
        self._socket = socket.create_connection((site.address, port), TIMEOUT_S)
        self._socket.sendall(first)
        self._pump = pump
        self.bytes = 0
        self.ended = threading.Event()
        self.ended_unix = 0.0
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        with suppress(OSError):
            while data := self._socket.recv(65_536):
                self.bytes += len(data)
                if self._pump and not self.ended.wait(ECHO_S):
                    self._socket.sendall(self._pump)
        self.ended_unix = time.time()
        self.ended.set()

    def flows(self) -> bool:
        """Whether it goes on: at least as much again comes."""
        at = self.bytes
        until(lambda: self.bytes > at + FLOWS_BYTES, "bytes flow")
        return not self.ended.is_set()

    def close(self) -> None:
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(TIMEOUT_S)
        self._socket.close()


@contextmanager
def echoed(site: Site, port: int) -> Iterator[Stream]:
    """A TCP connection to an echo: the bytes that come back are sent again."""
    with _flowing(Stream(site, port, b"echo\n" + bytes(1_000), bytes(1_000))) as stream:
        yield stream


@contextmanager
def downloaded(site: Site, port: int, service: str) -> Iterator[Stream]:
    """A response that a target sends for as long as a test runs."""
    request = f"GET /drip HTTP/1.1\r\nHost: {service}\r\n\r\n".encode()
    with _flowing(Stream(site, port, request)) as stream:
        yield stream


@contextmanager
def _flowing(stream: Stream) -> Iterator[Stream]:
    try:
        assert stream.flows()
        yield stream
    finally:
        stream.close()
