"""A bundle's archive: written so that nothing of it is open to others, read back as values."""

import gzip
import hashlib
import io
import json
import os
import secrets
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from certs.files import sweep_temporaries, sync_directory
from sitectl.base.failure import Exit, Failure, conflict
from sitectl.gateway.bundle.contents import IMAGE_ARCHIVE, SUMS, sums

MEMBER_BYTES_MAX: Final = 1024 * 1024
MEMBERS_MAX: Final = 8_192
FILES_BYTES_MAX: Final = 64 * MEMBER_BYTES_MAX
"""Of all but the image: a gateway of a thousand services has one megabyte."""


def digests(files: Mapping[str, bytes], image: Path | None) -> str:
    """``SHA256SUMS`` of all that a bundle holds."""
    found = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    if image is not None:
        with image.open("rb") as file:
            found[IMAGE_ARCHIVE] = hashlib.file_digest(file, "sha256").hexdigest()
    return sums(found)


def write(path: Path, files: Mapping[str, bytes], image: Path | None, now: int) -> None:
    """Put a bundle into ``path``, whole or not at all, for its owner alone.

    ``now``: Unix seconds, of every member. Errors of the file system pass as `OSError`.
    """
    everything = {**files, SUMS: digests(files, image).encode()}
    sweep_temporaries(path.parent, now, path.name, deep=False)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with (
            os.fdopen(descriptor, "wb") as raw,
            gzip.GzipFile("", "wb", 6, raw, mtime=now) as packed,
            tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as tar,
        ):
            for folder in sorted({parent for name in everything for parent in _parents(name)}):
                tar.addfile(_member(folder, now, tarfile.DIRTYPE, 0o700))
            for name, data in sorted(everything.items()):
                member = _member(name, now, mode=0o700 if name.endswith(".sh") else 0o600)
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))
            if image is not None:
                member = _member(IMAGE_ARCHIVE, now)
                member.size = image.stat().st_size
                with image.open("rb") as file:
                    tar.addfile(member, file)
            tar.close()
            packed.close()
            raw.flush()
            os.fsync(raw.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_directory(path.parent)


def _parents(name: str) -> list[str]:
    parts = name.split("/")[:-1]
    return ["/".join(parts[: index + 1]) for index in range(len(parts))]


def _member(
    name: str, now: int, kind: bytes = tarfile.REGTYPE, mode: int = 0o600
) -> tarfile.TarInfo:
    """A member that belongs to the user who unpacks it."""
    member = tarfile.TarInfo(name)
    member.type, member.mode, member.mtime = kind, mode, now
    return member


def read(path: Path) -> dict[str, bytes] | None:
    """The files of a bundle, but for its image; None: there is none. Failure: it is no bundle."""
    try:
        with tarfile.open(path, "r:gz") as tar:
            found: dict[str, bytes] = {}
            left = FILES_BYTES_MAX
            for count, member in enumerate(tar):
                if count > MEMBERS_MAX:
                    raise tarfile.TarError(f"more than {MEMBERS_MAX} members")
                if not member.isreg() or member.name == IMAGE_ARCHIVE:
                    continue
                left -= member.size
                if member.size > MEMBER_BYTES_MAX or left < 0:
                    raise tarfile.TarError(f"{member.name} is too long")
                file = tar.extractfile(member)
                assert file is not None  # Of a regular member.
                found[member.name] = file.read()
    except FileNotFoundError:
        return None
    except (tarfile.TarError, gzip.BadGzipFile, EOFError, OSError) as error:
        raise conflict(f"{path} is there and is no bundle: {error}", "Move it away") from error
    if SUMS not in found:
        raise conflict(f"{path} is there and is no bundle: it has no {SUMS}", "Move it away")
    return found


def image_digest(path: Path) -> str:
    """The id that the image of a ``docker-archive`` gets when it is loaded: hex."""
    try:
        with tarfile.open(path) as tar:
            file = tar.extractfile("manifest.json")
            manifest: Any = json.load(file) if file is not None else None
        return str(manifest[0]["Config"]).removesuffix(".json").rpartition("/")[2]
    except (tarfile.TarError, KeyError, IndexError, TypeError, ValueError) as error:
        raise Failure(
            Exit.FAILED, "SW0646", f"the image archive cannot be read: {error}", "podman info"
        ) from error
