"""What directories of Skupper v2's objects made at a site is remembered, within bounds."""

from pathlib import Path

from sitectl.site.applied_directories import AppliedDirectories, AppliedObjects


def test_directories_that_come_and_go_fill_no_file(tmp_path: Path) -> None:
    """The file has a limit, beyond which it would count as damaged."""
    records = AppliedDirectories(tmp_path)
    stays = tmp_path / "stays"
    stays.mkdir()
    records.keep(stays, AppliedObjects(links=("stays",)))
    sizes = []
    for number in range(130):
        directory = tmp_path / f"made-{number:03}"
        directory.mkdir()
        records.keep(directory, AppliedObjects(links=(f"link-{number:03}",)))
        directory.rmdir()
        sizes.append((tmp_path / "skupper2.json").stat().st_size)
    assert sizes[-1] == sizes[-20]
    assert records.last(stays).links == ("stays",)
    assert records.last(tmp_path / "made-129").links == ("link-129",)
    assert records.last(tmp_path / "made-000").links == ()
