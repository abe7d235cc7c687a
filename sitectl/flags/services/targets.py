"""Targets as they are typed, ``HOST:PORT``, and what a router says of them once they are bound."""

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

from router.model.errors import NOT_CHECKED
from router.model.specs import Document
from sitectl.base import output
from sitectl.base.failure import Failure, timed_out, usage
from sitectl.flags.services.bindings import Binding
from sitectl.runtimes import presence
from sitectl.site.site import Change, Site

_PLACE: Final = re.compile(r"(\[[^\]]+\]|[^:/=,\[\]]+):([0-9]{1,5})")


_DRAINED: Final = "drained"
_LEAVING: Final = "leaving"
"""Kinds of errors of targets whose servers may be well."""

_SEE_TARGETS: Final = "sitectl service status"
_FIRST_CHECK_S: Final = 0.5
"""How long a verb waits for a target's first health check. A refused connection takes some ms."""


def host_places(words: Sequence[str]) -> list[tuple[str, str]]:
    """Host and port of each ``HOST:PORT``, also after the word ``host``; empty: none is one.

    Failure: some are, others are not.
    """
    rest = words[1:] if words[0] == "host" else words
    found = {word: _PLACE.fullmatch(word) for word in rest}
    places = [(one[1], one[2]) for one in found.values() if one]
    if places and len(places) < len(found):
        wrong = next(word for word, one in found.items() if one is None)
        raise usage(f"{wrong!r} is not HOST:PORT, as the others are", "sitectl service bind --help")
    return places


def put_until_ready(
    site: Site,
    service: str,
    bindings: Sequence[Binding],
    documents: Sequence[Document],
    wait_s: float | None,
) -> list[Change]:
    """`Site.put_all`; with ``wait_s`` also wait until every target is ready.

    If the wait fails, or at Ctrl-C, the documents are restored, and new ones deleted.
    """
    before = {} if wait_s is None else {(one.kind, one.name): one for one in site.documents()}
    changes = site.put_all(documents)
    if wait_s is None:
        return changes
    try:
        _wait_until_ready(site, service, bindings, wait_s)
    except (Failure, KeyboardInterrupt) as ended:
        new = {(one.kind, one.name) for one in documents} - before.keys()
        changed = [
            before[one.kind, one.name]
            for one, change in zip(documents, changes, strict=True)
            if change == "updated"
        ]
        site.put_all(changed)
        site.delete_all(one for one in site.documents() if (one.kind, one.name) in new)
        if new or changed:
            _tell_undone(ended, "nothing is bound" if new else "the settings are as before")
        raise
    return changes


def _tell_undone(ended: Failure | KeyboardInterrupt, undone: str) -> None:
    if isinstance(ended, KeyboardInterrupt):
        output.note(undone)
        return
    ended.message += f"; {undone}"
    if ended.hint.startswith(_SEE_TARGETS):
        ended.hint = "Start the target and try again, or leave out --wait"


def _wait_until_ready(site: Site, service: str, bindings: Sequence[Binding], wait_s: float) -> None:
    """Return when each is ready, at each of its ports. Failure (6): which is not, and why."""
    late = list(bindings)
    causes: dict[str, str] = {}
    known = False

    def settled() -> bool:
        nonlocal known
        items = [item for item in site.admin.get("/api/v1/services") if item["name"] == service]
        known = bool(items)
        ours = _targets_here(site, items)
        late[:] = [binding for binding in bindings if not _is_ready(binding, ours)]
        causes.clear()
        causes.update(
            {str(one["error"]): one.get("error_kind", "") for one in ours if _is_of(late, one)}
        )
        return not late

    if presence.wait_until(settled, wait_s, site.poll_s):
        return
    cause = "; ".join(causes) if known else f"no site declares {service}"
    shown = ", ".join(binding.shown for binding in late)
    raise timed_out(
        f"{shown} {'is' if len(late) == 1 else 'are'} not ready after {wait_s:g} s"
        + (f": {cause}" if cause else ""),
        _wait_hint(service, causes.values()) if known else f"sitectl service create {service} PORT",
    )


def _wait_hint(service: str, error_kinds: Iterable[str]) -> str:
    if _DRAINED in error_kinds:
        return "sitectl check says how to end the drain (SW0353); or leave out --wait"
    return f"{_SEE_TARGETS} {service}"


def note_not_ready(site: Site, service: str, bindings: Sequence[Binding], undo: str) -> None:
    """Say which hosts do not answer, if the first health checks find that out soon.

    ``undo``: the command that takes the bindings back. Nothing is said without a router, or of
    workloads, whose pods come and go.
    """
    hosts = [one for one in bindings if one.target.kind == "host"]
    if not hosts or site.has_workloads or not site.admin.is_running():
        return
    wanted = {(one.target.name, port) for one in hosts for port in one.ports}
    found: dict[tuple[str, int], str] = {}

    def is_known(one: dict[str, Any]) -> bool:
        """Its state is of the new binding. A target that was unbound before may still leave."""
        kind = one.get("error_kind")
        return one.get("error") != NOT_CHECKED and kind != _LEAVING and kind != _DRAINED

    def is_checked() -> bool:
        items = [item for item in site.admin.get("/api/v1/services") if item["name"] == service]
        found.clear()
        for one in _targets_here(site, items):
            if (one["host"], one["port"]) in wanted and is_known(one):
                found[one["host"], one["port"]] = "" if one["ready"] else str(one["error"])
        return not items or found.keys() == wanted

    try:
        presence.wait_until(is_checked, _FIRST_CHECK_S, site.poll_s)
    except Failure:  # The router ended meanwhile: nothing is known of the targets.
        return
    errors = list(dict.fromkeys(filter(None, found.values())))
    for error in errors:
        output.note(f"not ready: {error}")
    if errors:
        has_names = all("has no address" in error for error in errors)
        step = "give the name an address" if has_names else "start what listens there"
        output.note(f"Next: {step}, the router keeps trying; or: {undo}")


def _targets_here(site: Site, items: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [one for item in items for one in item["targets"] if one["site"] == site.name]


def _is_of(bindings: Sequence[Binding], target: dict[str, Any]) -> bool:
    """Whether ``target`` has an error and one of ``bindings`` means it; workloads mean any."""
    return bool(target.get("error")) and any(
        one.target.kind != "host"
        or (one.target.name == target["host"] and target["port"] in one.ports)
        for one in bindings
    )


def _is_ready(binding: Binding, ours: Sequence[dict[str, Any]]) -> bool:
    """Whether a host is ready at each port of it, or any target of a workload is."""
    ready = {(str(one["host"]), one["port"]) for one in ours if one["ready"]}
    if binding.target.kind != "host":
        return bool(ready)
    return {(binding.target.name, port) for port in binding.ports} <= ready
