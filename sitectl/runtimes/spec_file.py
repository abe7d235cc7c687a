"""Reading, writing and checking ``SITE/runtime.yaml``."""

import re
from typing import Any, Final

import msgspec

from certs.files import is_foreign_directory, read_whole
from router.model.errors import ConfigError
from sitectl.base.failure import Exit, Failure, not_allowed, usage
from sitectl.base.texts import flat_yaml, write_atomically
from sitectl.runtimes.spec import RUNTIME_FILE, RuntimeSpec
from sitectl.site.directory import DirectorySite

_FILE_BYTES_MAX: Final = 64 * 1024
_WORD: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_FIELDS: Final = {
    # By the prefix no other's unit or container is meant, sshd's for example.
    "name": re.compile(r"spillway-[A-Za-z0-9][A-Za-z0-9_.-]{0,200}"),
    "network": _WORD,
    "image": re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/@-]*"),
    "publish_ip": re.compile(r"[0-9.]+|[0-9A-Fa-f:.]+"),
    "publish": re.compile(r"(([0-9.]+|\[[0-9A-Fa-f:.]+\]):)?[0-9]{1,5}:[0-9]{1,5}"),
}


def read_spec(site: DirectorySite) -> RuntimeSpec:
    """The site's runtime from its file; without a file, a plain process.

    Failure: the file is damaged, or has a word that no router's runtime needs. The router may write
    this file and root obeys it, so every word is checked, whatever its author.
    """
    path = site.directory / RUNTIME_FILE
    try:
        data = read_whole(path, _FILE_BYTES_MAX)
    except FileNotFoundError:
        return RuntimeSpec()
    try:
        spec = flat_yaml(data, RuntimeSpec)
    except msgspec.MsgspecError as error:
        raise Failure(
            Exit.FAILED,
            "config",
            f"{path}: {error}",
            "Fix the file, or type the command that made the site again",
        ) from None
    require_words(site, spec)
    if spec.scope == "user" and spec.kind == "systemd" and is_foreign_directory(site.directory):
        raise not_allowed(
            f"{path}: a unit of root's own manager would run as root what another user owns",
            f"Put scope: system into {path}",
            code="SW0602",
        )
    return spec


def require_words(site: DirectorySite, spec: RuntimeSpec) -> None:
    """Raise Failure for a field of ``runtime.yaml`` that no engine or manager may receive."""
    fields = [("name", spec.name), ("image", spec.image), ("network", spec.network)]
    fields += [("publish_ip", spec.publish_ip)]
    fields += [("publish", text) for text in spec.publish]
    for field, text in fields:
        if text and not _FIELDS[field].fullmatch(text):
            raise usage(
                f"{site.directory / RUNTIME_FILE}: {field} {text!r} is none that an engine takes",
                "Fix the file, or type the command that made the site again",
                code="SW0613",
            )


def write_spec(site: DirectorySite, spec: RuntimeSpec) -> None:
    """Keep ``spec`` with the site."""
    fields: dict[str, Any] = msgspec.to_builtins(spec)
    write_atomically(site.directory / RUNTIME_FILE, msgspec.yaml.encode(fields).decode())


def finding(site: DirectorySite, reason: str, hint: str, code: str) -> ConfigError:
    """A finding about how the router is run: it keeps it from running."""
    return ConfigError(str(site.directory / RUNTIME_FILE), "", reason, hint=hint, code=code)


def doubt(site: DirectorySite, reason: str, hint: str, code: str) -> ConfigError:
    """As `finding`, of what the router runs without."""
    found = finding(site, reason, hint, code)
    found.severity = "warning"
    return found
