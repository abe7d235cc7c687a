"""Marks of memory: the measures above each, and when they end; the total amount of memory."""

import resource
from pathlib import Path

import pytest

from router.model import limits
from router.net.ports import Connection, Loss
from router.node.memory_guard import MemoryLevels, MemoryUse, ReliefLevel, buffered_mark
from router.process.memory import (
    MappedLimits,
    ResidentMemory,
    SocketMemory,
    memory_limit,
    socket_statistics,
    trimmer,
)
from tests.simulation.world import SERVICE, SimMemory, SimSite, World

MIB = limits.MIB


def held(statistics: Path | None) -> int:
    """What the kernel holds for sockets, by that file."""
    memory = SocketMemory(statistics)
    try:
        return memory.read_bytes()
    finally:
        memory.close()


@pytest.mark.parametrize(
    ("share", "level"),
    [
        (0.0, ReliefLevel.CALM),
        (0.849, ReliefLevel.CALM),
        (0.85, ReliefLevel.SHED_IDLE),
        (0.95, ReliefLevel.REFUSE_NEW),
        (0.98, ReliefLevel.DROP_SLOWEST),
        (3.0, ReliefLevel.DROP_SLOWEST),
    ],
)
def test_each_mark_counts_at_once(share: float, level: ReliefLevel) -> None:
    assert MemoryLevels().judge(share) == level


def test_a_level_is_left_only_a_little_below_its_mark() -> None:
    marks = MemoryLevels()
    shares = (0.98, 0.96, 0.949, 0.93, 0.919, 0.83, 0.819)
    assert [marks.judge(share) for share in shares] == [
        ReliefLevel.DROP_SLOWEST,
        ReliefLevel.DROP_SLOWEST,
        ReliefLevel.REFUSE_NEW,
        ReliefLevel.REFUSE_NEW,
        ReliefLevel.SHED_IDLE,
        ReliefLevel.SHED_IDLE,
        ReliefLevel.CALM,
    ]


def test_where_no_more_can_be_given_back_a_level_is_left_at_its_mark() -> None:
    marks = MemoryLevels()
    marks.judge(0.96)
    assert marks.judge(0.949) == ReliefLevel.REFUSE_NEW
    assert marks.judge(0.951, is_least=True) == ReliefLevel.REFUSE_NEW
    assert marks.judge(0.949, is_least=True) == ReliefLevel.SHED_IDLE
    assert marks.judge(0.949) == ReliefLevel.SHED_IDLE


class Scene:
    """One site that serves `shop`; its memory is set by the test."""

    def __init__(self) -> None:
        self.world = World(1, "a", "b")
        self.a, self.b = self.world.sites.values()
        self.a.link(self.b, cost=1)
        self.a.declare()
        self.a.serve(1, capacity=10)
        self.b.serve(1, capacity=10)
        self.memory = SimMemory(self.a, limit_bytes=1000 * MIB)
        self.world.run(5)

    def fill(self, resident_mib: int, buffered_mib: int = 0, sockets_mib: int = 0) -> None:
        self.memory.use = MemoryUse(resident_mib * MIB, buffered_mib * MIB, sockets_mib * MIB)
        self.world.run(2 * limits.MEMORY_LOOK_S)

    def ask(self, site: SimSite) -> tuple[int, str]:
        answer = site.request()
        self.world.run(2)
        return answer.status, answer.site


class SlowClient:
    """A client that announces a large body, and sends only as much as the test says."""

    def __init__(self, site: SimSite) -> None:
        self.got = b""
        self._connection: Connection | None = None
        site.network.dial(
            "127.0.0.1", SERVICE.port, self._connected, lambda failure: None, timeout_s=5.0
        )

    def send(self, size_bytes: int) -> None:
        assert self._connection is not None
        self._connection.send(bytes(size_bytes))

    def _connected(self, connection: Connection) -> "SlowClient":
        self._connection = connection
        connection.send(b"PUT / HTTP/1.1\r\nHost: shop\r\nContent-Length: 1000000\r\n\r\n")
        return self

    def received(self, data: memoryview) -> None:
        self.got += data

    def ended(self) -> None:
        assert self._connection is not None
        self._connection.finish()

    def writable(self) -> None: ...

    def lost(self, cause: Loss | None) -> None: ...


def codes(world: World) -> list[str]:
    return [line.split()[2] for line in world.journal if "memory" in line]


def test_short_of_memory_new_requests_are_refused_here_and_served_elsewhere() -> None:
    scene = Scene()
    assert scene.ask(scene.a) == (200, "a")
    scene.fill(960)
    assert scene.ask(scene.a) == (503, "")
    assert scene.ask(scene.b) == (200, "b")
    assert scene.memory.guard.problems()[0].code == "SW0603"
    scene.fill(500)
    assert scene.ask(scene.a) == (200, "a")
    assert scene.memory.guard.problems() == []
    assert codes(scene.world) == ["memory-short", "memory-calm"]
    assert scene.a.router.forwarder.memory.refused_total == 1


def test_memory_that_a_spike_left_and_cannot_be_given_back_does_not_refuse_for_ever() -> None:
    scene = Scene()
    scene.fill(500)
    scene.fill(960)
    scene.fill(935)
    assert scene.ask(scene.a) == (503, "")
    scene.world.run(limits.MEMORY_TRIM_S)
    assert scene.ask(scene.a) == (200, "a")
    assert scene.memory.guard.problems() == []
    scene.fill(960)
    assert scene.ask(scene.a) == (503, "")


def test_socket_buffers_count_against_the_limit() -> None:
    scene = Scene()
    scene.fill(500, sockets_mib=460)
    assert scene.ask(scene.a) == (503, "")
    assert "960 of 1000 MiB" in scene.memory.guard.problems()[0].message
    scene.fill(500)
    assert scene.ask(scene.a) == (200, "a")


def test_what_other_sites_send_here_goes_to_a_site_with_memory() -> None:
    scene = Scene()
    for target in list(scene.b.targets):
        del scene.b.targets[target]
    scene.b.connectors.clear()
    scene.b.apply()
    scene.world.run(2)
    assert scene.ask(scene.b) == (200, "a")
    scene.fill(960)
    assert scene.ask(scene.b) == (503, "")


@pytest.mark.parametrize(
    ("used_mib", "limit_mib", "looks_per_s"),
    [
        (100, 1_000, 4),
        (100, 20_000, 1),
        (12_900, 20_000, 1),
        (13_500, 20_000, 4),
        (14_100, 20_000, 20),
    ],
)
def test_it_is_looked_as_often_as_the_marks_are_near(
    used_mib: int, limit_mib: int, looks_per_s: int
) -> None:
    scene = Scene()
    scene.memory.guard.set_limit(limit_mib * MIB)
    scene.fill(used_mib)
    scene.world.run(2)
    before = scene.memory.reads
    scene.world.run(10)
    assert scene.memory.reads - before == pytest.approx(10 * looks_per_s, abs=3)


def test_a_crowd_that_comes_between_two_looks_stays_within_the_limit() -> None:
    """Each is admitted while there is room; then all send bytes that are kept for a retry."""
    scene = Scene()
    scene.a.connectors.clear()
    scene.a.serve(1, capacity=None, service_s=10.0)
    limit_bytes, size_bytes = 64 * MIB, 60_000
    scene.memory.use = MemoryUse(48 * MIB, 0)
    scene.memory.guard.set_limit(limit_bytes)
    scene.world.run(1)
    slow = [SlowClient(scene.a) for _ in range(500)]
    scene.world.run(0.01)
    before = scene.memory.reads
    for client in slow:
        client.send(size_bytes)
    highest = [0]

    def goes_on() -> bool:
        highest[0] = max(highest[0], scene.memory.resident_bytes)
        return scene.world.internet.now < until

    until = scene.world.internet.now + 0.9 * limits.MEMORY_LOOK_NEAR_S
    scene.world.run_while(goes_on, 1)
    assert scene.memory.reads > before + 4
    assert 0.9 * limit_bytes < highest[0] <= limit_bytes
    assert scene.memory.guard.dropped_total > 0


def test_a_new_limit_counts_before_anything_else_comes_in() -> None:
    scene = Scene()
    scene.fill(100)
    scene.memory.guard.set_limit(100 * MIB)
    scene.world.run(0.001)
    assert scene.memory.guard.level == ReliefLevel.DROP_SLOWEST


def test_very_short_of_memory_a_few_clients_are_told_and_others_wait() -> None:
    scene = Scene()
    scene.fill(990)
    count = 2 * limits.CLIENTS_WHEN_SHORT
    slow = [SlowClient(scene.a) for _ in range(count)]
    most = [0]

    def are_waiting() -> bool:
        most[0] = max(most[0], scene.a.router.forwarder.client_connections)
        return sum(client.got.startswith(b"HTTP/1.1 503 ") for client in slow) < count

    scene.world.run_while(are_waiting, 10)
    assert most == [limits.CLIENTS_WHEN_SHORT]
    scene.fill(100)
    slow += [SlowClient(scene.a) for _ in range(count)]
    forwarder = scene.a.router.forwarder
    scene.world.run_while(lambda: forwarder.client_connections <= limits.CLIENTS_WHEN_SHORT, 1)


def test_idle_connections_go_first() -> None:
    scene = Scene()
    scene.ask(scene.a)
    scene.fill(860)
    assert scene.memory.guard.level == ReliefLevel.SHED_IDLE
    assert scene.memory.guard.shed_total > 0
    assert scene.ask(scene.a) == (200, "a")


def test_freed_memory_is_given_back_after_a_burst_and_not_all_the_time() -> None:
    scene = Scene()
    scene.fill(100)
    scene.world.run(300)
    assert scene.memory.trims == 1
    scene.fill(500)
    scene.world.run(600)
    assert 3 <= scene.memory.trims <= 20
    trims = scene.memory.trims
    scene.fill(101)
    scene.world.run(300)
    assert scene.memory.trims == trims


def test_after_a_minute_without_load_freed_memory_has_been_given_back() -> None:
    scene = Scene()
    scene.fill(100)
    scene.fill(500)
    scene.world.run(600)
    for _ in range(8):  # Whenever the load ends.
        scene.world.run(30)
        trims = scene.memory.trims
        scene.world.run(60)
        assert scene.memory.trims > trims


def test_the_limit_is_the_least_that_anybody_states(tmp_path: Path) -> None:
    machine = memory_limit(root=tmp_path, membership=tmp_path / "none")
    assert machine > 64 * MIB
    group = tmp_path / "machine.slice" / "router"
    group.mkdir(parents=True)
    membership = tmp_path / "cgroup"
    membership.write_text("0::/machine.slice/router\n")
    (group / "memory.max").write_text("max\n")
    assert memory_limit(root=tmp_path, membership=membership) == machine
    (group.parent / "memory.max").write_text(f"{48 * MIB}\n")
    assert memory_limit(root=tmp_path, membership=membership) == 48 * MIB
    (group / "memory.max").write_text(f"{32 * MIB}\n")
    assert memory_limit(root=tmp_path, membership=membership) == 32 * MIB


def test_the_limit_of_an_old_control_group_counts_in_a_container_too(tmp_path: Path) -> None:
    (tmp_path / "memory").mkdir()
    membership = tmp_path / "cgroup"
    membership.write_text("9:name=systemd:/\n4:cpu,memory:/docker/abc\n")
    (tmp_path / "memory" / "memory.limit_in_bytes").write_text(f"{40 * MIB}\n")
    assert memory_limit(root=tmp_path, membership=membership) == 40 * MIB
    (tmp_path / "memory" / "memory.limit_in_bytes").write_text("9223372036854771712\n")
    assert memory_limit(root=tmp_path, membership=membership) > 40 * MIB


def test_socket_buffers_are_those_of_the_control_group_that_limits_memory(tmp_path: Path) -> None:
    group = tmp_path / "kubepods" / "router"
    group.mkdir(parents=True)
    membership = tmp_path / "cgroup"
    membership.write_text("4:memory:/old\n0::/kubepods/router\n")
    (group / "memory.stat").write_text(f"anon 1\nsock_throttled 7\nsock {5 * MIB}\nshmem 3\n")
    found = socket_statistics(root=tmp_path, membership=membership)
    assert (found, held(found)) == (None, 0)
    (group.parent / "memory.max").write_text(f"{48 * MIB}\n")
    assert held(socket_statistics(root=tmp_path, membership=membership)) == 5 * MIB


def test_a_control_group_that_the_process_has_left_holds_nothing(tmp_path: Path) -> None:
    """It may be removed; its files then cannot be read. A folder cannot be either."""
    assert held(tmp_path) == 0


def test_a_container_reads_the_socket_buffers_of_its_own_root(tmp_path: Path) -> None:
    membership = tmp_path / "cgroup"
    membership.write_text("0::/../../kubepods/router\n")
    (tmp_path / "memory.max").write_text(f"{48 * MIB}\n")
    (tmp_path / "memory.stat").write_text(f"sock {3 * MIB}\n")
    assert held(socket_statistics(root=tmp_path, membership=membership)) == 3 * MIB


def test_an_old_control_group_counts_socket_buffers_apart(tmp_path: Path) -> None:
    membership = tmp_path / "cgroup"
    membership.write_text("4:memory:/docker/abc\n")
    assert socket_statistics(root=tmp_path, membership=membership) is None
    assert socket_statistics(root=tmp_path, membership=tmp_path / "none") is None


def test_a_limit_of_the_process_itself_counts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (30 * MIB, 30 * MIB))
    assert memory_limit(root=tmp_path, membership=tmp_path / "none") == 30 * MIB


def test_a_quarter_may_be_buffered_and_never_less_than_the_least() -> None:
    assert buffered_mark(1000 * MIB) == 250 * MIB
    assert buffered_mark(100 * MIB) == limits.BUFFERED_BYTES_MIN


def test_memory_is_read_and_given_back_on_this_machine() -> None:
    trimmer()(True)
    memory = ResidentMemory()
    assert MIB < memory.read()[1] < 4096 * MIB
    memory.close()


def test_memory_is_read_without_a_free_descriptor() -> None:
    memory = ResidentMemory()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        assert memory.read()[1] > MIB
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    memory.close()


def test_limits_of_what_is_mapped_leave_room_for_what_is_resident(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    soft = {resource.RLIMIT_AS: 400 * MIB, resource.RLIMIT_DATA: resource.RLIM_INFINITY}
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (soft[kind], resource.RLIM_INFINITY))
    mapped = MappedLimits()

    def most_mib(size: int, resident: int, data: int = 90) -> int:
        most_bytes = mapped.most_bytes([part * MIB for part in (size, resident, 20, 3, 0, data, 0)])
        assert most_bytes is not None
        return most_bytes // MIB

    assert most_mib(370, 70) == 100
    assert most_mib(395, 95) == 100, "what it takes is resident"
    assert most_mib(395, 72) == 100, "what is free is used again"
    assert most_mib(397, 70) == 98, "a thread's stack is not"
    soft[resource.RLIMIT_DATA] = 100 * MIB
    assert most_mib(370, 70, data=110) == 85
    soft.update(dict.fromkeys(soft, resource.RLIM_INFINITY))
    assert mapped.most_bytes([MIB] * 7) is None


def test_a_process_that_may_map_no_more_is_short_of_memory_and_its_limit_is_named() -> None:
    scene = Scene()
    scene.memory.use = MemoryUse(98 * MIB, 0, 0, 100 * MIB)
    scene.world.run(2 * limits.MEMORY_LOOK_S)
    assert scene.ask(scene.a)[0] == 503
    (problem,) = scene.memory.guard.problems()
    assert problem.message.startswith("Memory is short: 98 of 100 MiB are in use")
    assert "ulimit -v" in problem.hint
    scene.memory.use = MemoryUse(98 * MIB, 0, 0, 200 * MIB)
    scene.world.run(2 * limits.MEMORY_LOOK_S)
    assert scene.ask(scene.a)[0] == 200


def test_a_limit_that_the_site_states_itself_is_named_when_it_is_too_low() -> None:
    scene = Scene()
    scene.fill(900)
    guard = scene.memory.guard
    guard.set_limit(800 * MIB, is_stated=True)
    scene.fill(900)
    (problem,) = guard.problems()
    assert problem.code == "SW0603"
    assert problem.hint == "Raise memoryLimit of the site well above 900 MiB, or remove it"
    guard.set_limit(901 * MIB)
    scene.fill(900)
    assert "memoryLimit" not in guard.problems()[0].hint
