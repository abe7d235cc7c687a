"""Archives: the same files make the same bytes, whatever the time and the order."""

import io
import random
import tarfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from deploy.release.archives import below, gzipped, tar_of

NAMES = st.from_regex(r"[a-z]{1,8}(/[a-z]{1,120}){0,2}\.txt", fullmatch=True)


@given(files=st.dictionaries(NAMES, st.binary(max_size=99), max_size=6), seed=st.integers())
def test_any_order_of_the_same_files_makes_the_same_archive_and_tar_reads_it(
    files: dict[str, bytes], seed: int
) -> None:
    shuffled = list(files.items())
    random.Random(seed).shuffle(shuffled)
    packed = gzipped(tar_of(dict(shuffled)))
    assert packed == gzipped(tar_of(files))
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        read = {one.name: tar.extractfile(one) for one in tar.getmembers()}
        assert {name: file.read() for name, file in read.items() if file} == files
        assert all(one.mtime == one.uid == one.gid == 0 for one in tar.getmembers())


def test_only_programs_may_be_executed() -> None:
    with tarfile.open(fileobj=io.BytesIO(tar_of({"a": b"", "b": b""}, runnable="b"))) as tar:
        assert {one.name: one.mode for one in tar.getmembers()} == {"a": 0o644, "b": 0o755}


def test_files_below_a_directory_are_named_from_there(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "c").write_bytes(b"1")
    (tmp_path / "d").write_bytes(b"2")
    assert below(tmp_path) == {"a/b/c": b"1", "d": b"2"}
