"""PostgreSQL at a host's gateway, its clients two links away: site, hub, gateway."""

import hashlib
import re
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from router.model import limits
from tests.scenario.gateways import Gateway
from tests.scenario.harness import SHOP_PORT, Network
from tests.scenario.pgwire import PgError, Session
from tests.scenario.postgres import Postgres, pgbench, psql
from tests.scenario.waiting import own_time, until

PORT = SHOP_PORT + 32
ROWS = 200_000  # About 14 MB as text.
CLIENTS, TRANSACTIONS = 8, 60
CONNECTIONS = 100


class Database:
    """``app`` has the clients; ``hub`` is a site between; ``gate`` is the database's gateway."""

    def __init__(self, net: Network, server: Postgres) -> None:
        self.net = net
        self.hub, self.app = net.site("hub"), net.site("app")
        self.side = net.site("side")
        net.link(self.app, self.hub)
        net.link(self.app, self.side, 5)
        self.server = server
        self.server.certify()
        self.server.begin()
        net.start()
        self.gate = Gateway(net, "gate", self.hub)
        self.gate.bind("db", self.server.address, PORT)
        net.ready("db", {"gate": 1}, self.app)
        self.idle = self.session()
        self.idle.query("listen news")
        self.idle_since = time.monotonic()

    @property
    def place(self) -> tuple[str, int]:
        """Where clients at the site connect."""
        return self.app.address, PORT

    @property
    def direct(self) -> tuple[str, int]:
        """The server itself."""
        return self.server.address, PORT

    def session(self) -> Session:
        """Of a client at the site."""
        return Session(*self.place)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """Once for all tests of this file."""
    with (
        Network(tmp_path_factory.mktemp("postgres")) as net,
        Postgres(net.target_address, PORT) as server,
    ):
        made = Database(net, server)
        with made.idle:
            yield made


def test_transactions_of_several_clients_leave_the_books_balanced(database: Database) -> None:
    pgbench(*database.place, "-i", "-q", "-s", "2", "--no-vacuum")
    flags = ("-n", "-c", str(CLIENTS), "-j", "2", "-t", str(TRANSACTIONS))
    shown = pgbench(*database.place, *flags)
    count = CLIENTS * TRANSACTIONS
    assert f"number of transactions actually processed: {count}/{count}" in shown
    assert re.search(r"number of failed transactions: 0 ", shown)
    balances = psql(
        *database.direct,
        "select (select sum(abalance) from pgbench_accounts),"
        " (select sum(tbalance) from pgbench_tellers),"
        " (select sum(bbalance) from pgbench_branches),"
        " (select sum(delta) from pgbench_history), (select count(*) from pgbench_history)",
    )
    accounts, tellers, branches, deltas, written = map(int, balances.split("|"))
    assert accounts == tellers == branches == deltas
    assert written == count
    until(lambda: database.app.in_flight("db") == {"gate": 1}, "only the idle one is left")


def test_prepared_statements_stay_with_their_connection(database: Database) -> None:
    shown = pgbench(*database.place, "-n", "-S", "-M", "prepared", "-c", "4", "-t", "50")
    assert "number of transactions actually processed: 200/200" in shown


def test_a_big_table_is_copied_out_and_in_without_a_changed_byte(database: Database) -> None:
    made = f"select i, md5(i::text), repeat('x', i % 60) from generate_series(1, {ROWS}) i"
    text = psql(*database.place, f"copy ({made}) to stdout")
    assert text.count("\n") == ROWS - 1
    digest = hashlib.md5(text.encode() + b"\n").hexdigest()
    script = f"create table big (i int, m text, x text);\ncopy big from stdin;\n{text}\n\\.\n"
    psql(*database.place, script)
    back = psql(*database.direct, "copy (select * from big order by i) to stdout")
    assert hashlib.md5(back.encode() + b"\n").hexdigest() == digest


def test_a_query_is_cancelled_over_a_second_connection(database: Database) -> None:
    with database.session() as busy:
        busy.send("select pg_sleep(60)")
        seen = f"select count(*) from pg_stat_activity where pid = {busy.process}"
        with database.session() as other:
            until(lambda: other.value(f"{seen} and query like '%sleep%'") == "1", "it runs")
        began = own_time()
        busy.cancel()
        with pytest.raises(PgError, match="57014"):
            busy.answer()
        assert own_time() - began < 5
        assert busy.value("select 1") == "1"


def test_tls_passes_through_to_the_database(database: Database) -> None:
    asked = "select ssl, version from pg_stat_ssl where pid = pg_backend_pid()"
    assert psql(*database.place, asked, sslmode="require") == "t|TLSv1.3"
    assert psql(*database.place, asked).startswith("f|")


def test_a_hundred_connections_are_served_at_once(database: Database) -> None:
    with ThreadPoolExecutor(20) as pool:
        sessions = list(pool.map(lambda _: database.session(), range(CONNECTIONS)))
    try:
        for number, session in enumerate(sessions):
            session.send(f"select {number} from pg_sleep(0.2)")
        assert [session.answer() for session in sessions] == [
            [(str(number),)] for number in range(CONNECTIONS)
        ]
        held = {"gate": CONNECTIONS + 1}  # With the idle one.
        until(lambda: database.app.in_flight("db") == held, "all are counted")
    finally:
        for session in sessions:
            session.close()
    until(lambda: database.app.in_flight("db") == {"gate": 1}, "all are given back")


def test_a_client_that_is_killed_leaves_no_session_behind(database: Database) -> None:
    gone = database.session()
    gone.query("begin; create table held (i int)")
    gone.socket.close()
    with Session(*database.direct) as watch:
        open_ = f"select count(*) from pg_stat_activity where pid = {gone.process}"
        until(lambda: watch.value(open_) == "0", "its session has ended")
        assert watch.value("select to_regclass('held') is null") == "t"


def test_a_transaction_outlives_another_link_of_its_site(database: Database) -> None:
    with database.session() as session:
        session.query("create table kept (i int)")
        session.query("begin; insert into kept values (1)")
        database.side.kill()
        until(lambda: not database.app.reaches({"side"}), "the other link is gone")
        session.query("insert into kept values (2)")
        database.side.start()
        until(lambda: database.app.reaches({"side"}), "it is back")
        session.query("insert into kept values (3); commit")
    assert psql(*database.direct, "select sum(i) from kept") == "6"


def test_notifications_reach_a_connection_that_was_idle(database: Database) -> None:
    listener = database.idle
    idle_s = limits.DATA_PING_AFTER_S + 1
    until(lambda: time.monotonic() - database.idle_since > idle_s, "it was idle", 2 * idle_s)
    with database.session() as speaker:
        for number in range(3):
            speaker.query(f"notify news, 'number {number}'")
    heard = [listener.wait_notified() for _ in range(3)]
    assert heard == [("news", f"number {number}") for number in range(3)]


def test_a_transaction_whose_way_breaks_is_told_so_and_undone(database: Database) -> None:
    with Session(*database.direct) as watch:
        watch.query("create table torn (i int)")
        session = database.session()
        session.query("begin; insert into torn values (1)")
        told: list[float] = []

        def wait() -> None:
            with pytest.raises((OSError, EOFError)):
                session.query("select pg_sleep(30)")
            told.append(own_time())

        waiting = threading.Thread(target=wait)
        waiting.start()
        running = f"select count(*) from pg_stat_activity where pid = {session.process}"
        until(lambda: watch.value(f"{running} and query like '%sleep%'") == "1", "it runs")
        began = own_time()
        database.hub.kill()
        waiting.join()
        session.socket.close()
        assert told[0] - began < 2
        with pytest.raises(OSError):
            database.session()
        database.hub.start()
        # For a moment the app believes what the hub said before it was killed.
        until(lambda: database.hub.ready_targets("db") == {"gate": 1}, "the gate is back")
        database.net.ready("db", {"gate": 1}, database.app)
        with database.session() as again:
            assert again.value("select count(*) from torn") == "0"
        watch.query(f"select pg_terminate_backend({session.process})")
