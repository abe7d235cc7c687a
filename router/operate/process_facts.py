"""Facts about a process besides its router: certificates, memory, console, workers."""

from collections.abc import Callable, Mapping, Sequence

import msgspec

from router.admin.views.status import CaView, Console
from router.model.events import Problem
from router.node.memory_guard import MemoryGuard


def _no_ca() -> CaView:
    raise LookupError("this process has no CA")


class ProcessFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Read whenever they are shown.

    ``is_serving``: whether it has begun to serve. ``loop_lag_s``: how late its event loop last
    woke. ``expiries``: Unix seconds by certificate. ``problems``: of this host: its clock, its
    disk. ``shown_until``: Unix seconds at which the certificate of a site that links here ends.
    ``workers_next``: see `Status`. ``tls_place``: where a person puts the certificate of that
    name for a service.
    """

    memory: MemoryGuard
    is_serving: Callable[[], bool] = lambda: False
    loop_lag_s: Callable[[], float] = lambda: 0.0
    expiries: Callable[[], Mapping[str, float]]
    problems: Callable[[], Sequence[Problem]] = tuple
    shown_until: Callable[[str], float | None] = lambda site: None
    ca: Callable[[], CaView] = _no_ca
    console: Callable[[], Console] = Console
    tls_place: Callable[[str], str] = lambda name: f"secrets/tls/{name}"
    workers_next: Callable[[], int | None] = lambda: None
