"""The directory store: what counts after each change of the files."""

import asyncio
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from router.control import ConfigDirectory, SourcesReading, Wanted, watch
from router.model import limits
from router.model.errors import ConfigError
from router.model.specs import ServiceSpec

HEAD = "apiVersion: spillway/v1\n"
SITE = HEAD + "kind: Site\nname: here\n"


def service(name: str, *ports: int) -> str:
    return f"{HEAD}kind: Service\nname: {name}\nspec: {{ports: {list(ports)}}}\n"


def connector(name: str, service: str, *ports: int) -> str:
    targets = f"[{{host: h, ports: {list(ports)}}}]"
    return (
        f"{HEAD}kind: Connector\nname: {name}\nspec: {{service: {service}, targets: {targets}}}\n"
    )


@pytest.fixture
def site_dir(tmp_path: Path) -> Path:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "site-here.yaml").write_text(SITE)
    return tmp_path


def put(site_dir: Path, name: str, text: str) -> None:
    (site_dir / "config" / name).write_text(text)


def ports_of(wanted: Wanted) -> dict[str, tuple[int, ...]]:
    return {name: spec.ports for name, spec in wanted.services.items()}


def test_load_gives_every_document(site_dir: Path) -> None:
    put(site_dir, "a.yaml", service("a", 1) + "---\n" + service("b", 2))
    put(site_dir, "c.yml", service("c", 3))
    put(site_dir, ".hidden.yaml", "junk: [")
    put(site_dir, "notes.txt", "junk: [")
    reading = ConfigDirectory(site_dir).load()
    assert ports_of(reading.wanted) == {"a": (1,), "b": (2,), "c": (3,)}
    assert reading.errors == ()


def test_nothing_new_is_no_reading(site_dir: Path) -> None:
    directory = ConfigDirectory(site_dir)
    directory.load()
    assert directory.refresh() is None
    os.utime(site_dir / "config" / "site-here.yaml", (1, 1))
    assert directory.refresh() is None
    put(site_dir, "site-here.yaml", SITE + "# a comment changes nothing\n")
    assert directory.refresh() is None


def test_files_that_rest_are_read_again_only_now_and_then(
    site_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(site_dir, "a.yaml", service("a", 1))
    opened: list[str] = []
    really_open = os.open

    def counted(path: str, flags: int, **others: Any) -> int:
        if Path(path).parent.name == "config":
            opened.append(Path(path).name)
        return really_open(path, flags, **others)

    monkeypatch.setattr(os, "open", counted)
    ahead_s = 0.0
    directory = ConfigDirectory(site_dir, lambda: time.time() + ahead_s)
    directory.load()
    directory.refresh()
    assert opened == ["a.yaml", "site-here.yaml"] * 2  # So young that marks may not show a change.
    ahead_s = 10.0
    directory.refresh()
    opened.clear()
    assert directory.refresh() is None
    assert opened == []
    put(site_dir, "a.yaml", service("a", 2))
    times = os.stat(site_dir / "config" / "a.yaml")
    put(site_dir, "a.yaml", service("a", 3))
    os.utime(site_dir / "config" / "a.yaml", ns=(times.st_atime_ns, times.st_mtime_ns))
    reading = directory.refresh()
    assert reading is not None
    assert ports_of(reading.wanted) == {"a": (3,)}
    assert opened == ["a.yaml"]
    opened.clear()
    directory.poke()
    directory.refresh()
    assert opened == ["a.yaml", "site-here.yaml"]
    opened.clear()
    ahead_s += limits.CONFIG_READ_ALL_S
    directory.refresh()
    assert opened == ["a.yaml", "site-here.yaml"]


def test_a_link_that_leads_elsewhere_is_seen(site_dir: Path) -> None:
    for number in (1, 2):
        (site_dir / f"mounted-{number}").mkdir()
        (site_dir / f"mounted-{number}" / "a.yaml").write_text(service("a", number))
    (site_dir / "data").symlink_to("mounted-1")
    (site_dir / "config" / "a.yaml").symlink_to("../data/a.yaml")
    directory = ConfigDirectory(site_dir, lambda: time.time() + 10)
    assert ports_of(directory.load().wanted) == {"a": (1,)}
    assert directory.refresh() is None
    (site_dir / "other").symlink_to("mounted-2")
    (site_dir / "other").rename(site_dir / "data")
    reading = directory.refresh()
    assert reading is not None
    assert ports_of(reading.wanted) == {"a": (2,)}


def test_new_changed_and_removed_files_count(site_dir: Path) -> None:
    directory = ConfigDirectory(site_dir)
    directory.load()
    put(site_dir, "a.yaml", service("a", 1))
    reading = directory.refresh()
    assert reading is not None
    assert ports_of(reading.wanted) == {"a": (1,)}
    put(site_dir, "a.yaml", service("a", 2))
    reading = directory.refresh()
    assert reading is not None
    assert ports_of(reading.wanted) == {"a": (2,)}
    (site_dir / "config" / "a.yaml").unlink()
    reading = directory.refresh()
    assert reading is not None
    assert ports_of(reading.wanted) == {}


def test_a_file_that_is_being_written_anew_withdraws_nothing(site_dir: Path) -> None:
    put(site_dir, "a.yaml", service("a", 1))
    directory = ConfigDirectory(site_dir)
    directory.load()
    put(site_dir, "a.yaml", "")  # As `cat > a.yaml` leaves it for a moment.
    assert directory.refresh() is None
    put(site_dir, "a.yaml", service("a", 2))
    reading = directory.refresh()
    assert reading is not None
    assert ports_of(reading.wanted) == {"a": (2,)}


def test_a_file_that_stays_empty_withdraws_its_documents(site_dir: Path) -> None:
    put(site_dir, "a.yaml", service("a", 1))
    directory = ConfigDirectory(site_dir)
    directory.load()
    put(site_dir, "a.yaml", "\n")
    assert directory.refresh() is None
    reading = directory.refresh()
    assert reading is not None
    assert ports_of(reading.wanted) == {}
    assert directory.refresh() is None


def test_a_bad_file_keeps_its_last_good_documents_until_it_is_right(site_dir: Path) -> None:
    put(site_dir, "a.yaml", service("a", 1))
    directory = ConfigDirectory(site_dir)
    directory.load()
    put(site_dir, "a.yaml", service("a", 2).replace("ports", "prts"))
    put(site_dir, "b.yaml", service("b", 3))
    reading = directory.refresh()
    assert reading is not None
    assert ports_of(reading.wanted) == {"a": (1,), "b": (3,)}
    assert str(reading.errors[0]).startswith("config/a.yaml:4:8: unknown field 'prts'")
    assert directory.refresh() is None
    put(site_dir, "a.yaml", service("a", 4))
    reading = directory.refresh()
    assert reading is not None
    assert (ports_of(reading.wanted), reading.errors) == ({"a": (4,), "b": (3,)}, ())


def test_what_is_right_in_a_file_that_was_never_good_counts(site_dir: Path) -> None:
    put(site_dir, "a.yaml", service("a", 1) + "---\n" + service("b", 0))
    reading = ConfigDirectory(site_dir).load()
    assert ports_of(reading.wanted) == {"a": (1,)}
    assert len(reading.errors) == 1


@pytest.mark.parametrize("newcomer", ["0.yaml", "z.yaml"])
def test_a_second_file_with_the_same_document_does_not_win(site_dir: Path, newcomer: str) -> None:
    put(site_dir, "a.yaml", service("a", 1))
    directory = ConfigDirectory(site_dir)
    directory.load()
    put(site_dir, newcomer, service("a", 2))
    reading = directory.refresh()
    assert reading is not None
    assert ports_of(reading.wanted) == {"a": (1,)}
    assert "config/a.yaml" in str(reading.errors[0])
    assert f"config/{newcomer}" in str(reading.errors[0])
    put(site_dir, "b.yaml", service("b", 3))
    reading = directory.refresh()
    assert reading is not None
    assert ports_of(reading.wanted) == {"a": (1,), "b": (3,)}
    assert len(reading.errors) == 1  # It is still wrong, and still said.


def test_files_that_fit_only_together_come_in_together(site_dir: Path) -> None:
    put(site_dir, "service.yaml", service("a", 1))
    put(site_dir, "targets.yaml", connector("c", "a", 10))
    directory = ConfigDirectory(site_dir)
    directory.load()
    put(site_dir, "service.yaml", service("a", 1, 2))
    reading = directory.refresh()
    assert reading is not None
    assert ports_of(reading.wanted) == {"a": (1,)}
    assert list(reading.wanted.connectors) == ["c"]
    assert len(reading.errors) == 1
    put(site_dir, "targets.yaml", connector("c", "a", 10, 20))
    reading = directory.refresh()
    assert reading is not None
    assert ports_of(reading.wanted) == {"a": (1, 2)}
    assert reading.errors == ()


def test_a_site_document_that_is_gone_stays_in_force_and_is_reported(site_dir: Path) -> None:
    directory = ConfigDirectory(site_dir)
    directory.load()
    (site_dir / "config" / "site-here.yaml").unlink()
    put(site_dir, "a.yaml", service("a", 1))
    reading = directory.refresh()
    assert reading is not None
    assert reading.wanted.name == "here"
    assert ports_of(reading.wanted) == {"a": (1,)}
    assert [error.code for error in reading.errors] == ["SW0109"]


def test_a_directory_that_cannot_be_read_changes_nothing_but_is_reported(site_dir: Path) -> None:
    put(site_dir, "a.yaml", service("a", 1))
    directory = ConfigDirectory(site_dir)
    directory.load()
    (site_dir / "config").rename(site_dir / "away")
    reading = directory.refresh()
    assert reading is not None
    assert ports_of(reading.wanted) == {"a": (1,)}
    assert [error.code for error in reading.errors] == ["SW0110"]
    assert directory.refresh() is None
    (site_dir / "away").rename(site_dir / "config")
    reading = directory.refresh()
    assert reading is not None
    assert reading.errors == ()


def test_a_file_swapped_behind_a_symbolic_link_counts(site_dir: Path) -> None:
    for number in (1, 2):
        (site_dir / f"v{number}.yaml").write_text(service("a", number))
    link = site_dir / "config" / "a.yaml"
    link.symlink_to(site_dir / "v1.yaml")
    directory = ConfigDirectory(site_dir)
    assert ports_of(directory.load().wanted) == {"a": (1,)}
    link.unlink()
    link.symlink_to(site_dir / "v2.yaml")
    reading = directory.refresh()
    assert reading is not None
    assert ports_of(reading.wanted) == {"a": (2,)}


def test_bytes_that_are_no_text_are_an_error_with_their_place(site_dir: Path) -> None:
    (site_dir / "config" / "a.yaml").write_bytes(b"a: 1\nb: \xff\n")
    reading = ConfigDirectory(site_dir).load()
    assert [(e.line, e.column) for e in reading.errors] == [(2, 4)]
    assert "byte 0xff is not UTF-8" in str(reading.errors[0])


@pytest.mark.parametrize("name", ["config", "nothing"])
def test_load_without_a_usable_site_says_why(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    with pytest.raises(ConfigError) as caught:
        ConfigDirectory(tmp_path).load()
    assert caught.value.code == ("SW0109" if name == "config" else "SW0110")


def test_load_names_the_mistake_in_the_site_document(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    put(tmp_path, "site.yaml", SITE + "spec: {bindPrt: 1}\n")
    with pytest.raises(ConfigError, match=r"config/site.yaml:4:8: .*'bindPort'"):
        ConfigDirectory(tmp_path).load()


def watched(site_dir: Path, act: Callable[[ConfigDirectory], None], interval_s: float) -> Wanted:
    """What `watch` reports first after ``act``."""

    async def run() -> Wanted:
        directory = ConfigDirectory(site_dir)
        directory.load()
        heard: asyncio.Future[Wanted] = asyncio.get_running_loop().create_future()

        def changed(wanted: Wanted, errors: list[ConfigError]) -> None:
            assert errors == []
            heard.set_result(wanted)

        async with asyncio.timeout(20), asyncio.TaskGroup() as group:
            task = group.create_task(watch(directory, changed, interval_s=interval_s))
            act(directory)
            wanted = await heard
            task.cancel()
        return wanted

    return asyncio.run(run())


def test_a_poke_makes_a_change_count_without_waiting_for_the_poll(site_dir: Path) -> None:
    def act(directory: ConfigDirectory) -> None:
        put(site_dir, "a.yaml", service("a", 1))
        directory.poke()

    assert isinstance(watched(site_dir, act, 3_600.0).services["a"], ServiceSpec)


def test_a_change_counts_at_the_next_poll_without_a_poke(site_dir: Path) -> None:
    def act(directory: ConfigDirectory) -> None:
        put(site_dir, "a.yaml", service("a", 1))

    assert list(watched(site_dir, act, 0.01).services) == ["a"]


def no_thread(*_: object) -> None:
    raise RuntimeError("can't start new thread")


def test_a_watched_directory_needs_no_other_thread(
    site_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story() -> None:
        directory = ConfigDirectory(site_dir)
        directory.load()
        heard: asyncio.Queue[list[str]] = asyncio.Queue()

        def changed(wanted: Wanted, errors: list[ConfigError]) -> None:
            heard.put_nowait(list(wanted.services))

        async with asyncio.timeout(20), asyncio.TaskGroup() as group:
            watching = group.create_task(watch(directory, changed, interval_s=3_600.0))
            put(site_dir, "a.yaml", service("a", 1))
            directory.poke()
            assert await heard.get() == ["a"]
            monkeypatch.setattr(threading.Thread, "start", no_thread)
            put(site_dir, "b.yaml", service("b", 2))
            directory.poke()
            assert await heard.get() == ["a", "b"]
            watching.cancel()
        put(site_dir, "c.yaml", service("c", 3))
        assert list((await directory.load_again()).wanted.services) == ["a", "b", "c"]

    asyncio.run(story())


def test_a_poke_counts_once(site_dir: Path) -> None:
    looks: list[SourcesReading | None] = []
    looked = threading.Event()

    class Counted(ConfigDirectory):
        def refresh(self) -> SourcesReading | None:
            looks.append(super().refresh())
            if len(looks) == 1:
                put(site_dir, "a.yaml", service("a", 1))
                looked.set()
            return looks[-1]

    directory = Counted(site_dir)
    assert ConfigDirectory.refresh(directory) is not None  # As at the start.
    directory.poke()
    ended = threading.Event()
    with ThreadPoolExecutor(1) as threads:
        looking = threads.submit(directory.next_change, 3_600.0, ended)
        assert looked.wait(20)
        assert not looking.done()
        directory.poke()
        reading = looking.result(20)
    assert reading is not None
    assert list(reading.wanted.services) == ["a"]
    assert len(looks) == 2


def test_what_a_poll_finds_waits_for_the_order_of_the_command_that_wrote_it(
    site_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "CONFIG_ORDER_S", 3_600.0)
    found = threading.Event()

    class Told(ConfigDirectory):
        def refresh(self) -> SourcesReading | None:
            reading = super().refresh()
            if reading is not None:
                found.set()
            return reading

    directory = Told(site_dir)
    directory.load()
    found.clear()
    put(site_dir, "a.yaml", service("a", 1))
    with ThreadPoolExecutor(1) as threads:
        looking = threads.submit(directory.next_change, 0.01, threading.Event())
        assert found.wait(20)
        put(site_dir, "b.yaml", service("b", 2))
        assert not looking.done()
        directory.poke()
        reading = looking.result(20)
    assert reading is not None
    assert list(reading.wanted.services) == ["a", "b"]


def test_who_follows_a_directory_is_let_go_without_a_look(site_dir: Path) -> None:
    directory = ConfigDirectory(site_dir)
    directory.load()
    put(site_dir, "a.yaml", service("a", 1))
    ended = threading.Event()
    with ThreadPoolExecutor(1) as threads:
        looking = threads.submit(directory.next_change, 3_600.0, ended)
        ended.set()
        directory.wake()
        assert looking.result(20) is None


def test_a_large_directory_is_looked_at_in_slices(
    site_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rests: list[float] = []
    monkeypatch.setattr(time, "sleep", rests.append)
    for number in range(2 * limits.CONFIG_LOOKS_AT_ONCE):
        put(site_dir, f"{number}.yaml", service(f"s{number}", 1 + number))
    directory = ConfigDirectory(site_dir, lambda: time.time() + 10)
    directory.load()
    assert rests == []  # All was read for the first time.
    assert directory.refresh() is None
    assert rests == [limits.CONFIG_LOOK_PAUSE_S] * 2


def test_files_beyond_the_bound_are_told_of_as_long_as_there_are_any(
    site_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "CONFIG_FILES_MAX", 2)
    put(site_dir, "a.yaml", service("a", 1))
    directory = ConfigDirectory(site_dir)
    assert directory.load().errors == ()
    put(site_dir, "z.yaml", service("z", 1))
    reading = directory.refresh()
    assert reading is not None
    assert [error.code for error in reading.errors] == ["SW0111"]
    assert "z.yaml on" in str(reading.errors[0])
    assert directory.refresh() is None
    (site_dir / "config" / "z.yaml").unlink()
    reading = directory.refresh()
    assert reading is not None
    assert reading.errors == ()


def test_who_cannot_load_says_what_is_wrong_with_the_site(site_dir: Path) -> None:
    put(site_dir, "service-a.yaml", "junk: [")
    put(site_dir, "site-here.yaml", SITE + "spec: {bindPort: none}\n")
    with pytest.raises(ConfigError, match=r"site-here\.yaml:4:18: expected a port"):
        ConfigDirectory(site_dir).load()
