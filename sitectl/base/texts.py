"""Texts that verbs read and write: files that users name, errors of documents, diffs."""

import difflib
import stat
from pathlib import Path
from shlex import quote
from typing import Final, TypeVar

import msgspec

from certs.files import read_whole, write_whole
from router.model.errors import ConfigError
from sitectl.base.failure import Exit, Failure, not_found, usage

T = TypeVar("T")
TEXT_BYTES_MAX: Final = 64 * 1024 * 1024  # Far beyond any list of manifests; devices have no end.
_FLAT_DEPTH_MAX: Final = 2  # Fields, and a list in one.


def config_failure(errors: list[ConfigError], message: str) -> Failure:
    """Exit 1 with one line for each error."""
    if len(errors) == 1:
        error = errors[0]
        hint = error.hint or f"Correct {error.source} and try again"
        return Failure(Exit.FAILED, error.code, error.message, hint)
    code = errors[0].code if errors else "SW0101"
    detail = "\n".join(f"  {error}" for error in errors)
    return Failure(Exit.FAILED, code, message, "Correct what is named above", detail=detail)


def decoded(content: bytes, source: str) -> str:
    """The text of a file that a user named. Failure: it is none."""
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise usage(f"{source} is not UTF-8 text: byte {error.start}") from error


def typed(source: str) -> str:
    """The file that a user named, for a command to type; of the standard input it is not known."""
    return "FILE" if source == "stdin" else quote(source)


def text_of(path: Path) -> str:
    """The text of a file that a user named. Failure: there is none, or it is no text."""
    try:
        with path.open("rb") as file:  # No more than is read anyway: it may be a device.
            content = file.read(TEXT_BYTES_MAX + 1)
    except FileNotFoundError as error:
        raise not_found(
            f"no file {path}", f"See what there is: ls {quote(str(path.parent))}"
        ) from error
    if len(content) > TEXT_BYTES_MAX:
        raise usage(f"{path} has more than {TEXT_BYTES_MAX} bytes")
    return decoded(content, str(path))


def secret_text(file: str, what: str, bytes_max: int) -> str:
    """The text of a small file that a flag names; a pipe, as of ``<(command)``, is read, too.

    Failure: there is none, or it is no text. Raises `CertError` where root would follow a link of
    another user.
    """
    path = Path(file)
    try:
        if stat.S_ISFIFO(path.stat().st_mode):
            with path.open("rb") as pipe:
                content = pipe.read(bytes_max + 1)
        else:
            content = read_whole(path, bytes_max)
    except OSError as error:
        raise not_found(f"no {what} in {file}: {error.strerror}", "Name a file") from error
    if len(content) > bytes_max:
        raise usage(f"{file} has more than {bytes_max} bytes")
    return decoded(content, file)


def flat_yaml(data: bytes, kind: type[T]) -> T:
    """A small YAML file as ``kind``. Raises `msgspec.DecodeError` for anything else.

    Depth is judged by events first: who makes values of them recurses in C and ends the process.
    """
    import yaml

    depth = 0
    try:
        for event in yaml.parse(data, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
            if depth > _FLAT_DEPTH_MAX or isinstance(event, yaml.AliasEvent):
                raise msgspec.DecodeError("has nested values or aliases, which do not belong here")
        return msgspec.yaml.decode(data, type=kind)
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError) as error:
        if isinstance(error, msgspec.MsgspecError):
            raise
        raise msgspec.DecodeError(" ".join(str(error).split())) from error


def diff(old: str, new: str, source: str) -> str:
    """The change that a verb would have made, as a unified diff."""
    lines = difflib.unified_diff(
        old.splitlines(), new.splitlines(), source, "what was asked for", lineterm=""
    )
    return "\n".join(lines)


def write_atomically(path: Path, text: str, mode: int = 0o644) -> None:
    """Replace ``path`` in one step and durably; a crash leaves the old or the new text."""
    write_whole(path, text.encode(), mode)
