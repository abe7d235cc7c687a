"""Targets as they are typed, ``HOST:PORT``, and waiting until they are ready."""

import re
from collections.abc import Sequence
from typing import Any, Final

from sitectl.bindings import Binding
from sitectl.failure import Exit, Failure, usage
from sitectl.runtimes import presence
from sitectl.site import Site

_PLACE: Final = re.compile(r"(\[[^\]]+\]|[^:/=,\[\]]+):([0-9]{1,5})")


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


def wait_until_ready(site: Site, service: str, bindings: Sequence[Binding], wait_s: float) -> None:
    """Return when each is ready, at each of its ports. Failure (6): which is not, and why."""
    late = list(bindings)
    causes: dict[str, None] = {}
    known = False

    def settled() -> bool:
        nonlocal known
        items = [item for item in site.admin.get("/api/v1/services") if item["name"] == service]
        known = bool(items)
        ours = [one for item in items for one in item["targets"] if one["site"] == site.name]
        late[:] = [binding for binding in bindings if not _is_ready(binding, ours)]
        causes.clear()
        causes.update({str(one["error"]): None for one in ours if one.get("error")})
        return not late

    if presence.wait_until(settled, wait_s, site.poll_s):
        return
    cause = "; ".join(causes) if known else f"no site declares {service}"
    shown = ", ".join(binding.shown for binding in late)
    raise Failure(
        Exit.TIMED_OUT,
        "timed-out",
        f"{shown} is bound, but not ready after {wait_s:g} s" + (f": {cause}" if cause else ""),
        f"sitectl service status {service}" if known else f"sitectl service create {service} PORT",
        retryable=True,
    )


def _is_ready(binding: Binding, ours: Sequence[dict[str, Any]]) -> bool:
    """Whether a host is ready at each port of it, or any target of a workload is."""
    ready = {(str(one["host"]), one["port"]) for one in ours if one["ready"]}
    if binding.target.kind != "host":
        return bool(ready)
    return {(binding.target.name, port) for port in binding.ports} <= ready
