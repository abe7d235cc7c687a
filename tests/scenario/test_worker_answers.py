"""One admin answer of several workers: why, flows, history and the live picture are of all."""

import contextlib
import http.client
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from sitectl.site.admin import connect
from tests.scenario.harness import Network, Site
from tests.scenario.waiting import stays, until
from tests.scenario.worker_sites import pinned, serve, site_of_workers


@pytest.fixture
def west(net: Network) -> Site:
    return site_of_workers(net)


def send(lines: list[http.client.HTTPConnection], count: int) -> None:
    """So many requests, one after another, the lines in turn."""
    for number in range(count):
        line = lines[number % len(lines)]
        line.request("GET", "/")
        answer = line.getresponse()
        answer.read()
        assert answer.status == 200


class Followed:
    """What a follower of `/api/v1/flows` hears."""

    def __init__(self, site: Site) -> None:
        self.flows: list[dict[str, Any]] = []
        self._line = http.client.HTTPConnection("site")
        self._line.sock = connect(site.directory / "run" / "admin.sock", 15.0)
        self._line.request("GET", "/api/v1/flows", headers={"Accept": "text/event-stream"})
        self._answer = self._line.getresponse()
        assert self._answer.status == 200
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        with contextlib.suppress(OSError, ValueError, AttributeError):
            for line in self._answer:
                if line.startswith(b"data: {") and b'"outcome"' in line:
                    self.flows.append(json.loads(line.removeprefix(b"data: ")))

    def outcomes(self) -> dict[int, str]:
        """By number, as told last."""
        return {flow["id"]: flow["outcome"] for flow in list(self.flows)}

    def close(self) -> None:
        self._line.sock.shutdown(2)
        self._thread.join(10)
        self._line.close()


@contextlib.contextmanager
def following(site: Site) -> Iterator[Followed]:
    followed = Followed(site)
    try:
        yield followed
    finally:
        followed.close()


def test_why_flows_history_and_the_live_picture_have_the_requests_of_all_workers(
    net: Network, west: Site
) -> None:
    serve(net, west, service_s=0.0)
    first, second = pinned(west, 0, 1), pinned(west, 1, 1)
    send(first, 12)
    send(second, 9)
    past = west.get("why/shop?last=32")
    assert len(past) == 21
    assert [one["at"] for one in past] == sorted((one["at"] for one in past), reverse=True)
    assert len(west.get("why/shop?last=10")) == 10
    flows = west.get("flows?count=1000")
    numbers = [flow["id"] for flow in flows]
    assert len(flows) == 21 and numbers == sorted(set(numbers), reverse=True)
    assert [number % 2 for number in reversed(numbers)] == [0] * 12 + [1] * 9
    assert [flow["id"] for flow in west.get("flows?count=5")] == numbers[:5]
    for number in numbers:
        detail = west.get(f"flows/{number}")
        assert detail["flow"]["id"] == number and detail["decision"]["site"] == "west"

    def served() -> int:
        (history,) = west.get("history?service=shop")
        return sum(sum(sample["served"]) + sample["nowhere"] for sample in history["samples"])

    until(lambda: served() == 21, "the history has all of them")
    live = west.get("live")
    (shop,) = live["services"]
    assert shop["requests_total"] == 21
    assert sum(target["requests_total"] for target in shop["targets"]) == 21

    def second_shows() -> bool:
        send(second, 3)
        (now,) = west.get("live")["now"]
        return bool(now["requests_per_s"] >= 1 and now["p50_s"])

    until(second_shows, "what only the second worker has is in the picture")
    for line in (*first, *second):
        line.close()


def test_who_follows_flows_hears_of_those_of_all_workers_and_of_each_end_once(
    net: Network, west: Site
) -> None:
    target = serve(net, west, service_s=0.0)
    first, second = pinned(west, 0, 1), pinned(west, 1, 1)
    send(second, 2)
    with following(west) as followed:
        until(lambda: len(followed.outcomes()) == 2, "what was there before is told")
        send(first, 6)
        send(second, 7)
        until(lambda: len(followed.outcomes()) == 15, "those of both workers are told")
        assert set(followed.outcomes().values()) == {"ok"}
        target.hold()
        second[0].request("GET", "/")
        until(lambda: "under-way" in followed.outcomes().values(), "one that lasts is told")
        target.release()
        assert second[0].getresponse().read()
        until(lambda: set(followed.outcomes().values()) == {"ok"}, "and its end")
        heard = len(followed.flows)
        stays(lambda: len(followed.flows) == heard, "no end is told twice, nor that it lasts", 3.0)
        assert len(followed.outcomes()) == 16
    for line in (*first, *second):
        line.close()
