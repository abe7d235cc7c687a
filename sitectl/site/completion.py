"""Names that a shell completes: of sites, services, links, targets, as they are now.

The user waits for the shell: the router has `ANSWER_S` to answer, and no failure is reported. Names
in documents need no router; for a namespace, they are the ones last shown (`remember`).
"""

import json
import os
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import click

from sitectl.base.failure import Failure
from sitectl.base.options import IN_POD_VARIABLE, Settings
from sitectl.site import places
from sitectl.site.admin import Admin

ANSWER_S: Final = 0.15
DOCUMENT_BYTES_MAX: Final = 256 * 1024
DOCUMENTS_MAX: Final = 500
REMEMBERED_MAX: Final = 50
"""Namespaces whose names are kept, the last ones."""
TARGET_TYPES: Final = [
    "deployment",
    "statefulset",
    "daemonset",
    "deploymentconfig",
    "service",
    "pods",
    "host",
]
_PLAIN: Final = re.compile(r"[\w.@:%+][\w.@:%+-]*")
"""Words that a shell takes unquoted. Other sites choose their names, and bash quotes nothing."""
_FIELD: Final = re.compile(r"""^\s*[{,]?\s*"?(kind|name)"?\s*:\s*"?([A-Za-z0-9._-]+)""", re.M)
_JSON_FIELD: Final = re.compile(r'"(kind|name)"\s*:\s*"([A-Za-z0-9._-]+)"')


def names(what: str, ctx: click.Context, incomplete: str) -> list[str]:
    """Completions of ``incomplete``; empty instead of an error."""
    settings = ctx.find_object(Settings) or Settings()
    try:
        found = _SOURCES[what](settings, ctx)
        plain = {name for name in found if _PLAIN.fullmatch(name)}
        return sorted(name for name in plain if name.startswith(incomplete))
    except Exception:  # Whatever it is, a traceback in the line one types is worse.
        return []


def _sites(settings: Settings, ctx: click.Context) -> Iterable[str]:
    return () if settings.on_kubernetes() else places.site_names(places.state_dir(settings))


def _services(settings: Settings, ctx: click.Context) -> Iterable[str]:
    return [
        *_documented(settings, "Service"),
        *_remembered(settings, "services"),
        *(str(item["name"]) for item in _asked(settings, "/api/v1/services")),
    ]


def _links(settings: Settings, ctx: click.Context) -> Iterable[str]:
    place = _directory(settings)
    kept = place / "secrets" / "links" if place is not None else None
    return [
        *_documented(settings, "Link"),
        *_remembered(settings, "links"),
        *(os.listdir(kept) if kept is not None and kept.is_dir() else ()),
        *(str(item["name"]) for item in _asked(settings, "/api/v1/links")),
    ]


def _network(settings: Settings, ctx: click.Context) -> Iterable[str]:
    return [
        *_remembered(settings, "sites"),
        *(str(item["name"]) for item in _asked(settings, "/api/v1/network")),
    ]


def _bursts(settings: Settings, ctx: click.Context) -> Iterable[str]:
    return _documented(settings, "Burst")


def _targets(settings: Settings, ctx: click.Context) -> Iterable[str]:
    """After the type: hosts that services here have as targets."""
    if not ctx.params.get("words"):
        return TARGET_TYPES
    services = _asked(settings, "/api/v1/services")
    return [str(t.get("host") or "") for item in services for t in item.get("targets") or ()]


def _documents(settings: Settings, ctx: click.Context) -> Iterable[str]:
    """Kinds; after a kind the names of its documents."""
    words: Sequence[str] = ctx.params.get("words") or ()
    found = _fields(settings)
    if not words:
        return {kind for kind, _ in found}
    return [name for kind, name in found if kind.lower() == words[0].lower()]


_SOURCES: Final[dict[str, Callable[[Settings, click.Context], Iterable[str]]]] = {
    "bursts": _bursts,
    "documents": _documents,
    "links": _links,
    "network": _network,
    "services": _services,
    "sites": _sites,
    "targets": _targets,
}


def _directory(settings: Settings) -> Path | None:
    """Where the site is that the flags mean; None: not on this machine, or it is not clear."""
    if settings.on_kubernetes():
        if IN_POD_VARIABLE in os.environ and not settings.namespace:
            stated = os.environ.get("SPILLWAY_SITE_DIR")
            return Path(stated or Path(settings.state or "/var/lib/spillway") / "site")
        return None
    state = places.state_dir(settings)
    found = [name for name in places.site_names(state) if settings.site in (None, name)]
    return state / found[0] if len(found) == 1 else None


def _asked(settings: Settings, path: str) -> list[dict[str, Any]]:
    """The items that the router returns within `ANSWER_S`; none if it does not."""
    directory = _directory(settings)
    if directory is None:
        return []
    door = Admin(directory / "run" / "admin.sock", directory.name, wait_s=ANSWER_S)
    try:
        items = door.get(path)
    except Failure:
        return []
    return items if isinstance(items, list) else []


def _documented(settings: Settings, kind: str) -> list[str]:
    return [name for found, name in _fields(settings) if found == kind]


def _fields(settings: Settings) -> list[tuple[str, str]]:
    """Kind and name of each document, found without parsing YAML, for that takes too long."""
    directory = _directory(settings)
    config = directory / "config" if directory is not None else None
    if config is None or not config.is_dir():
        return []
    found = []
    for path in sorted(config.iterdir())[:DOCUMENTS_MAX]:
        if path.suffix not in (".yaml", ".yml") or not path.is_file():
            continue
        with path.open("rb") as file:
            text = file.read(DOCUMENT_BYTES_MAX).decode("utf-8", "replace")
        for document in re.split(r"(?m)^---", text):
            pattern = _JSON_FIELD if document.lstrip().startswith("{") else _FIELD
            fields: dict[str, str] = {}
            for key, value in pattern.findall(document):
                fields.setdefault(key, value)
            if len(fields) == 2:
                found.append((fields["kind"], fields["name"]))
    return found


def _memory() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "spillway" / "names.json"


def _key(settings: Settings) -> str:
    return "|".join(
        word or "" for word in (settings.kubeconfig, settings.context, settings.namespace)
    )


def _remembered(settings: Settings, what: str) -> list[str]:
    if not settings.on_kubernetes():
        return []
    try:
        found = json.loads(_memory().read_text("utf-8"))[_key(settings)][what]
    except (OSError, ValueError, KeyError, TypeError):
        return []
    return [str(name) for name in found]


def remember(settings: Settings, what: str, found: Iterable[object]) -> None:
    """Keep names of a namespace that were shown: asking its router takes longer than one waits."""
    if not settings.on_kubernetes():
        return
    from certs.files import write_whole

    path, key = _memory(), _key(settings)
    try:
        known = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        known = {}
    if not isinstance(known, dict):
        known = {}
    before = known.pop(key, {})
    kept = before if isinstance(before, dict) else {}
    known[key] = kept | {what: [str(name) for name in found]}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps(dict(list(known.items())[-REMEMBERED_MAX:])).encode(), 0o600)
    except OSError:
        return  # A home that cannot be written to is no reason to fail a command that looks.
