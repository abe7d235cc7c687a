"""A restart of the router changes nothing about what counts of a file that is wrong."""

from pathlib import Path

import pytest

from router.control import ConfigDirectory, SourcesReading
from router.documents import in_force
from router.model.errors import ConfigError
from tests.unit.control.test_directory import SITE, connector, ports_of, put, service, site_dir

__all__ = ["site_dir"]

WRONG = service("a", 2).replace("ports", "prts")


def started(site_dir: Path) -> ConfigDirectory:
    directory = ConfigDirectory(site_dir)
    directory.load()
    return directory


def restarted(site_dir: Path, directory: ConfigDirectory) -> ConfigDirectory:
    (site_dir / in_force.FILE).write_bytes(in_force.encode(directory.in_force))
    return started(site_dir)


def changed(directory: ConfigDirectory) -> SourcesReading:
    reading = directory.refresh()
    assert reading is not None
    return reading


def codes(reading: SourcesReading) -> list[str]:
    return [error.code for error in reading.errors]


def gist(reading: SourcesReading) -> tuple[object, ...]:
    return reading.wanted, reading.in_force, [str(error) for error in reading.errors]


def edited_wrong(site_dir: Path) -> ConfigDirectory:
    put(site_dir, "a.yaml", service("a", 1))
    directory = started(site_dir)
    assert directory.in_force == {}, "a text that is right is in the file itself"
    put(site_dir, "a.yaml", WRONG)
    assert list(changed(directory).in_force) == ["a.yaml"]
    return directory


def test_a_file_that_is_wrong_still_counts_as_before(site_dir: Path) -> None:
    before = edited_wrong(site_dir)
    after = restarted(site_dir, before)
    assert gist(after.load()) == gist(before.load())
    assert ports_of(after.load().wanted) == {"a": (1,)}
    assert codes(after.load()) == ["SW0101"]


def test_a_file_that_is_right_again_is_no_longer_stored(site_dir: Path) -> None:
    directory = restarted(site_dir, edited_wrong(site_dir))
    put(site_dir, "a.yaml", service("a", 3))
    reading = changed(directory)
    assert (ports_of(reading.wanted), reading.errors, reading.in_force) == ({"a": (3,)}, (), {})


def test_another_wrong_text_is_stored_with_the_same_documents(site_dir: Path) -> None:
    directory = restarted(site_dir, edited_wrong(site_dir))
    put(site_dir, "a.yaml", WRONG + "# The same error.\n")
    assert codes(changed(directory)) == ["SW0101"]
    assert ports_of(restarted(site_dir, directory).load().wanted) == {"a": (1,)}


def test_a_file_that_is_gone_is_no_longer_stored(site_dir: Path) -> None:
    directory = restarted(site_dir, edited_wrong(site_dir))
    (site_dir / "config" / "a.yaml").unlink()
    assert changed(directory).in_force == {}
    put(site_dir, "a.yaml", WRONG)
    assert changed(directory).wanted.services == {}


def test_of_a_text_that_was_written_while_no_router_ran_nothing_older_counts(
    site_dir: Path,
) -> None:
    """An older release may have taken a right one in between."""
    directory = edited_wrong(site_dir)
    put(site_dir, "a.yaml", WRONG + "# Another one.\n")
    after = restarted(site_dir, directory)
    assert after.load().wanted.services == {}
    assert after.in_force == {}


def test_a_wrong_site_document_still_counts_as_before(site_dir: Path) -> None:
    directory = started(site_dir)
    put(site_dir, "site-here.yaml", SITE + "spec: {bindPort: none}\n")
    assert codes(changed(directory)) == ["SW0101"]
    assert restarted(site_dir, directory).load().wanted.name == "here"
    (site_dir / in_force.FILE).unlink()
    with pytest.raises(ConfigError, match="site-here"):
        started(site_dir)


def test_a_file_that_contradicts_others_does_not_win_by_a_restart(site_dir: Path) -> None:
    put(site_dir, "b.yaml", service("a", 1))
    directory = started(site_dir)
    put(site_dir, "a.yaml", service("a", 2))
    assert ports_of(changed(directory).wanted) == {"a": (1,)}
    after = restarted(site_dir, directory)
    assert gist(after.load()) == gist(directory.load())
    (site_dir / "config" / "b.yaml").unlink()
    assert ports_of(changed(after).wanted) == {"a": (2,)}


def test_files_that_fit_only_together_come_in_together_after_a_restart(site_dir: Path) -> None:
    put(site_dir, "service.yaml", service("a", 1))
    put(site_dir, "targets.yaml", connector("c", "a", 10))
    directory = started(site_dir)
    put(site_dir, "service.yaml", service("a", 1, 2))
    changed(directory)
    directory = restarted(site_dir, directory)
    assert ports_of(directory.load().wanted) == {"a": (1,)}
    put(site_dir, "targets.yaml", connector("c", "a", 10, 20))
    reading = changed(directory)
    assert (ports_of(reading.wanted), reading.errors) == ({"a": (1, 2)}, ())


@pytest.mark.parametrize(
    "damaged", [b"{", b"[]", b"\xff", b'{"a.yaml":{"digest":"","documents":7}}']
)
def test_a_damaged_file_is_reported_and_its_documents_count_as_nothing(
    site_dir: Path, damaged: bytes
) -> None:
    edited_wrong(site_dir)
    (site_dir / in_force.FILE).write_bytes(damaged)
    reading = started(site_dir).load()
    assert reading.wanted.services == {}
    (found,) = (error for error in reading.errors if error.severity == "warning")
    assert (found.source, found.code) == ("in-force.json", "SW0110")


def test_a_damaged_file_is_reported_until_the_documents_are_right(site_dir: Path) -> None:
    edited_wrong(site_dir)
    (site_dir / in_force.FILE).write_bytes(b"{")
    directory = started(site_dir)
    put(site_dir, "b.yaml", service("b", 2))
    assert sorted(codes(changed(directory))) == ["SW0101", "SW0110"]
    put(site_dir, "a.yaml", service("a", 3))
    assert codes(changed(directory)) == []


def test_a_directory_in_the_place_of_the_file_is_reported(site_dir: Path) -> None:
    (site_dir / in_force.FILE).mkdir()
    assert codes(started(site_dir).load()) == ["SW0110"]
