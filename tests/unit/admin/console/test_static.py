"""The console's files as they are served."""

import gzip
from pathlib import Path

import pytest

from router.admin.console import static
from router.model import limits


def test_the_console_has_a_page_and_fits_its_bound() -> None:
    files = static.load()
    assert files["index.html"].content_type.startswith("text/html")
    assert "login.css" in files


def test_a_text_is_packed_and_its_digest_follows_its_content(tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "a.js").write_text("x = 1;\n" * 1000)
    (tmp_path / "small.css").write_text("a{}")
    (tmp_path / ".hidden").write_text("no")
    (tmp_path / "odd.exe").write_text("no")
    first = static.load(tmp_path)
    assert sorted(first) == ["lib/a.js", "small.css"]
    assert gzip.decompress(first["lib/a.js"].packed) == first["lib/a.js"].body
    assert first["small.css"].packed == b""
    (tmp_path / "lib" / "a.js").write_text("x = 2;\n" * 1000)
    assert static.load(tmp_path)["lib/a.js"].etag != first["lib/a.js"].etag


def test_one_file_or_byte_too_many_is_refused(tmp_path: Path) -> None:
    for number in range(limits.CONSOLE_FILES_MAX):
        (tmp_path / f"{number}.txt").write_text("")
    assert len(static.load(tmp_path)) == limits.CONSOLE_FILES_MAX
    big = tmp_path / "0.txt"
    big.write_bytes(b"x" * limits.CONSOLE_FILES_BYTES_MAX)
    static.load(tmp_path)
    big.write_bytes(b"x" * (limits.CONSOLE_FILES_BYTES_MAX + 1))
    with pytest.raises(ValueError, match="more than"):
        static.load(tmp_path)
    big.write_text("")
    (tmp_path / "more.txt").write_text("")
    with pytest.raises(ValueError, match="more than"):
        static.load(tmp_path)
