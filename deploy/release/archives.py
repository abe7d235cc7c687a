"""Archives with the same bytes for the same files: sorted, without owners and times."""

import gzip
import hashlib
import io
import tarfile
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

_LEVEL: Final = 6
_PLAIN, _RUNNABLE = 0o644, 0o755


def tar_of(files: Mapping[str, bytes], runnable: Iterable[str] = ()) -> bytes:
    """A tar archive of ``files`` by their names; those in ``runnable`` may be executed."""
    programs = frozenset(runnable)
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name in sorted(files):
            member = tarfile.TarInfo(name)
            member.size = len(files[name])
            member.mode = _RUNNABLE if name in programs else _PLAIN
            tar.addfile(member, io.BytesIO(files[name]))
    return made.getvalue()


def gzipped(data: bytes) -> bytes:
    """``data`` compressed, without a time and a file name."""
    return gzip.compress(data, _LEVEL, mtime=0)


def pack(stage: Path) -> Path:
    """``stage`` as an archive beside it; uncompressed, since its contents are compressed."""
    archive = stage.with_name(f"{stage.name}.tar")

    def plain(found: tarfile.TarInfo) -> tarfile.TarInfo:
        found.uid = found.gid = found.mtime = 0
        found.uname = found.gname = ""
        found.mode = _RUNNABLE if found.isdir() or found.mode & 0o100 else _PLAIN
        return found

    with tarfile.open(archive, "w") as tar:
        tar.add(stage, stage.name, filter=plain)  # Sorted: `add` sorts since Python 3.7.
    return archive


def wheel_files(wheel: Path) -> dict[str, bytes]:
    """Every file in ``wheel`` by its name."""
    with zipfile.ZipFile(wheel) as archive:
        return {one.filename: archive.read(one) for one in archive.infolist() if not one.is_dir()}


def below(directory: Path) -> dict[str, bytes]:
    """Every file below ``directory`` by its relative path, with slashes."""
    return {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
