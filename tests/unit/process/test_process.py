"""`spillway-router`: its messages when it cannot start."""

from pathlib import Path

import pytest

from router.process.main import main


@pytest.mark.parametrize(
    ("more", "next_step"),
    [((), "sitectl init NAME"), (("--namespace", "shop"), "mkdir -p -m 0700")],
)
def test_a_directory_that_is_not_there_is_told_with_the_next_step(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    more: tuple[str, ...],
    next_step: str,
) -> None:
    absent = tmp_path / "sites" / "west"
    assert main(["--site-dir", str(absent), *more]) == 1
    told = capsys.readouterr().err
    assert told.startswith(f"spillway-router: --site-dir {absent}: there is no such directory. ")
    assert next_step in told
    assert not absent.parent.exists()
