"""The file of a backup: a header in the clear, and behind it everything, sealed by a passphrase.

Header (62 bytes): magic, version, key derivation (kind, two parameters), salt, nonce, and how many
bytes follow. All of it is authenticated together with the contents (AES-256-GCM, additional data),
so a changed byte anywhere is found. scrypt (RFC 7914) makes guessing expensive; hosts in FIPS mode
have no scrypt and use PBKDF2-HMAC-SHA256 (SP 800-132). The reader bounds the memory and time that a
file demands before it spends any.
"""

import hashlib
import os
import struct
from typing import Final, Literal

import msgspec
from cryptography.exceptions import InternalError, InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from sitectl.base.failure import Exit, Failure

MAGIC: Final = b"spillway-backup\n"
VERSION: Final = 1
CONTENTS_BYTES_MAX: Final = 64 * 1024 * 1024  # A site of 1,000 links has 5 MiB.
PASSPHRASE_CHARS_MIN: Final = 8  # Shorter ones are found by trying, scrypt or not.
PASSPHRASE_BYTES_MAX: Final = 4096

Kdf = Literal["scrypt", "pbkdf2"]
_KINDS: Final[dict[int, Kdf]] = {1: "scrypt", 2: "pbkdf2"}

# magic, version, kind of derivation, work, parallel, salt, nonce, bytes that follow.
_HEADER: Final = struct.Struct(">16sHBIB16s12sQ2x")
_KEY_BYTES, _SALT_BYTES, _NONCE_BYTES, TAG_BYTES = 32, 16, 12, 16
FILE_BYTES_MAX: Final = _HEADER.size + CONTENTS_BYTES_MAX + TAG_BYTES

SCRYPT_BLOCK: Final = 8  # With a work of 2^17 it takes 128 MiB and about half a second.
SCRYPT_WORK, SCRYPT_WORK_MIN, SCRYPT_WORK_MAX = 17, 14, 19  # Powers of two; 19 takes 512 MiB.
SCRYPT_PARALLEL_MAX: Final = 4
PBKDF2_ROUNDS, PBKDF2_ROUNDS_MIN, PBKDF2_ROUNDS_MAX = 600_000, 100_000, 10_000_000


class Cost(msgspec.Struct, frozen=True):
    """How dear one guess at the passphrase is: scrypt's N as a power of two, or rounds."""

    kdf: Kdf = "scrypt"
    work: int = SCRYPT_WORK
    parallel: int = 1


USUAL: Final = Cost()
FOR_FIPS: Final = Cost("pbkdf2", PBKDF2_ROUNDS)


def seal(contents: bytes, passphrase: bytes, cost: Cost | None = None) -> bytes:
    """A whole file. Without ``cost`` scrypt, or PBKDF2 where the host has no scrypt.

    Failure: the contents are longer than `CONTENTS_BYTES_MAX`.
    """
    if len(contents) > CONTENTS_BYTES_MAX:
        raise _unusable(
            f"the site has {len(contents)} bytes, a backup holds {CONTENTS_BYTES_MAX}",
            "Remove documents and grants that are not used",
        )
    salt, nonce = os.urandom(_SALT_BYTES), os.urandom(_NONCE_BYTES)
    chosen = cost or USUAL
    try:
        key = _derive(passphrase, salt, chosen)
    except (UnsupportedAlgorithm, InternalError):
        if cost is not None:
            raise
        chosen = FOR_FIPS
        key = _derive(passphrase, salt, chosen)
    kind = next(number for number, kdf in _KINDS.items() if kdf == chosen.kdf)
    header = _HEADER.pack(
        MAGIC,
        VERSION,
        kind,
        chosen.work,
        chosen.parallel,
        salt,
        nonce,
        len(contents) + TAG_BYTES,
    )
    return header + AESGCM(key).encrypt(nonce, contents, header)


def unseal(file: bytes, passphrase: bytes, source: str) -> bytes:
    """The contents. Failure, with the code that says which: no backup, cut, of a foreign version,
    asking for too much, or the passphrase or a byte is not the one it was sealed with."""
    cost, salt, nonce = _read_header(file, source)
    try:
        key = _derive(passphrase, salt, cost)
    except (UnsupportedAlgorithm, InternalError) as error:
        raise _unusable(
            f"{source}: its key is made with {cost.kdf}, which this host does not have (FIPS mode)",
            "Restore it on another host and back up again with --fips",
        ) from error
    except MemoryError as error:
        raise _unusable(
            f"{source}: opening it takes {_memory_mib(cost)} MiB of memory", "Free some, try again"
        ) from error
    try:
        return AESGCM(key).decrypt(nonce, file[_HEADER.size :], file[: _HEADER.size])
    except InvalidTag as error:
        raise Failure(
            Exit.FAILED,
            "SW0655",
            f"{source}: the passphrase is not the one it was sealed with, or the file was changed",
            "Try the passphrase again; another copy of the file if you are sure of it "
            f"(this one has sha256 {hashlib.sha256(file).hexdigest()[:16]}…)",
        ) from error


def _read_header(file: bytes, source: str) -> tuple[Cost, bytes, bytes]:
    if not file.startswith(MAGIC[: max(1, len(file))]):
        raise _no_backup(f"{source} is no backup of a site", "Give a file that `backup` wrote")
    if len(file) < _HEADER.size:
        raise _cut(source, len(file), _HEADER.size)
    _, version, kind, work, parallel, salt, nonce, follows = _HEADER.unpack_from(file)
    if version != VERSION:
        raise _unusable(
            f"{source} has format {version}, this version reads {VERSION}",
            "Restore it with the version that wrote it, or a newer one",
        )
    cost = _cost(kind, work, parallel, source)
    if follows > CONTENTS_BYTES_MAX + TAG_BYTES or follows < TAG_BYTES:
        raise _unusable(f"{source} says that {follows} bytes follow its header", "Try another copy")
    if len(file) < _HEADER.size + follows:
        raise _cut(source, len(file), _HEADER.size + follows)
    if len(file) > _HEADER.size + follows:
        more = len(file) - _HEADER.size - follows
        raise _no_backup(f"{source} has {more} bytes behind its end", "Try another copy")
    return cost, salt, nonce


def _cost(kind: int, work: int, parallel: int, source: str) -> Cost:
    kdf = _KINDS.get(kind)
    if kdf == "scrypt":
        fits = SCRYPT_WORK_MIN <= work <= SCRYPT_WORK_MAX and 1 <= parallel <= SCRYPT_PARALLEL_MAX
    else:
        fits = kdf is not None and PBKDF2_ROUNDS_MIN <= work <= PBKDF2_ROUNDS_MAX and parallel == 1
    if kdf is None or not fits:
        raise _unusable(
            f"{source} asks for a key derivation that this version does not do "
            f"({kind}, {work}, {parallel})",
            "It was changed, or a newer version wrote it",
        )
    return Cost(kdf, work, parallel)


def _derive(passphrase: bytes, salt: bytes, cost: Cost) -> bytes:
    if cost.kdf == "scrypt":
        return Scrypt(
            salt=salt,
            length=_KEY_BYTES,
            n=1 << cost.work,
            r=SCRYPT_BLOCK,
            p=cost.parallel,
        ).derive(passphrase)
    return PBKDF2HMAC(
        algorithm=hashes.SHA256(), length=_KEY_BYTES, salt=salt, iterations=cost.work
    ).derive(passphrase)


def _memory_mib(cost: Cost) -> int:
    return ((128 * SCRYPT_BLOCK) << cost.work) >> 20 if cost.kdf == "scrypt" else 1


def _cut(source: str, have: int, need: int) -> Failure:
    return _no_backup(f"{source} is cut off: {have} of {need} bytes", "Copy it again, whole")


def _no_backup(message: str, hint: str) -> Failure:
    return Failure(Exit.FAILED, "SW0656", message, hint)


def _unusable(message: str, hint: str) -> Failure:
    return Failure(Exit.FAILED, "SW0657", message, hint)
