"""A database that stops and starts under pooled clients: none hangs, all come back, it shows."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from router.model import limits
from tests.scenario.gateways import Gateway
from tests.scenario.harness import SHOP_PORT, Network, Site
from tests.scenario.pgwire import PgError, Session
from tests.scenario.postgres import Postgres
from tests.scenario.waiting import own_time, stays, until

PORT = SHOP_PORT + 35
CLIENTS = 6
TOLD_WITHIN_S = 1.0
BACK_WITHIN_S = 2.0
REFUSED_WITHIN_S = limits.REROUTE_WAIT_S + 0.5  # At first; it may be back in a moment.
AT_ONCE_S = 0.2
HANGS_S = 5.0
PAUSE_S = 0.01
FAR_COST = 1_000  # Larger than any number of connections: nothing spills to the standby.


class Pool:
    """Clients with a connection each, as an application's pool has them; they reconnect forever.

    ``refused``: seconds that each connect without success took. ``failed``: the errors they met.
    """

    def __init__(self, place: tuple[str, int]) -> None:
        self._place = place
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._client) for _ in range(CLIENTS)]
        self.last_good = [0.0] * CLIENTS
        self.refused: list[float] = []
        self.broken: list[BaseException] = []
        self._numbers = iter(range(CLIENTS))

    def __enter__(self) -> "Pool":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def all_since(self, moment: float) -> bool:
        """Whether every client got an answer after ``moment``."""
        return min(self.last_good) > moment

    def _client(self) -> None:
        number = next(self._numbers)
        while not self._stop.is_set():
            began = own_time()
            try:
                session = Session(*self._place, timeout_s=HANGS_S)
            except (OSError, EOFError, PgError):
                self.refused.append(own_time() - began)
                self._stop.wait(PAUSE_S)
                continue
            with session:
                self._use(session, number)

    def _use(self, session: Session, number: int) -> None:
        try:
            while not self._stop.wait(PAUSE_S):
                session.query("select 1")
                self.last_good[number] = time.monotonic()
        except (OSError, EOFError, PgError) as error:
            self.broken.append(error)


class Pair:
    """``app`` - ``hub``; the database is at ``gate``, its standby at ``spare``, farther away."""

    def __init__(self, net: Network, main: Postgres, standby: Postgres) -> None:
        self.net = net
        self.app, self.hub = net.site("app"), net.site("hub")
        net.link(self.app, self.hub)
        self.main, self.standby = main, standby
        self.main.begin()
        self.standby.begin()
        net.start()
        self.gate = Gateway(net, "gate", self.hub)
        self.spare = Gateway(net, "spare", self.hub, "--cost", str(FAR_COST))
        for name in ("db", "pair"):
            self.gate.bind(name, main.address, PORT, PORT + len(name))
        self.spare.bind("pair", standby.address, PORT + 1, PORT + len("pair"))
        net.ready("db", {"gate": 1}, self.app)
        net.ready("pair", {"gate": 1, "spare": 1}, self.app)

    def place(self, service: str) -> tuple[str, int]:
        """Where clients connect."""
        return self.app.address, PORT + len(service)

    def served_by(self) -> int:
        """The port of the server that a new client of ``pair`` meets."""
        with Session(*self.place("pair")) as session:
            return int(session.value("show port"))


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Once for all tests of this file; each leaves both servers running."""
    with (
        Network(tmp_path_factory.mktemp("restarts")) as net,
        Postgres(net.target_address, PORT) as main,
        Postgres(net.target_address, PORT + 1) as standby,
    ):
        yield Pair(net, main, standby)


@pytest.fixture(autouse=True)
def both_run(pair: Pair) -> None:
    """Restart the database and wait for both services: a test may have failed half way."""
    if not pair.main.runs:
        pair.main.start()
    pair.net.ready("db", {"gate": 1}, pair.app)
    pair.net.ready("pair", {"gate": 1, "spare": 1}, pair.app)


def stop_fast(server: Postgres) -> None:
    server.stop("fast")


def stop_immediately(server: Postgres) -> None:
    server.stop("immediate")


def crash(server: Postgres) -> None:
    server.crash()


@pytest.mark.parametrize("stop", [stop_fast, stop_immediately, crash])
def test_pooled_clients_are_told_at_once_and_are_back_when_it_is(
    pair: Pair, stop: Callable[[Postgres], None]
) -> None:
    place = pair.place("db")
    with Pool(place) as pool, Session(*place, timeout_s=HANGS_S) as idle:
        until(lambda: pool.all_since(0.0), "all are served")
        stopped = own_time()
        stop(pair.main)
        with contextlib.suppress(ConnectionResetError):
            idle.wait_closed()
        assert own_time() - stopped < TOLD_WITHIN_S
        until(lambda: len(pool.broken) == CLIENTS, "all were told")
        assert own_time() - stopped < TOLD_WITHIN_S
        until(lambda: len(pool.refused) > 3 * CLIENTS, "they try again")
        pair.main.start()
        up, up_at = own_time(), time.monotonic()
        until(lambda: pool.all_since(up_at), "all are served again")
        back_s = own_time() - up
    assert back_s < BACK_WITHIN_S
    assert not any(isinstance(error, TimeoutError) for error in pool.broken)
    assert max(pool.refused) < REFUSED_WITHIN_S
    pair.net.at_rest("db", pair.app, pair.gate)


def test_connects_are_refused_at_once_when_it_stays_away(pair: Pair) -> None:
    pair.main.stop()

    def refused_s() -> float:
        began = own_time()
        with pytest.raises((OSError, EOFError)):
            Session(*pair.place("db"))
        return own_time() - began

    first_s = refused_s()
    assert first_s < REFUSED_WITHIN_S
    until(lambda: refused_s() < AT_ONCE_S, "it is refused at once", 2 * limits.REROUTE_WAIT_S)
    pair.main.start()
    pair.net.ready("db", {"gate": 1}, pair.app)


def target_of(site: Site, name: str) -> Any:
    """The target of ``db``, as ``site`` shows it."""
    (item,) = site.get(f"services/{name}")
    (target,) = item["targets"]
    return target


def at(text: str) -> float:
    """Unix seconds of a time as it is shown."""
    return datetime.fromisoformat(text).timestamp()


def test_it_is_shown_everywhere_when_and_why_a_database_is_down(pair: Pair) -> None:
    began = datetime.now(UTC).timestamp()
    pair.main.stop()
    until(lambda: not any(pair.gate.ready_targets("db").values()), "the gateway knows")
    until(lambda: not any(pair.app.ready_targets("db").values()), "the site knows")
    known = datetime.now(UTC).timestamp()
    reason = "refused the connection"
    here, far = target_of(pair.gate, "db"), target_of(pair.app, "db")
    assert here["error"] == f"{pair.main.address}:{PORT} {reason}"
    assert (far["error"], far["host"]) == (f"the target {reason}", "")
    for shown in (here, far):
        assert began - 2 <= at(shown["since"]) <= known + 2
    problems = pair.gate.get("status")["problems"]
    (problem,) = [one for one in problems if one["code"] == "SW0309" and " db:" in one["message"]]
    assert problem["message"] == (
        f"Service db:{PORT + 2} has no ready target, here or at any site that is reached and "
        "may serve it: "
        f"{pair.main.address}:{PORT} {reason}."
    )
    assert began - 2 <= at(problem["since"]) <= known + 2
    assert f"{reason}. (since " in pair.gate.ctl("status", code=3).out
    (gateway,) = [g for g in pair.hub.json("gateway", "status", code=3) if g["name"] == "gate"]
    (binding,) = [row for row in gateway["bindings"] if row["service"] == "db"]
    assert (binding["ready"], binding["error"]) == (False, here["error"])
    assert began - 2 <= at(binding["since"]) <= known + 2
    why = pair.app.get("why/db")
    assert why["decision"]["site"] is None
    assert [one["verdict"] for one in why["candidates"]] == ["no-target"]
    stays(lambda: not pair.gate.ready_targets("db")["gate"], "nobody takes it for ready", 0.5)
    pair.main.start()
    pair.net.ready("db", {"gate": 1}, pair.app)
    events = [e for e in pair.gate.get("events") if f"of db:{PORT + 2}" in e["message"]]
    down, up = events[-2:]
    assert (down["code"], up["code"]) == ("target-down", "target-up")
    assert reason in down["message"]
    assert "is ready again, after " in up["message"]
    assert at(target_of(pair.app, "db")["since"]) >= known - 2
    pair.gate.until_well()


def test_a_database_that_is_back_is_found_while_nobody_connects(pair: Pair) -> None:
    pair.main.stop()
    until(lambda: not any(pair.app.ready_targets("db").values()), "the site knows")
    pair.main.start()
    up = own_time()
    pair.net.ready("db", {"gate": 1}, pair.app)
    assert own_time() - up < BACK_WITHIN_S


def test_a_standby_takes_over_and_gives_back_without_cutting_anybody(pair: Pair) -> None:
    assert pair.served_by() == PORT
    pair.main.stop()
    stopped = own_time()
    until(lambda: pair.app.ready_targets("pair") == {"gate": 0, "spare": 1}, "it is known")
    with Session(*pair.place("pair")) as moved:
        assert moved.value("show port") == str(PORT + 1)
        assert own_time() - stopped < BACK_WITHIN_S
        pair.main.start()
        until(lambda: pair.served_by() == PORT, "new ones are with the first again")
        assert moved.value("show port") == str(PORT + 1)


def test_checks_write_nothing_into_the_log_of_the_database(pair: Pair) -> None:
    assert "could not receive data" not in pair.standby.log()
    assert "incomplete startup packet" not in pair.standby.log()
